"""LRP, walks and GNNExplainer beyond plain chains: pooling, batch norms, attention, weights and features of arcs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import (
    BatchNorm,
    GATConv,
    GATv2Conv,
    GCNConv,
    GINConv,
    GINEConv,
    GraphConv,
    global_add_pool,
    global_max_pool,
    global_mean_pool,
)

from truescope.core.errors import ModelError
from truescope.gnn.explainers import gnn_explainer, gnn_lrp, integrated_gradients, lrp, saliency, walk_relevance
from truescope.gnn.networks import Chain, Convolution, NoChain, Subject, Trees
from truescope.gnn.networks.subject import mask_messages

from .graph_models import ring_graph

GROUP = torch.tensor([0] * 5 + [1] * 7)


class Pooled(nn.Module):
    """GIN with batch norms, its nodes pooled by group, and every node given its group's logits."""

    def __init__(self, pool: Any = global_mean_pool) -> None:
        super().__init__()
        self.pool = pool
        inner = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 6))
        self.first, self.norm = GINConv(inner, eps=0.2), BatchNorm(6)
        self.second, self.last = GINConv(nn.Linear(6, 6)), nn.Linear(6, 2)

    def forward(self, x: Tensor, edge_index: Tensor, group: Tensor) -> Tensor:
        h = torch.relu(self.norm(self.first(x, edge_index)))
        h = torch.relu(self.second(h, edge_index))
        return self.last(self.pool(h, group))[group]


class Weighted(nn.Module):
    """Two layers that are given something of the arcs."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x, edge_index, edge_attr)), edge_index, edge_attr)


class Attending(nn.Module):
    """Two layers of attention."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(nn.functional.elu(self.first(x, edge_index)), edge_index)


def subject(kind: str) -> Subject:
    torch.manual_seed(0)
    x, edge_index = ring_graph()
    if kind in ("mean pool", "sum pool"):
        model: nn.Module = Pooled(global_mean_pool if kind == "mean pool" else global_add_pool)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                for values in (module.running_mean, module.weight, module.bias):
                    nn.init.normal_(values)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
        return Subject(model.eval(), x, edge_index, arguments={"group": GROUP})
    if kind in ("GAT", "GATv2"):
        layer: Any = GATConv if kind == "GAT" else GATv2Conv
        return Subject(Attending(layer(5, 4, heads=3), layer(12, 3, heads=2, concat=False)).eval(), x, edge_index)
    n_arcs = edge_index.shape[1]
    if kind == "GAT with features of arcs":
        model = Weighted(GATConv(5, 4, heads=2, edge_dim=3), GATv2Conv(8, 3, edge_dim=3))
        return Subject(model.eval(), x, edge_index, arguments={"edge_attr": torch.randn(n_arcs, 3)})
    if kind == "GINE":
        model = Weighted(GINEConv(nn.Linear(5, 6), eps=0.1, edge_dim=3), GINEConv(nn.Linear(6, 3), edge_dim=3))
        return Subject(model.eval(), x, edge_index, arguments={"edge_attr": torch.randn(n_arcs, 3)})
    layer = GCNConv if kind == "weighted GCN" else GraphConv
    model = Weighted(layer(5, 6), layer(6, 3))
    return Subject(model.eval(), x, edge_index, arguments={"edge_attr": torch.rand(n_arcs)})


EXACT = ("mean pool", "sum pool", "weighted GCN", "weighted GraphConv")
HELD = ("GAT", "GATv2", "GAT with features of arcs", "GINE")


def logit(s: Subject) -> np.ndarray:
    nodes = np.arange(s.n_nodes)
    return s.outputs.double().numpy()[nodes, s.classes(nodes)]


@pytest.mark.parametrize("kind", [*EXACT, *HELD])
def test_relevance_and_what_biases_take_is_the_logit(kind: str) -> None:
    s = subject(kind)
    for rule in ("epsilon", "gamma"):
        found = lrp(s, rule=rule, full=True)
        np.testing.assert_allclose(found.full.sum((1, 2)) + found.facts["biases"], logit(s), rtol=2e-3, atol=2e-3)
        assert bool(found.notes) == (kind in HELD)


