"""Patching scores against closed forms, finite differences, and hooks written by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from trace_models import linear_model

from models.linear_dictionaries import LinearDictionary
from small_models import small_hf, small_model, small_tokens
from truescope.core.errors import UsageError
from truescope.core.sites import Site
from truescope.models import Model
from truescope.trace.patching import (
    LogitMetric,
    Nodes,
    integrated_gradients,
    node_gradients,
    node_values,
    replacement_effects,
    restoration_effects,
)

ANSWER, OTHER = torch.tensor([5, 9]), torch.tensor([7, 3])
METRIC = LogitMetric(ANSWER, OTHER)


def double_model(variant: str) -> Model:
    return Model(small_hf(variant).double(), name=variant)


def every_node(model: Model) -> list[Nodes]:
    layers = range(model.n_layers)
    return [
        *[Nodes.heads(model, layer) for layer in layers],
        *[Nodes.neurons(layer) for layer in layers],
        *[Nodes.whole(model, f"resid_pre.{layer}") for layer in layers],
    ]


def test_on_a_linear_model_every_score_is_the_closed_form() -> None:
    model, clean, corrupt = linear_model(), small_tokens(seed=0), small_tokens(seed=1)
    nodes = every_node(model)
    baseline = node_values(model, corrupt, nodes)
    embed = model.run(corrupt, read=["embed"]).sites[Site("embed")]
    at = node_gradients(model, clean, METRIC, nodes)
    scores = at.attribution(baseline)
    integrated = integrated_gradients(model, clean, embed, METRIC, nodes, baseline, steps=3)
    noised = replacement_effects(model, clean, METRIC, nodes, baseline)
    restored = restoration_effects(model, corrupt, METRIC, nodes, at.value)
    for one, *others in zip(scores, integrated, noised, restored, strict=True):
        for other in others:
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)

    last = model.parts.block(1)
    unembed = model.parts.unembed.weight
    direction = unembed[ANSWER] - unembed[OTHER]
    by_neuron = direction @ last.mlp.c_proj.weight.T
    by_stream = direction + by_neuron @ last.mlp.c_fc.weight.T
    by_head = by_stream @ last.attn.c_proj.weight.T
    delta_neuron = (at.value[3] - baseline[3])[:, -1, :, 0]
    delta_head = (at.value[1] - baseline[1])[:, -1].flatten(1)
    torch.testing.assert_close(scores[3][:, -1], delta_neuron * by_neuron, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(scores[1][:, -1], (delta_head * by_head).view(2, 4, 4).sum(-1), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(at.saliency()[3][:, -1], by_neuron.abs(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(at.times_input()[3][:, -1], at.value[3][:, -1, :, 0] * by_neuron, rtol=1e-9, atol=1e-9)
    # A neuron of the last layer at an earlier position reaches nothing.
    assert not scores[3][:, :-1].any()


@pytest.mark.parametrize("variant", ["gpt2", "llama", "gemma2"])
def test_attribution_patching_is_the_limit_of_patching(variant: str) -> None:
    model, tokens = double_model(variant), small_tokens()
    nodes = [*every_node(model), *Nodes.features(features(model))]
    at = node_gradients(model, tokens, METRIC, nodes)
    # Central differences; the norms of Llama and Gemma compute in single precision whatever the weights are.
    generator = torch.Generator().manual_seed(1)
    steps = [1e-3 * torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in at.value]
    below, above = (
        replacement_effects(model, tokens, METRIC, nodes, [x + sign * d for x, d in zip(at.value, steps, strict=True)])
        for sign in (-1, 1)
    )
    near = [x - d for x, d in zip(at.value, steps, strict=True)]
    for score, low, high in zip(at.attribution(near), below, above, strict=True):
        assert (score - (low - high) / 2).abs().max() < 2e-3 * score.abs().max()


def features(model: Model) -> LinearDictionary:
    """Features that read layer 0 and write to layers 0 and 2, like those of a cross-layer transcoder."""
    written = (Site("mlp_out", 0), Site("mlp_out", 2))
    dictionary = LinearDictionary(Site("mlp_in", 0), written, model.d_model)
    dictionary.W_enc = dictionary.W_enc.to(model.dtype)
    dictionary.W_dec = {site: rows.to(model.dtype) for site, rows in dictionary.W_dec.items()}
    return dictionary


@pytest.mark.parametrize("variant", ["gpt2", "llama"])
def test_integrated_gradients_over_the_embeddings_are_complete(variant: str) -> None:
    model, clean, corrupt = double_model(variant), small_tokens(seed=0), small_tokens(seed=1)
    nodes = [Nodes.whole(model, "embed")]
    baseline = node_values(model, corrupt, nodes)
    scores = integrated_gradients(model, clean, baseline[0][..., 0, :], METRIC, nodes, baseline, steps=120)
    difference = METRIC(model.run(clean).logits) - METRIC(model.run(corrupt).logits)
    torch.testing.assert_close(scores[0].sum((1, 2)), difference, rtol=2e-3, atol=2e-3)
    one_step = integrated_gradients(model, clean, baseline[0][..., 0, :], METRIC, nodes, baseline, steps=1)
    assert (one_step[0].sum((1, 2)) - difference).abs().max() > (scores[0].sum((1, 2)) - difference).abs().max()


@pytest.mark.parametrize("variant", ["gpt2", "llama"])
def test_patching_is_what_a_hook_by_hand_does(variant: str) -> None:
    model, clean, corrupt = small_model(variant), small_tokens(seed=0), small_tokens(seed=1)
    nodes = [Nodes.heads(model, 1), Nodes.neurons(2)]
    baseline = node_values(model, corrupt, nodes)
    effects = replacement_effects(model, clean, METRIC, nodes, baseline, batch=5)
    width = model.parts.d_attn_z // 4
    for n, module, part in ((0, model.parts.o_proj(1), 2), (1, model.parts.down(2), 17)):
        columns = slice(part * width, (part + 1) * width) if n == 0 else slice(part, part + 1)
        for position in (0, 6):

            def patch(_: nn.Module, args: tuple[torch.Tensor, ...], at: int = position) -> tuple[torch.Tensor]:
                x = args[0].clone()
                x[:, at, columns] = baseline[n][:, at, part]  # noqa: B023
                return (x,)

            handle = module.register_forward_pre_hook(patch)
            by_hand = METRIC(model.run(clean).logits)
            handle.remove()
            torch.testing.assert_close(
                effects[n][:, position, part], METRIC(model.run(clean).logits) - by_hand, rtol=1e-4, atol=2e-5
            )


def test_a_node_whose_baseline_is_its_value_has_no_effect() -> None:
    model, tokens = small_model("gpt2"), small_tokens()
    nodes = every_node(model)
    values = node_values(model, tokens, nodes)
    for effect in replacement_effects(model, tokens, METRIC, nodes, values):
        assert not effect.any()
    mean = [value.mean(0, keepdim=True) for value in values]
    assert all(effect.any() for effect in replacement_effects(model, tokens, METRIC, nodes[:2], mean[:2]))


def test_what_does_not_fit_is_refused() -> None:
    model, tokens = small_model("gpt2"), small_tokens()
    nodes = [Nodes.neurons(0)]
    with pytest.raises(UsageError, match="prompts of one length"):
        node_gradients(model, tokens, METRIC, nodes).attribution([torch.zeros(2, 3, 40, 1)])
    with pytest.raises(UsageError, match="one for each"):
        node_gradients(model, tokens, METRIC, nodes).attribution([])
    with pytest.raises(UsageError, match="no logit 99"):
        node_gradients(model, tokens, LogitMetric(torch.tensor([99, 1])), nodes)
    with pytest.raises(UsageError, match="for 2 prompts"):
        node_gradients(model, tokens, LogitMetric(torch.tensor([1])), nodes)
    with pytest.raises(UsageError, match="runs of 7"):
        Nodes(Site("mlp_neurons", 0), 7).n_parts(model)
