"""Graphs and models as they come: directed, weighted, in parts, with loops, alone, empty; and what cannot be
explained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, GINEConv

from truescope.core.errors import GraphError, ModelError, UsageError
from truescope.gnn.explainers import explainer, gnn_explainer, integrated_gradients, saliency
from truescope.gnn.networks import Chain, NoChain, Subject

from .graph_models import TwoLayers, gcn, ring_graph

METHODS = ("saliency", "integrated_gradients", "lrp_gamma", "gnn_explainer", "graphlime", "occlusion", "grad_cam")
GRAPHS = {
    "directed": [[0, 1, 2, 3], [1, 2, 3, 4]],
    "in parts": [[0, 1, 3, 4], [1, 0, 4, 3]],
    "with loops": [[0, 0, 1, 2], [0, 1, 2, 2]],
    "with a lonely node": [[0, 1], [1, 0]],
    "without arcs": [[], []],
}


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("method", METHODS)
def test_every_kind_of_graph_is_explained(kind: str, method: str) -> None:
    torch.manual_seed(0)
    s = Subject(gcn(), torch.randn(6, 5), torch.tensor(GRAPHS[kind], dtype=torch.int64))
    found = explainer(method).call(s, None, 0)
    for part in found.scored:
        assert np.isfinite(getattr(found, part)).all()
    if found.by_node is not None and method in ("saliency", "integrated_gradients", "lrp_gamma"):
        # What no walk of two arcs leads to cannot count.
        alone = found.by_node[5]
        assert alone[5] > 0 and not alone[:5].any()


def test_direction_counts() -> None:
    x = torch.randn(3, 5)
    s = Subject(gcn(), x, torch.tensor([[0, 1], [1, 2]]))
    scores = saliency(s).by_node
    assert scores[2, 0] > 0 and scores[0, 2] == 0


def test_weighted_arcs_are_part_of_the_model() -> None:
    class Weighted(TwoLayers):
        def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
            return self.second(torch.relu(self.first(x, edge_index, edge_weight)), edge_index, edge_weight)

    x, edge_index = ring_graph()
    torch.manual_seed(0)
    model = Weighted(GCNConv(5, 7), GCNConv(7, 3)).eval()
    weights = torch.rand(edge_index.shape[1])
    s = Subject(model, x, edge_index, arguments={"edge_weight": weights})
    assert isinstance(s.unrolled, Chain)
    np.testing.assert_allclose(saliency(s).features, saliency(s, generic=True).features, atol=1e-5)
    plain = Subject(model, x, edge_index)
    assert not np.allclose(saliency(s).features, saliency(plain).features)


def test_edge_features_and_a_second_input_go_the_generic_way() -> None:
    class WithEdges(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = GINEConv(nn.Linear(5, 3), edge_dim=2)

        def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, bonus: Tensor) -> Tensor:
            return self.conv(x, edge_index, edge_attr) + bonus

    x, edge_index = ring_graph()
    torch.manual_seed(0)
    arguments = {"edge_attr": torch.rand(edge_index.shape[1], 2), "bonus": torch.rand(3)}
    s = Subject(WithEdges(), x, edge_index, arguments=arguments)
    assert isinstance(s.unrolled, NoChain)
    assert integrated_gradients(s, [1, 2], full=True).full.shape == (2, 12, 5)
    with pytest.raises(ModelError, match="saliency"):
        gnn_explainer(s)


def test_a_constant_model_has_nothing_to_explain() -> None:
    x, edge_index = ring_graph()
    model = gcn()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    s = Subject(model, x, edge_index)
    assert s.constant
    for method in ("saliency", "integrated_gradients", "lrp_epsilon", "occlusion", "graphlime"):
        assert not explainer(method).call(s, None, 0).features.any(), method


def test_what_is_refused_and_why() -> None:
    x, edge_index = ring_graph()
    holed = x.clone()
    holed[3, 2] = float("nan")
    with pytest.raises(GraphError, match="1 feature value is not finite, the first at node 3, feature 2"):
        Subject(gcn(), holed, edge_index)
    holed[4, 1] = float("inf")
    with pytest.raises(GraphError, match="2 feature values are not finite"):
        Subject(gcn(), holed, edge_index)
    with pytest.raises(GraphError, match="no nodes"):
        Subject(gcn(), x[:0], edge_index[:, :0])
    with pytest.raises(GraphError, match="names node 99"):
        Subject(gcn(), x, torch.tensor([[0], [99]]))
    with pytest.raises(UsageError, match="2 names for 5 features"):
        Subject(gcn(), x, edge_index, feature_names=["a", "b"])
    with pytest.raises(ModelError, match="failed on the graph"):
        Subject(gcn(4), x, edge_index)
    with pytest.raises(UsageError, match="nodes 0 to 11"):
        saliency(Subject(gcn(), x, edge_index), [12])
    broken: Any = gcn()
    with torch.no_grad():
        broken.first.bias.fill_(float("inf"))
    with pytest.raises(ModelError, match="not finite"):
        Subject(broken, x, edge_index)


def test_without_names_features_have_numbers() -> None:
    x, edge_index = ring_graph()
    s = Subject(gcn(), x, edge_index)
    name, score = saliency(s, [0]).top(0, s.feature_names, 1)[0]
    assert name.startswith("feature ") and score > 0
