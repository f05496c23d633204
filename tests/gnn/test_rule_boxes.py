"""Rules compiled to weights are the rules; where they saturate the plain gradient misses what counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from truescope.core.errors import UsageError
from truescope.gnn.explainers import integrated_gradients, occlusion, saliency, shapley
from truescope.gnn.networks import Chain, NoChain, Subject
from truescope.gnn.whiteboxes import RULE_BOXES, RuleBox
from truescope.judge.axioms import Outranking

from .graph_models import ring_graph


def graph(n: int = 60, d: int = 8, p: float = 0.4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    x = (torch.rand(n, d, generator=generator) < p).double()
    _, ring = ring_graph(n)
    more = torch.randint(n, (2, 3 * n), generator=generator)
    arcs = torch.cat([ring, more], 1)
    return x, arcs[:, arcs[0] != arcs[1]].unique(dim=1)


def box(name: str) -> RuleBox:
    return RuleBox(name, 8, (2,) if name in ("threshold", "max") else (2, 5))


@pytest.mark.parametrize("name", RULE_BOXES)
def test_the_weights_are_the_rule(name: str) -> None:
    x, edge_index = graph()
    rule = box(name)
    np.testing.assert_allclose(rule(x, edge_index)[:, 0].numpy(), rule.truth(x, edge_index), atol=1e-12)
    unrolled = Subject(rule, x, edge_index).unrolled
    assert isinstance(unrolled, NoChain if name in ("max", "attention") else Chain)


def areas(explain, rule: RuleBox) -> Outranking:
    x, edge_index = graph()
    scores = explain(Subject(rule, x, edge_index)).features
    return Outranking.of(scores, rule.relies_on(x, edge_index))


@pytest.mark.parametrize("name", ["and", "xor"])
def test_gradients_fail_where_the_rule_saturates_and_averages_over_the_path_do_not(name: str) -> None:
    gradient, path = areas(saliency, box(name)), areas(integrated_gradients, box(name))
    assert gradient.mean < 0.8 < path.mean


def test_a_threshold_far_passed_has_no_gradient() -> None:
    # Five neighbours with the feature, two are enough: nothing that one of them does changes the output.
    x = torch.ones(6, 8, dtype=torch.float64)
    edge_index = torch.stack([torch.arange(1, 6), torch.zeros(5, dtype=torch.int64)])
    s = Subject(box("threshold"), x, edge_index)
    assert not saliency(s, [0]).features.any()
    assert integrated_gradients(s, [0]).features[0].argmax() == 2
    assert occlusion(s, [0]).features[0].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


def test_xor_by_hand() -> None:
    # Both features in the neighbourhood: xor is 0. Taking either away gives 1; Shapley values: ½ − ½ = 0 … each 0.
    x = torch.zeros(3, 8, dtype=torch.float64)
    x[1, 2] = x[2, 5] = 1
    s = Subject(box("xor"), x, torch.tensor([[1, 2], [0, 0]]))
    assert float(s.outputs[0]) == 0
    assert occlusion(s, [0]).facts["signed"][0][[2, 5]].tolist() == [-1, -1]
    np.testing.assert_allclose(shapley(s, [0], n_orders=3).facts["signed"][0][[2, 5]], [0, 0], atol=1e-12)


def test_a_node_without_neighbours_is_not_applicable() -> None:
    x, edge_index = graph()
    rule = box("and")
    cut = edge_index[:, edge_index[1] != 7]
    found = Outranking.of(saliency(Subject(rule, x, cut)).features, rule.relies_on(x, cut))
    assert found.n_not_applicable == 1 and np.isnan(found.auc[7])


def test_rules_that_cannot_be_built() -> None:
    with pytest.raises(UsageError, match="xor"):
        RuleBox("xro", 8, (1, 2))
    with pytest.raises(UsageError, match="name 2"):
        RuleBox("and", 8, (1, 1))
