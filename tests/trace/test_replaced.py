"""The logits with a dictionary in the MLPs' place, errors held."""

from __future__ import annotations

import torch
from trace_models import relu_model

from small_models import small_tokens
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, Group
from truescope.models import Model
from truescope.trace.patching import replaced_logits

TOKENS = small_tokens(batch=2, pos=5)


def transcoders(model: Model, scale: float = 1.0) -> Dictionary:
    """The model's own relu neurons, their encoders times ``scale``: exact with 1."""
    groups, bias = [], {}
    for layer in range(model.n_layers):
        up, down, written = model.parts.up(layer), model.parts.down(layer), Site("mlp_out", layer)
        zero = torch.zeros_like(up.bias)
        read = Site("mlp_in", layer)
        groups.append(Group(read, (written,), scale * up.weight.T, scale * up.bias, down.weight, threshold=zero))  # pyright: ignore[reportOperatorIssue]
        bias[written] = down.bias
    return Dictionary("neurons", "transcoder", "jumprelu", tuple(groups), bias)


def test_without_an_edit_the_logits_are_the_models() -> None:
    model = relu_model()
    found = replaced_logits(model, transcoders(model, scale=0.3), TOKENS, ())
    torch.testing.assert_close(found, model.run(TOKENS).logits, rtol=1e-9, atol=1e-9)


def test_an_exact_dictionary_says_what_the_model_does() -> None:
    model = relu_model()
    edit = [Intervention(Site("mlp_out", 0), "add", torch.randn(16, dtype=torch.float64), (2,))]
    does = model.run(TOKENS, edit=edit).logits
    torch.testing.assert_close(replaced_logits(model, transcoders(model), TOKENS, edit), does, rtol=1e-8, atol=1e-8)
    # A dictionary that reads nothing hears nothing of the edit in its MLPs.
    deaf = replaced_logits(model, transcoders(model, scale=0.0), TOKENS, edit)
    clean = model.run(TOKENS, read=["mlp_out.1"])
    held = [*edit, Intervention(Site("mlp_out", 1), "set", clean.sites[Site("mlp_out", 1)])]
    torch.testing.assert_close(deaf, model.run(TOKENS, edit=held).logits, rtol=1e-8, atol=1e-8)
    assert (deaf - does).abs().max() > 1e-3
