"""Each explainer on a case computed by hand, and against the library or the definition."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv

from truescope.core.errors import UsageError
from truescope.gnn.explainers import (
    FunctionalReLUWarning,
    arc_integrated_gradients,
    arc_saliency,
    attention,
    deconvolution,
    explainer,
    gnn_lrp,
    input_x_gradient,
    integrated_gradients,
    lrp,
    saliency,
    shapley,
)
from truescope.gnn.networks import Chain, NoChain, Subject

from .graph_models import TwoLayers, gcn, gin, ring_graph, sage

MAKERS = [gcn, sage, gin]


@pytest.mark.parametrize("make", MAKERS)
def test_walks_sum_to_relevance(make) -> None:
    x, edge_index = ring_graph()
    s = Subject(make(), x, edge_index)
    for rule in ("epsilon", "gamma"):
        walks = gnn_lrp(s, 4, rule=rule)
        np.testing.assert_allclose(walks.by_start(12), lrp(s, [4], rule=rule, full=True).full[0].sum(1), rtol=2e-3)
    with pytest.raises(UsageError, match="walks"):
        gnn_lrp(s, 4, max_walks=1)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("method", [saliency, input_x_gradient, integrated_gradients])
def test_the_chain_gives_what_autograd_gives(make, method) -> None:
    x, edge_index = ring_graph()
    s = Subject(make(), x, edge_index)
    assert isinstance(s.unrolled, Chain)
    a, b = method(s, full=True), method(s, full=True, generic=True)
    np.testing.assert_allclose(a.full, b.full, atol=2e-6)
    np.testing.assert_allclose(a.by_node, b.by_node, atol=2e-5)


def test_integrated_gradients_are_complete_and_captums() -> None:
    from captum.attr import IntegratedGradients

    x, edge_index = ring_graph()
    model = gcn()
    s = Subject(model, x, edge_index)
    found = integrated_gradients(s, [5], full=True, n_steps=200).full[0]
    target = int(s.classes(np.array([5]))[0])
    with torch.no_grad():
        gain = model(x, edge_index)[5, target] - model(x * 0, edge_index)[5, target]
    assert found.sum() == pytest.approx(float(gain), abs=2e-3)
    captum = IntegratedGradients(lambda z: model(z[0], edge_index)[5][None])
    theirs = captum.attribute(x[None], target=target, n_steps=50, internal_batch_size=1)[0].detach().numpy()
    np.testing.assert_allclose(integrated_gradients(s, [5], full=True).full[0], theirs, atol=1e-5)


def test_shapley_adds_up_for_every_node() -> None:
    x, edge_index = ring_graph()
    model = gin()
    s = Subject(model, x, edge_index)
    found = shapley(s, n_orders=3, seed=1).facts["signed"].sum(1)
    with torch.no_grad():
        gain = (model(x, edge_index) - model(x * 0, edge_index)).numpy()
    np.testing.assert_allclose(found, gain[np.arange(12), s.classes(np.arange(12))], atol=1e-5)


def test_attention_is_read_within_reach() -> None:
    x, edge_index = ring_graph()
    torch.manual_seed(0)
    model = TwoLayers(GATConv(5, 4, heads=2), GATConv(8, 3)).eval()
    s = Subject(model, x, edge_index)
    assert isinstance(s.unrolled, NoChain) and "GATConv" in s.unrolled.why
    scores = attention(s, [0, 6]).arcs
    assert scores.shape == (2, s.n_arcs) and 0 < (scores[0] > 0).sum() < s.n_arcs
    assert "first, second is held" in lrp(s, [0]).notes[0]


def test_a_functional_relu_that_cannot_be_met_is_warned_of() -> None:
    x, edge_index = ring_graph()
    torch.manual_seed(0)
    model = TwoLayers(GATConv(5, 8), GATConv(8, 3)).eval()

    def half_again(_: nn.Module, __: object, out: Tensor) -> None:
        if out.requires_grad:
            out.register_hook(lambda g: 1.5 * g)  # the record of operations does not show it

    model.first.register_forward_hook(half_again)
    s = Subject(model, x, edge_index)
    with pytest.warns(FunctionalReLUWarning, match="plain gradient"):
        found = deconvolution(s, [1])
    assert "plain gradient" in found.notes[0]
    np.testing.assert_allclose(found.features, saliency(s, [1]).features, atol=1e-6)


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="saliency"):
        explainer("salency")


def test_pyg_explanations_go_in_and_out() -> None:
    from torch_geometric.explain import CaptumExplainer, Explainer

    from truescope.gnn.explainers import from_pyg

    x, edge_index = ring_graph()
    model = gcn()
    s = Subject(model, x, edge_index)
    config = {"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"}
    peer = Explainer(
        model, CaptumExplainer("Saliency"), "model", config, node_mask_type="attributes", edge_mask_type=None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = from_pyg([peer(x, edge_index, index=torch.tensor([3]))], "captum")
    ours = saliency(s, [3], full=True)
    np.testing.assert_allclose(theirs.full, ours.full, atol=1e-6)
    back = from_pyg([ours.to_pyg(3, x, edge_index)])
    np.testing.assert_array_equal(back.full, ours.full)
    assert back.nodes.tolist() == [3] and back.classes.tolist() == ours.classes.tolist()


def test_normalised_layers_are_read() -> None:
    torch.manual_seed(0)
    x, edge_index = ring_graph()

    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.act, self.out = GCNConv(5, 6), nn.BatchNorm1d(6), nn.ELU(), nn.Linear(6, 2)

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            h = self.act(self.norm(self.conv(x, edge_index)))
            return torch.nn.functional.dropout(self.out(h), 0.5, self.training).log_softmax(dim=-1)

    model: Any = Normed()
    model.norm.running_mean += 0.3
    s = Subject(model.eval(), x, edge_index)
    assert isinstance(s.unrolled, Chain)
    np.testing.assert_allclose(saliency(s).features, saliency(s, generic=True).features, atol=1e-5)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("with_features", [False, True])
def test_arcs_get_the_same_through_trees_and_through_messages(make, with_features) -> None:
    x, edge_index = ring_graph()
    s = Subject(make(), x, edge_index)
    assert isinstance(s.unrolled, Chain)
    a, b = (arc_integrated_gradients(s, with_features=with_features, n_steps=7, generic=g) for g in (False, True))
    np.testing.assert_allclose(a.facts["signed"], b.facts["signed"], atol=2e-6)
    np.testing.assert_allclose(arc_saliency(s).arcs, arc_saliency(s, generic=True).arcs, atol=2e-6)


def test_arc_integrated_gradients_are_complete() -> None:
    x, edge_index = ring_graph()
    s = Subject(gin(), x, edge_index)
    found = arc_integrated_gradients(s, n_steps=300).facts["signed"].sum(1)
    with s.running() as run, torch.no_grad():
        gain = (run(x) - run(x, torch.zeros(s.n_arcs))).numpy()
    np.testing.assert_allclose(found, gain[np.arange(12), s.classes(np.arange(12))], atol=5e-3)


def test_attention_stands_at_its_arcs_whatever_the_loops() -> None:
    # GATConv drops the graph's loops and puts one at each node, last; every node's coefficients sum to 1 with it.
    x, edge_index = ring_graph()
    torch.manual_seed(0)
    model = GATConv(5, 3)
    loops = torch.tensor([[0, 4], [0, 4]])
    mixed = torch.cat([edge_index[:, :5], loops, edge_index[:, 5:]], 1)
    with_loops, without = attention(Subject(model, x, mixed)).arcs, attention(Subject(model, x, edge_index)).arcs
    np.testing.assert_allclose(np.delete(with_loops, [5, 6], 1), without, rtol=1e-6)
    into = mixed[1].numpy() == 4
    assert with_loops[4][into].sum() == pytest.approx(1.0, abs=1e-6)
    # A node far from the first one that is asked for has its coefficients too.
    assert (without[6][edge_index[1].numpy() == 6] > 0).all()