@pytest.mark.parametrize("kind", [*EXACT, *HELD])
def test_without_biases_relevance_alone_is_the_logit(kind: str) -> None:
    s = subject(kind)
    with torch.no_grad():
        for name, parameter in s.model.named_parameters():
            if "bias" in name:
                parameter.zero_()
        for module in s.model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.running_mean.zero_()
    if kind == "GINE":  # what the arcs bring is a bias too
        s.arguments["edge_attr"] = torch.zeros_like(s.arguments["edge_attr"])
    s = Subject(s.model, s.x, s.edge_index, arguments=s.arguments)
    found = lrp(s, full=True)
    assert np.abs(found.facts["biases"]).max() < 1e-5
    np.testing.assert_allclose(found.full.sum((1, 2)), logit(s), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("kind", [*EXACT, *HELD])
def test_walks_sum_to_relevance_of_nodes(kind: str) -> None:
    s = subject(kind)
    walks, relevance = gnn_lrp(s, 3, rule="epsilon"), lrp(s, [3], full=True).full[0].sum(1)
    np.testing.assert_allclose(walks.by_start(12), relevance, rtol=5e-3, atol=5e-3)
    assert walks.along_arcs == ((True, True, False) if "pool" in kind else (True, True))
    assert bool(walk_relevance(s, [3]).notes) == (kind in HELD)


@pytest.mark.parametrize("kind", EXACT)
def test_chains_that_hold_nothing_have_the_models_gradient(kind: str) -> None:
    s = subject(kind)
    assert isinstance(s.unrolled, Chain) and not s.unrolled.held
    np.testing.assert_allclose(saliency(s, full=True).full, saliency(s, full=True, generic=True).full, atol=1e-5)
    assert integrated_gradients(s).features.any()


@pytest.mark.parametrize("kind", HELD)
def test_what_is_held_serves_no_gradient(kind: str) -> None:
    s = subject(kind)
    assert isinstance(s.unrolled, NoChain) and isinstance(s.held, Chain)
    assert s.held.held == ("first", "second")
    np.testing.assert_allclose(s.held.values(s.x.numpy())[-1], s.outputs.numpy(), atol=1e-5)
    # Saliency goes the generic way: attention's own slope is part of it.
    x = s.x.clone().requires_grad_()
    model: Any = s.model
    out = model(x, s.edge_index, **s.arguments)[4]
    (g,) = torch.autograd.grad(out[out.argmax()], x)
    np.testing.assert_allclose(saliency(s, [4]).features[0], g.abs().sum(0).numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", EXACT)
def test_masked_trees_are_the_masked_model(kind: str) -> None:
    s, nodes = subject(kind), np.array([0, 7])
    trees = Trees(s.chain("a test"), s.x, s.edge_index, nodes)
    generator = torch.Generator().manual_seed(1)
    features, arcs = (torch.rand(2, n, generator=generator) for n in (s.n_features, s.n_arcs))
    got = trees.outputs(features, arcs[trees.entry_target, trees.entry_arc])
    for place, node in enumerate(nodes):
        handles = mask_messages(s.model, s.edge_index, arcs[place])
        with torch.no_grad():
            alone = s.model(s.x * features[place], s.edge_index, **s.arguments)[node]
        for handle in handles:
            handle.remove()
        torch.testing.assert_close(got[place], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [*EXACT, *HELD])
def test_gnn_explainer_runs_and_says_what_it_holds(kind: str) -> None:
    s = subject(kind)
    found = gnn_explainer(s, [0, 7], epochs=5)
    assert np.isfinite(found.features).all() and found.arcs.any() and bool(found.notes) == (kind in HELD)


def test_a_batch_norm_is_part_of_the_linear_step_before_it() -> None:
    chain = subject("mean pool").chain("a test")
    names = [step.name for step in chain.body if isinstance(step, Convolution)]
    assert names == ["first", "first.nn.0", "first.nn.3", "second", "second.nn", "pool", "last"]


def test_pooling_by_the_largest_is_not_read() -> None:
    torch.manual_seed(0)
    x, edge_index = ring_graph()
    s = Subject(Pooled(global_max_pool).eval(), x, edge_index, arguments={"group": GROUP})
    with pytest.raises(ModelError, match="lrp needs to know"):
        lrp(s)
