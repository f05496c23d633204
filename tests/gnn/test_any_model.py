"""Gradients read from autograd's record are autograd's own, for any model, and nothing of the model is touched."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from truescope.core.errors import ModelError
from truescope.gnn.explainers import (
    FunctionalReLUWarning,
    arc_integrated_gradients,
    arc_saliency,
    deconvolution,
    explainer,
    grad_cam,
    guided_backpropagation,
    integrated_gradients,
    saliency,
)
from truescope.gnn.networks import NoChain, Subject
from truescope.gnn.networks import any_model as module
from truescope.gnn.networks.any_model import AnyModel
from truescope.gnn.networks.backward_record import read_backward
from truescope.gnn.networks.backward_steps import Whole

from .any_models import ARGUMENTS, HOOKED, OTHERS, RECOGNISED, Call, D
from .graph_models import gcn, ring_graph
from .test_untouched import fingerprint

MODELS = {**RECOGNISED, **OTHERS, **HOOKED}


def subject_of(name: str, dtype: torch.dtype = torch.float64) -> Subject:
    """The model with random biases and norms on a graph with isolated nodes, loops and parallel arcs."""
    x, arcs = ring_graph(14)
    torch.manual_seed(1)
    arcs = torch.cat([arcs[:, (arcs < 12).all(0)], torch.tensor([[2, 3, 3, 5], [2, 4, 4, 0]])], 1)
    model = MODELS[name]().eval()
    for tensor in model.parameters():
        tensor.data += 0.1 * torch.randn_like(tensor)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d):
            norm.running_mean, norm.running_var = torch.randn(norm.num_features), 0.5 + torch.rand(norm.num_features)
    given = ARGUMENTS[name](arcs.shape[1]) if name in ARGUMENTS else {}
    given = {k: v.to(dtype) for k, v in given.items()}
    return Subject(model.to(dtype), x.to(dtype), arcs, arguments=given)


def plain(subject: Subject, nodes: list[int], n_steps: int) -> np.ndarray:
    """Integrated gradients (or, without steps, the gradient), by one backward pass a node and step."""
    places, weights = np.polynomial.legendre.leggauss(n_steps) if n_steps else (np.ones(1), np.full(1, 2.0))
    total = torch.zeros(len(nodes), *subject.x.shape, dtype=subject.x.dtype)
    with subject.running() as run:
        for a, weight in zip(places, weights / 2, strict=True):
            for place, node in enumerate(nodes):
                x = (subject.x * float((1 + a) / 2)).requires_grad_()
                output = run(x)[node, int(subject.outputs[node].argmax())]
                if output.requires_grad:
                    g = torch.autograd.grad(output, x, allow_unused=True)[0]
                    total[place] += float(weight) * (torch.zeros_like(x) if g is None else g)
    return (total * subject.x if n_steps else total.abs()).numpy()


@pytest.fixture
def rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the graph is, rows are chosen; computing all of them is an error."""
    monkeypatch.setattr(module, "_SMALL", 0)

    def no(self: AnyModel, *_: Any) -> Any:
        raise AssertionError("all rows were computed")

    monkeypatch.setattr(AnyModel, "_all_rows", no)


@pytest.mark.usefixtures("rows_only")
@pytest.mark.parametrize("name", [*RECOGNISED, *OTHERS])
def test_gradients_are_autograds_on_every_kind_of_model(name: str) -> None:
    nodes = [0, 3, 4, 7, 13]
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        s = subject_of(name, dtype)
        for n_steps, method in ((0, saliency), (4, integrated_gradients)):
            want = plain(s, nodes, n_steps)
            options = {"n_steps": n_steps} if n_steps else {}
            got = method(s, nodes, full=True, generic=True, **options).full
            np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * max(1e-300, float(np.abs(want).max())))


@pytest.mark.parametrize("name", list(RECOGNISED))
def test_no_operation_on_arcs_is_left_to_all_arcs(name: str) -> None:
    s = subject_of(name)
    x = s.x.clone().requires_grad_()
    with s.running() as run:
        record = read_backward(run(x), x)
    left = [o.name for o in record.operations if isinstance(o.step, Whole) and o.shape[0] > s.n_nodes]
    assert not left, left


