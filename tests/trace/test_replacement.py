"""The tracer serves more than neurons: errors, skips and cross-layer writers close too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from strange import StrangeReplacement
from whole import whole

from small_models import small_model, small_tokens
from truescope.core.errors import FamilyError
from truescope.models.frozen import freeze
from truescope.trace import LocalReplacement, NeuronReplacement, Replacement
from truescope.trace.record import record


@pytest.mark.parametrize("after_norm", [False, True])
@pytest.mark.parametrize("variant", ["gpt2", "gpt_neox", "llama", "gemma2"])
def test_errors_skips_and_later_writes_close(variant: str, after_norm: bool) -> None:
    model, tokens = small_model(variant), small_tokens(1)[0]
    strange: Replacement = StrangeReplacement(model, after_norm)
    found = whole(model, tokens, strange)
    assert found.explorer.closure_gap <= 1e-5
    assert np.abs(found.edges[:, found.columns("error")]).max() > 0.01
    # A unit of layer 0 reaches layer 1 both ways; without its later write the edge would be another.
    assert set(found.sources.index[found.columns("unit")] % 2) == {0}


def test_a_skip_leaves_the_values_alone() -> None:
    model, tokens = small_model("gemma2"), small_tokens(1)[0]
    model.use_eager("a test compares with the frozen run")
    frozen = freeze(model, tokens, skips=StrangeReplacement(model).skips())
    torch.testing.assert_close(frozen.logits, model.run(tokens).logits, rtol=1e-5, atol=1e-5)


def test_neurons_write_all_of_the_mlps_output() -> None:
    for variant in ("gpt2", "llama", "gemma3_text"):
        model, tokens = small_model(variant), small_tokens(1)[0]
        run = record(model, tokens)
        local: LocalReplacement = NeuronReplacement(model).local(run)
        for layer in range(model.n_layers):
            units = local.units(layer)
            index = torch.from_numpy(units.index.astype(np.int64))
            rows = local.decoder(layer, layer, index) * torch.from_numpy(units.activation)[:, None]
            total = torch.zeros(7, 24).index_add(0, torch.from_numpy(units.position.astype(np.int64)), rows)
            total = total + sum(local.constants(layer).values())
            torch.testing.assert_close(total, run.mlp_out[layer], rtol=1e-5, atol=1e-5)


def test_a_wrong_gate_is_noticed() -> None:
    model, tokens = small_model("llama"), small_tokens(1)[0]
    parts = model.parts
    up, gate = parts.up, parts.gate
    parts.up, parts.gate = gate, up  # type: ignore[assignment, method-assign]
    local = NeuronReplacement(model).local(record(model, tokens))
    with pytest.raises(FamilyError, match="not gated"):
        local.encoder(0, torch.tensor([0]), torch.tensor([0]))
