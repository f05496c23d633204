"""Replacing every MLP at once: an exact dictionary changes nothing, and a wrong one what hand-made edits change."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from exact import neurons_dictionary, random_windows, relu_model

from truescope.activations import Activations, batches, pad
from truescope.core import DictionaryError, Intervention, Site
from truescope.train import TrainConfig, ce_delta, evaluate, replaced_logits
from truescope.train.closed_loop import closed_loop_loss
from truescope.train.learner import Learner


@pytest.mark.parametrize("everywhere", [False, True])
def test_the_models_own_neurons_cost_nothing(everywhere: bool) -> None:
    model = relu_model()
    dictionary, windows = neurons_dictionary(model), random_windows(12)
    delta, ce, n_tokens = ce_delta(model, dictionary, batches(windows, 64), everywhere=everywhere)
    assert abs(delta) < 1e-6 and n_tokens == sum(len(w.ids) - 1 for w in windows)
    # The loss itself, document by document.
    own = [
        F.cross_entropy(model.run(w.ids).logits[0, :-1].double(), w.ids[1:], reduction="sum").item() for w in windows
    ]
    assert ce == pytest.approx(sum(own) / n_tokens, rel=1e-5)


def test_later_layers_read_what_earlier_replacements_made() -> None:
    model = relu_model()
    whole = neurons_dictionary(model)
    half = replace(whole, groups=tuple(replace(g, W_dec=g.W_dec * 0.5) for g in whole.groups))
    batch = pad(random_windows(4))
    found = replaced_logits(model, half, batch)
    # By hand: one layer after the other, each computed from a run in which the earlier ones are already set.
    for row in range(4):
        n = int(batch.mask[row].sum())
        tokens, edits = batch.tokens[row, :n], []
        for layer in range(model.n_layers):
            site = Site("mlp_in", layer)
            x = model.run(tokens, read=[site], edit=edits).sites[site][0]
            y = half.reconstruct({s: x for s in half.reads})[Site("mlp_out", layer)]
            edits.append(Intervention(Site("mlp_out", layer), "set", y[1:], positions=tuple(range(1, n))))
        by_hand = model.run(tokens, edit=edits).logits[0]
        torch.testing.assert_close(found[row, :n], by_hand, rtol=1e-4, atol=1e-4)


def test_a_dictionary_of_another_model_is_not_evaluated() -> None:
    dictionary = neurons_dictionary(relu_model(1))
    with pytest.raises(DictionaryError, match="belongs to another model"):
        evaluate(relu_model(0), dictionary, Activations({}, torch.zeros(0, dtype=torch.long)), [], {}, 3)


@pytest.mark.parametrize("kind", ["transcoder", "clt"])
def test_the_closed_loop_gradient_is_the_slope_of_its_loss(kind: str) -> None:
    model, windows = relu_model(), random_windows(4)
    model.hf.double()
    g = torch.Generator().manual_seed(1)
    sites = [Site(k, layer) for k in ("mlp_in", "mlp_out") for layer in range(3)]
    sample = {site: torch.randn(200, 24, generator=g, dtype=torch.float64) for site in sites}
    learner = Learner(TrainConfig(kind=kind, n_features=30, k=5), 3, sample)
    learner.weights = [
        replace(w, **{n: t.double() for n, t in vars(w).items() if isinstance(t, torch.Tensor)})
        for w in learner.weights
    ]
    learner.require_gradients(True)
    tensors = [t for w in learner.weights for t in w.tensors()]
    grads = torch.autograd.grad(closed_loop_loss(model, learner, pad(windows)), tensors)
    learner.require_gradients(False)
    for tensor, grad in zip(tensors, grads, strict=True):
        direction, step = grad / grad.norm(), 1e-6
        with torch.no_grad():
            tensor += step * direction
            above = closed_loop_loss(model, learner, pad(windows))
            tensor -= 2 * step * direction
            below = closed_loop_loss(model, learner, pad(windows))
            tensor += step * direction
        assert float((above - below) / (2 * step)) == pytest.approx(float(grad.norm()), rel=1e-4)
