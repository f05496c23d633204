"""Fidelity by hand on a rule whose parts are known, and the judge's axioms on graph explainers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from truescope.core.errors import UsageError
from truescope.gnn import CHECKED, axioms_of, fidelity, stability
from truescope.gnn.axiom_checks import attribution
from truescope.gnn.explainers import Attributions, random_scores
from truescope.gnn.fidelity import top_share
from truescope.gnn.networks import Subject, neighbourhood
from truescope.judge.axioms import Function, Term

from .graph_models import TwoLayers, gcn, gin

ARCS = torch.tensor([[1, 2], [0, 0]])


class FirstFeatureOfNeighbours(nn.Module):
    """Class 1 where a neighbour has feature 0."""

    def __init__(self) -> None:
        super().__init__()
        from torch_geometric.nn import SimpleConv

        self.sum = SimpleConv("sum")

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        z = 4 * self.sum(x, edge_index)[:, 0] - 2
        return torch.stack([-z, z], 1)


def subject() -> Subject:
    return Subject(FirstFeatureOfNeighbours(), torch.tensor([[0.0, 1, 0], [1, 1, 0], [0, 0, 1]]), ARCS)


def said(features: list[float] | None = None, arcs: list[float] | None = None) -> Attributions:
    parts = {"features": features, "arcs": arcs}
    return Attributions(
        "by hand", np.array([0]), np.array([1]), **{k: np.array([v]) for k, v in parts.items() if v is not None}
    )


def test_the_right_feature_is_necessary_and_sufficient_and_a_wrong_one_neither() -> None:
    right = fidelity(subject(), said([1.0, 0.1, 0.1]), share=0.3, removal=1.0)
    # Without feature 0 the answer changes (fid⁺ 1), with it alone it stays (fid⁻ 0).
    assert (right.fid_plus.value, right.fid_minus.value, right.characterisation.value) == (1, 0, 1)
    assert right.sufficiency.value == pytest.approx(1) and right.necessity.value > 0.9
    wrong = fidelity(subject(), said([0.1, 1.0, 0.1]), share=0.3, removal=1.0)
    assert (wrong.fid_plus.value, wrong.fid_minus.value, wrong.characterisation.value) == (0, 1, 0)


def test_arcs_are_dropped_as_messages() -> None:
    right = fidelity(subject(), said(arcs=[1.0, 0.2]), part="arcs", share=0.5, removal=1.0)
    assert (right.fid_plus.value, right.fid_minus.value) == (1, 0)
    wrong = fidelity(subject(), said(arcs=[0.2, 1.0]), part="arcs", share=0.5, removal=1.0)
    assert (wrong.fid_plus.value, wrong.fid_minus.value) == (0, 1)
    # Robust with certainty of removal is the plain form.
    assert right.robust_plus.value == 1 and right.robust_minus.value == 0


def test_networks_are_measured_together_and_their_range_is_told() -> None:
    class Never(FirstFeatureOfNeighbours):
        """Class 1 whatever the features are."""

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            z = 0 * self.sum(x, edge_index)[:, 0] + 2
            return torch.stack([-z, z], 1)

    one = subject()
    never = Subject(Never(), one.x, ARCS)
    names = said([1.0, 0.1, 0.1])
    both = fidelity([one, never], [names, names], share=0.3, removal=1.0)
    assert both.n_networks == 2 and both.n_uncharacterised == 1
    assert both.fid_plus.value == 0.5 and both.range["fid_plus"] == (0, 1)
    assert both.characterisation.value == pytest.approx(1 / (0.5 / 0.5 + 0.5))
    with pytest.raises(UsageError, match="same nodes"):
        fidelity([one, never], [names])


@pytest.mark.parametrize("make", [gcn, gin])
def test_a_nodes_part_of_the_graph_answers_as_the_whole(make: Callable[..., nn.Module]) -> None:
    n = 60
    path = torch.stack([torch.arange(n - 1), torch.arange(1, n)])
    whole = Subject(make(), torch.randn(n, 5), torch.cat([path, path.flip(0)], 1))
    found = neighbourhood(whole, 30)
    assert found.subject.n_nodes == 7 and found.arcs.sum() == 12  # three hops to either side
    torch.testing.assert_close(found.subject.outputs[found.place], whole.outputs[30])
    arcs = torch.rand(whole.n_arcs)
    with whole.running() as run, torch.no_grad():
        there = run(whole.x * torch.tensor([1.0, 0, 1, 0, 1]), arcs)[30]
    with found.subject.running() as run, torch.no_grad():
        here = run(found.subject.x * torch.tensor([1.0, 0, 1, 0, 1]), arcs[torch.from_numpy(found.arcs)])[found.place]
    torch.testing.assert_close(here, there)


def test_a_model_that_looks_at_the_whole_graph_is_not_cut() -> None:
    class Centred(TwoLayers):
        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return super().forward(x - x.mean(0), edge_index)

    inner = gcn()
    model = Centred(inner.first, inner.second).eval()
    path = torch.stack([torch.arange(29), torch.arange(1, 30)])
    assert neighbourhood(Subject(model, torch.randn(30, 5), path), 20).subject.n_nodes == 30


def test_nothing_scored_is_counted_and_names_nothing() -> None:
    nothing = fidelity(subject(), said([0.0, 0.0, 0.0]))
    assert nothing.n_undefined == 1 and nothing.fid_plus.value == 0
    assert nothing.n_uncharacterised == 1 and nothing.characterisation.value == 0
    assert top_share(np.array([[3.0, 0, 1, 2]]), 0.34).tolist() == [[True, False, False, False]]
    with pytest.raises(UsageError, match="does not score arcs"):
        fidelity(subject(), said([1.0, 0, 0]), part="arcs")
    with pytest.raises(UsageError, match="share"):
        fidelity(subject(), said([1.0, 0, 0]), share=0.0)


def test_a_network_of_one_output_has_no_classes_to_keep() -> None:
    x = torch.tensor([[0.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    with pytest.raises(UsageError, match="one output"):
        fidelity(Subject(gcn(3, classes=1), x, ARCS), said([1.0, 0.0, 0.0]))


def test_stability_of_the_same_and_of_chance() -> None:
    one = said([3.0, 2.0, 1.0])
    same = stability([one, one, one], share=0.3)
    assert same.jaccard and same.jaccard.value == 1
    assert same.rank_correlation and same.rank_correlation.value == pytest.approx(1)
    x = torch.rand(30, 40)
    s = Subject(FirstFeatureOfNeighbours(), x, ARCS)
    chance = stability([random_scores(s, seed=i) for i in range(3)])
    assert chance.jaccard and chance.jaccard.low < chance.jaccard.value < 0.3
    assert chance.rank_correlation and abs(chance.rank_correlation.value) < 0.1
    other = Attributions("by hand", np.array([0]), np.array([0]), np.array([[3.0, 2, 1]]))
    assert stability([one, other]).n_other_class == 1 and stability([one, other]).jaccard is None
    with pytest.raises(UsageError, match="two runs"):
        stability([one])


@pytest.mark.parametrize(
    ("name", "axiom", "holds"),
    [
        ("integrated_gradients", "completeness", True),
        ("integrated_gradients", "zero-value detection", False),
        ("input_x_gradient", "zero-value detection", False),
        ("saliency", "zero-value detection", True),
        ("saliency", "null player", False),
        ("shapley", "symmetry", True),
        ("occlusion", "sensitivity b", True),
        ("deconvolution", "implementation invariance", False),
        ("guided_backpropagation", "sensitivity a", False),
        ("lrp_epsilon", "sensitivity b", True),
        ("lrp_epsilon", "sensitivity a", False),
        ("lrp_gamma", "zero-value detection", False),
        ("lrp_z_plus", "null player", True),
        ("random", "null player", False),
        ("degree", "sensitivity b", False),
    ],
)
def test_which_axioms_hold_and_the_smallest_counterexample(name: str, axiom: str, holds: bool) -> None:
    (check,) = axioms_of(name, [axiom], max_parts=2, n_cases=4)
    assert check.passed is holds
    if not holds:
        assert check.counterexample is not None and check.counterexample.n_parts <= 2


def test_explainers_that_work_on_steps_get_the_function_as_a_network() -> None:
    # f = 2·relu(x0 − x1 + 0.5) − 3·x1 + 1 at (2, 1): the hidden unit is 1.5, f = 3 − 3 + 1 = 1. From the baseline
    # (0, 1) the point is (2, 0): x0 sends 2 of the 1.5, the bias −0.5, so that x0 gets 2 / 1.5 of the unit's 3.
    function = Function((Term(2.0, (), ((0, 1.0), (1, -1.0)), 0.5), Term(-3.0, (1,)), Term(1.0)), 2)
    point, baseline = torch.tensor([2.0, 1.0]), torch.tensor([0.0, 1.0])
    np.testing.assert_allclose(attribution("lrp_epsilon", function, point, baseline), [3 * 2 / 1.5, 0.0])
    np.testing.assert_allclose(attribution("deconvolution", function, point, baseline), [2.0, -5.0])
    assert set(CHECKED) > {"lrp_gamma", "shapley"}


def test_an_explainer_without_signed_features_is_refused() -> None:
    with pytest.raises(UsageError, match="shapley"):
        axioms_of("grad_cam")
