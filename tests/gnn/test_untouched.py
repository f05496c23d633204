"""After any explainers, in any order, however they ended, the model is what it was, bit for bit."""

from __future__ import annotations

import hashlib
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from truescope.core.errors import ModelError, TruescopeError
from truescope.gnn.explainers import EXPLAINERS, explainer
from truescope.gnn.networks import Subject, untouched

from .graph_models import gcn, ring_graph


def fingerprint(model: nn.Module) -> str:
    """Weights, gradients, modes, hooks and attributes."""
    digest = hashlib.sha256()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        digest.update(f"{name} {tensor.requires_grad} {tensor.grad is None}".encode())
        digest.update(tensor.detach().numpy().tobytes())
    for name, module in model.named_modules():
        kept = {k: len(v) if isinstance(v, dict | list | set) else type(v).__name__ for k, v in vars(module).items()}
        digest.update(f"{name} {module.training} {sorted(kept.items())}".encode())
    return digest.hexdigest()


ORDERED = st.lists(st.sampled_from(sorted(set(EXPLAINERS) - {"pgm_explainer"})), min_size=2, max_size=5)


@settings(max_examples=12, deadline=None)
@given(order=ORDERED, training=st.booleans())
def test_any_explainers_in_any_order_leave_the_model_as_it_was(order: list[str], training: bool) -> None:
    x, edge_index = ring_graph()
    model = gcn().train(training)
    before, state = fingerprint(model), torch.random.get_rng_state()
    subject = Subject(model, x, edge_index)
    for name in order:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                explainer(name).call(subject, [0, 3], 0)
            except ModelError as error:  # attention of a model that has none
                assert name == "attention", error
        assert fingerprint(model) == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_a_block_leaves_is_taken_away() -> None:
    model: Any = gcn()
    before = fingerprint(model)
    with untouched(model):
        model.first._edge_mask = nn.Parameter(torch.ones(3))  # what PyG's explainers leave behind
        model.first.explain = True
        model.second.register_forward_hook(lambda *_: None)
        with torch.no_grad():
            next(model.parameters()).add_(1.0)
        model.first.bias.requires_grad_(False)
    assert fingerprint(model) == before


def test_a_model_that_raises_half_way_is_put_back_and_named() -> None:
    x, edge_index = ring_graph()

    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = gcn(), 0

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            if x.requires_grad:
                raise ValueError("only plain features, please")
            return self.inner(x, edge_index)

    model = Breaks()
    subject = Subject(model, x, edge_index)
    before = fingerprint(model)
    with pytest.raises(TruescopeError, match="only plain features") as raised:
        explainer("saliency").call(subject, [0], 0)
    assert "Breaks" in str(raised.value)
    assert fingerprint(model) == before