@pytest.mark.parametrize("name", list(HOOKED))
def test_hooks_on_gradients_are_kept_to(name: str) -> None:
    s = subject_of(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SMALL", 0)
        got = saliency(s, [0, 3], full=True, generic=True).full
    np.testing.assert_allclose(got, plain(s, [0, 3], 0), atol=1e-12)


def test_points_that_do_not_fit_in_memory_are_run_again(monkeypatch: pytest.MonkeyPatch, rows_only: None) -> None:
    s = subject_of("GAT")
    whole = integrated_gradients(s, n_steps=7, full=True, generic=True).full
    monkeypatch.setattr(module, "_RECORDED", 3000)
    monkeypatch.setattr(module, "_HELD", 5 * s.x.numel())
    np.testing.assert_allclose(integrated_gradients(s, n_steps=7, full=True, generic=True).full, whole, atol=1e-14)


def test_a_model_that_takes_another_way_at_some_points(rows_only: None) -> None:
    def call(self: Any, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.inner(x, edge_index) if float(x.detach().abs().max()) < 1 else self.inner(x.tanh(), edge_index) * 2

    x, arcs = ring_graph()
    s = Subject(Call(call, inner=gcn(D)).eval(), x, arcs)
    got = integrated_gradients(s, [1, 5], n_steps=6, full=True, generic=True).full
    np.testing.assert_allclose(got, plain(s, [1, 5], 6), atol=1e-6)


@pytest.mark.parametrize("guided", [True, False])
def test_rules_of_relus_are_captums_where_they_are_modules(guided: bool) -> None:
    from captum.attr import Deconvolution, GuidedBackprop

    s = subject_of("GIN", torch.float32)
    found = (guided_backpropagation if guided else deconvolution)(s, [2, 7], full=True)

    class Outputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.node = s.model, 0

        def forward(self, x: Tensor) -> Tensor:
            return self.model(x, s.edge_index)[self.node][None]

    assert found.full is not None and not found.notes
    for place, node in enumerate([2, 7]):
        outputs = Outputs()
        outputs.node = node
        with pytest.warns(UserWarning):
            peer = (GuidedBackprop if guided else Deconvolution)(outputs)
            want = peer.attribute(s.x.clone().requires_grad_(), target=int(found.classes[place])).detach().numpy()
        np.testing.assert_allclose(found.full[place], want, atol=1e-5)


@pytest.mark.parametrize("guided", [True, False])
def test_functional_relus_are_met_as_those_of_a_chain(guided: bool) -> None:
    x, arcs = ring_graph()
    explain = guided_backpropagation if guided else deconvolution
    chain, other = gcn(D), gcn(D)
    known = explain(Subject(chain, x, arcs), full=True).full
    s = Subject(Call(lambda self, x, arcs: self.inner(x, arcs) + 0 * x[:, :1], inner=other).eval(), x, arcs)
    found = explain(s, full=True)
    assert isinstance(s.unrolled, NoChain) and not found.notes and known is not None
    np.testing.assert_allclose(found.full, known, atol=1e-6)
    assert np.abs(known - saliency(s, full=True).full).max() > 1e-3


def test_grad_cam_by_rows_is_grad_cam_by_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    s = subject_of("GAT")
    all_rows = grad_cam(s).by_node
    monkeypatch.setattr(module, "_SMALL", 0)
    np.testing.assert_allclose(grad_cam(s).by_node, all_rows, atol=1e-12)


@pytest.mark.parametrize("name", ["GAT", "GCN, weighted", "SAGE, several aggregations"])
def test_arcs_by_rows_are_arcs_by_all_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s = subject_of(name)
    all_rows = [arc_saliency(s, generic=True).arcs, arc_integrated_gradients(s, n_steps=3, generic=True).arcs]
    monkeypatch.setattr(module, "_SMALL", 0)
    np.testing.assert_allclose(arc_saliency(s, generic=True).arcs, all_rows[0], atol=1e-12)
    np.testing.assert_allclose(arc_integrated_gradients(s, n_steps=3, generic=True).arcs, all_rows[1], atol=1e-12)


def test_a_graph_without_arcs_and_a_model_without_gradients() -> None:
    for model in (gcn(D), OTHERS["constant"]()):
        s = Subject(model, torch.randn(4, D), torch.zeros(2, 0, dtype=torch.int64))
        for found in (saliency(s, generic=True), integrated_gradients(s, generic=True), arc_saliency(s, generic=True)):
            assert all(np.isfinite(getattr(found, part)).all() for part in found.scored)


@pytest.mark.parametrize("name", [*RECOGNISED, "in place, detached, doubled, global", "a hook on a tensor"])
def test_no_model_is_changed_and_none_is_patched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SMALL", 0)
    s = subject_of(name, torch.float32)
    s.model.train()
    before = fingerprint(s.model)
    for method in ("saliency", "integrated_gradients", "deconvolution", "saliency"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FunctionalReLUWarning)
            explainer(method).call(s, [0, 3], 0)
        assert fingerprint(s.model) == before


def test_a_model_that_raises_at_a_later_point_is_put_back(rows_only: None) -> None:
    calls = []

    def call(self: Any, x: Tensor, edge_index: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) > 4:
            raise ValueError("enough")
        return self.inner(x, edge_index)

    x, arcs = ring_graph()
    inner = gcn(D)
    s = Subject(Call(call, inner=inner), x, arcs)
    before = fingerprint(s.model)
    with pytest.raises(ModelError, match="enough"):
        integrated_gradients(s, [0], generic=True)
    assert fingerprint(s.model) == before and len(calls) == 5
    assert "propagate" not in vars(inner.first)
