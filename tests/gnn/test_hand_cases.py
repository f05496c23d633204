"""Every explainer on a case whose numbers were worked out by hand; one that has none fails here by its name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.explain import Explainer, GraphMaskExplainer
from torch_geometric.nn import GATConv, SimpleConv

from truescope.core.errors import ModelError
from truescope.gnn.explainers import (
    EXPLAINERS,
    Rule,
    arc_integrated_gradients,
    arc_saliency,
    attention,
    deconvolution,
    degree_scores,
    gnn_explainer,
    gnn_lrp,
    grad_cam,
    graphlime,
    graphmask,
    guided_backpropagation,
    input_x_gradient,
    integrated_gradients,
    lrp,
    occlusion,
    oracle_scores,
    pg_explainer,
    pgm_explainer,
    random_scores,
    saliency,
    shapley,
    subgraphx,
    walk_relevance,
)
from truescope.gnn.networks import Chain, Convolution, Head, Subject, Term
from truescope.gnn.networks.layers import adjacency
from truescope.judge.axioms import outranking

Case = Callable[[], None]
CASES: dict[str, Case] = {}
NO_ARCS = torch.zeros(2, 0, dtype=torch.int64)


def case(*names: str) -> Callable[[Case], Case]:
    def register(function: Case) -> Case:
        CASES.update(dict.fromkeys(names, function))
        return function

    return register


@pytest.mark.parametrize("name", [*EXPLAINERS, "oracle"])
def test_by_hand(name: str) -> None:
    assert name in CASES, f"{name} has no case that was computed by hand"
    CASES[name]()


class ByHand(nn.Module):
    """f_0 = 2 · relu(x_00 − x_01) − 3 · relu(x_00), and the same at every node; arcs do not count."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor([[1.0, -1.0], [1.0, 0.0]]))
            self.last.weight.copy_(torch.tensor([[2.0, -3.0]]))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


class Sums(nn.Module):
    """Each layer sums over in-neighbours (and the node itself, with ``root``); ``last`` is what follows."""

    def __init__(self, n_layers: int = 1, root: bool = False, last: nn.Module | None = None) -> None:
        super().__init__()
        layers = [SimpleConv(aggr="sum", combine_root="sum" if root else None) for _ in range(n_layers)]
        for layer in layers:
            layer.in_channels = layer.out_channels = 2  # GraphMask asks for them
        self.layers, self.last = nn.ModuleList(layers), last or nn.Identity()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x, edge_index)
        return self.last(x)


class ChainedSums(Sums):
    """The same without the node itself, with its steps told."""

    def chain(self, x: Tensor, edge_index: Tensor) -> Chain:
        S = Term(adjacency(edge_index, None, len(x), "source_to_target"), None)
        return Chain(tuple(Convolution(f"sum {i}", (S,)) for i in range(len(self.layers))))


def by_hand() -> Subject:
    return Subject(ByHand(), torch.tensor([[3.0, 1.0], [1.0, 2.0]]), torch.tensor([[1], [0]]))


def linear(weights: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weights[0]), len(weights))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights))
        layer.bias.copy_(torch.tensor(bias))
    return layer


@case("saliency", "input_x_gradient", "integrated_gradients")
def gradients() -> None:
    # Node 0: hidden (2, 3), both on; f = 2·2 − 3·3 = −5; gradient 2·(1, −1) − 3·(1, 0) = (−1, −2).
    s = by_hand()
    assert saliency(s, [0]).features[0].tolist() == [1.0, 2.0]
    assert input_x_gradient(s, [0], full=True).full[0, 0].tolist() == [-3.0, -2.0]
    # Node 1: hidden (−1, 1): the first unit is off; f = −3; gradient (−3, 0).
    assert saliency(s, [1]).features[0].tolist() == [3.0, 0.0]
    # Without biases the gates hold along the path from zero: integrated gradients are input × gradient.
    np.testing.assert_allclose(integrated_gradients(s, [0], full=True).full[0, 0], [-3.0, -2.0], rtol=1e-6)
    # relu(x − 1) at 3: the gradient is 1 on the last two thirds of the path, so 3 · ⅔ = 2 = f(3) − f(0).
    model = Sums(0, last=nn.Sequential(linear([[1.0]], [-1.0]), nn.ReLU()))
    kink = Subject(model, torch.full((1, 1), 3.0), NO_ARCS)
    assert input_x_gradient(kink, full=True).full[0, 0, 0] == 3.0
    assert integrated_gradients(kink, full=True).full[0, 0, 0] == pytest.approx(2.0, abs=0.05)


@case("deconvolution", "guided_backpropagation")
def rectified_gradients() -> None:
    # The gradients at the hidden units are (2, −3). Deconvolution keeps 2 alone: 2 · (1, −1).
    s = by_hand()
    assert deconvolution(s, [0], full=True).full[0, 0].tolist() == [2.0, -2.0]
    assert deconvolution(s, [1], full=True).full[0, 1].tolist() == [2.0, -2.0]  # although the unit is off
    assert guided_backpropagation(s, [0], full=True).full[0, 0].tolist() == [2.0, -2.0]
    assert guided_backpropagation(s, [1], full=True).full[0, 1].tolist() == [0.0, 0.0]


@case("lrp_epsilon", "lrp_gamma", "lrp_z_plus")
def relevance() -> None:
    # ε: relevances of the hidden units of node 0 are 4 and −9; the first splits 3 : −1 of 2, the second goes to x_00.
    s = by_hand()
    np.testing.assert_allclose(lrp(s, [0], full=True).full[0, 0], [4 * 3 / 2 - 9, 4 * -1 / 2], rtol=1e-6)
    # z⁺: only the first hidden unit has a positive weight, so it gets all of −5; there only x_00 counts.
    np.testing.assert_allclose(lrp(s, [0], rule="z_plus", full=True).full[0, 0], [-5.0, 0.0], rtol=1e-6)
    # γ = 1 doubles positive weights: 2·2·2 and −3·3 of −1: −5 · (8, −9) / −1; then (2·3, −1) of 5 for the first unit.
    hidden = np.array([-5 * 8 / -1, -5 * -9 / -1])
    expected = [hidden[0] * 6 / 5 + hidden[1], hidden[0] * -1 / 5]
    np.testing.assert_allclose(lrp(s, [0], rule=Rule("gamma", gamma=1.0), full=True).full[0, 0], expected, rtol=1e-5)


@case("gnn_lrp")
def walks() -> None:
    # x = (1, 2, 4) on 0 → 1 → 2, sums over in-neighbours twice: one walk of two arcs, 0 → 1 → 2, that carries x_0.
    s = Subject(ChainedSums(2), torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[0, 1], [1, 2]]))
    assert gnn_lrp(s, 2, rule="epsilon").top() == [((0, 1, 2), pytest.approx(1.0))]
    assert lrp(s, [2], full=True).full[0].ravel().tolist() == pytest.approx([1.0, 0.0, 0.0])
    scores = walk_relevance(s, [2], rule="epsilon")
    assert scores.by_node[0].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert scores.arcs[0].tolist() == pytest.approx([1.0, 1.0])
    # With a second way 0 → 3 → 2 node 2 has 2 x_0, one half of it along each way, all of it from node 0.
    two_ways = Subject(
        ChainedSums(2), torch.tensor([[1.0], [2.0], [4.0], [8.0]]), torch.tensor([[0, 1, 0, 3], [1, 2, 3, 2]])
    )
    scores = walk_relevance(two_ways, [2], rule="epsilon")
    assert scores.by_node[0].tolist() == pytest.approx([2.0, 0.0, 0.0, 0.0])
    assert scores.arcs[0].tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0])


@case("grad_cam")
def class_activation() -> None:
    # A ring 0 → 1 → 2 → 0, H_n = x of the node before, f_0 = (2, −1) · H_0: the gradient is (2, −1) at node 0 and 0 at
    # the other two, (⅔, −⅓) on average. H = (2, 2), (1, 0), (0, 3): 4/3 − 2/3, 2/3, relu(−1).
    x = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 2.0]])
    s = Subject(Sums(last=linear([[2.0, -1.0]], [0.0])), x, torch.tensor([[0, 1, 2], [1, 2, 0]]))
    np.testing.assert_allclose(grad_cam(s, [0]).by_node[0], [2 / 3, 2 / 3, 0.0], rtol=1e-6)
    with pytest.raises(ModelError, match=r"layers\.0"):
        grad_cam(s, layer="layer.0")


@case("arc_saliency", "arc_integrated_gradients")
def gradients_by_arcs() -> None:
    # f_0 = relu(2 m_1 + 1 m_2 − 1), the messages of nodes 1 and 2: it is on, and the gradient by the masks is (2, 1).
    model = Sums(last=nn.Sequential(linear([[1.0]], [-1.0]), nn.ReLU()))
    s = Subject(model, torch.tensor([[9.0], [2.0], [1.0]]), torch.tensor([[1, 2], [0, 0]]))
    assert arc_saliency(s, [0]).arcs[0].tolist() == [2.0, 1.0]
    # With both masks at a it is relu(3 a − 1), on for a > ⅓: two thirds of the gradient, 2 = f_0 in all.
    found = arc_integrated_gradients(s, [0])
    np.testing.assert_allclose(found.facts["signed"][0], [4 / 3, 2 / 3], atol=0.03)


class Bump(nn.Module):
    """The probability of class 1 is exp(−(1 − x)²)."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.of(x)

    @staticmethod
    def of(x: Tensor) -> Tensor:
        p = torch.exp(-((1 - x) ** 2))
        return torch.cat([1 - p, p], dim=-1)

    def chain(self, x: Tensor, edge_index: Tensor) -> Chain:
        twice = Convolution("twice", (Term(None, np.ones((2, 1))),))
        return Chain((twice, Head("bump", lambda z: self.of(z[..., :1]))))


@case("gnn_explainer")
def masks() -> None:
    # One node, one feature of value 1, mask s: the loss is (1 − s)² + s + 0.1 H(s), with the derivative
    # −2 (1 − s) + 1 + 0.1 ln((1 − s) / s): zero at s = ½, where the second derivative 2 − 0.1 / (s (1 − s)) is 1.6.
    s = Subject(Bump(), torch.ones(1, 1, dtype=torch.float64), NO_ARCS)
    for version in ("current", "published"):
        found = gnn_explainer(s, epochs=600, version=version)
        assert found.features[0, 0] == pytest.approx(0.5, abs=1e-3)


def star(weights: list[list[float]], bias: list[float], x: list[list[float]]) -> Subject:
    """Nodes 1 and 2 send what they are to node 0, which adds it to its own; a linear map gives the classes."""
    return Subject(Sums(root=True, last=linear(weights, bias)), torch.tensor(x), torch.tensor([[1, 2], [0, 0]]))


@case("pg_explainer")
def parametric_masks() -> None:
    # The logit of class 1 at node 0 is 1 + 8 m_1 − 8 m_2 for masks m of the two arcs, and class 1 is what it is given:
    # −log p falls with m_1 and rises with m_2 all the way. Without regularisers the optimum is (1, 0).
    x = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    decided = star([[0.0, 0.0], [8.0, -8.0]], [0.0, 1.0], x)
    found = pg_explainer(decided, [0], epochs=300, lr=0.01, size=0.0, entropy=0.0)
    np.testing.assert_allclose(found.arcs[0], [1.0, 0.0], atol=0.02)
    # Where no arc counts only they are left, 0.05 Σ m + mean H(m): least, and 0, at (0, 0).
    found = pg_explainer(star([[0.0, 0.0], [0.0, 0.0]], [0.0, 2.0], x), [0], epochs=300, lr=0.01)
    np.testing.assert_allclose(found.arcs[0], [0.0, 0.0], atol=0.02)


@case("graphmask")
def gates() -> None:
    # What a gate cuts is replaced by a vector that is learned too, so that one node's answer can be kept with every
    # gate shut, which costs least: the limit of both arcs is 0.
    s = star([[0.0, 0.0], [8.0, 0.0]], [0.0, -2.0], [[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    found = graphmask(s, [0], epochs=600, seed=3)
    assert found.arcs[0].tolist() == [0.0, 0.0] and found.scored == ("arcs",)


def test_graphmasks_library_never_trains_its_feature_mask() -> None:
    # Why features are not scored: after 20 epochs the mask is what was drawn first, σ of a normal deviate times 0.1.
    s = star([[0.0, 0.0], [8.0, 0.0]], [0.0, -2.0], [[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    with s.running() as run:
        config = {"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"}
        algorithm, kind = GraphMaskExplainer(1, epochs=20, log=False), "attributes"
        theirs = Explainer(run.model, algorithm, "model", config, node_mask_type=kind, edge_mask_type="object")
        torch.manual_seed(3)
        mask = theirs(s.x, s.edge_index, index=0).node_mask
        torch.manual_seed(3)
        torch.testing.assert_close(mask, torch.sigmoid(torch.randn(3, 2) * 0.1))


@case("attention")
def coefficients() -> None:
    # One head, e_j0 = leaky relu(ln 3 · x_j): e = ln 3 for node 1 and 0 for node 2: softmax ¾ and ¼.
    layer = GATConv(1, 1, heads=1, add_self_loops=False, bias=False)
    with torch.no_grad():
        layer.lin.weight.fill_(1.0)
        layer.att_src.fill_(float(np.log(3.0)))
        layer.att_dst.fill_(5.0)  # the same for all arcs into a node: it cancels
    s = Subject(layer, torch.tensor([[2.0], [1.0], [0.0]]), torch.tensor([[1, 2], [0, 0]]))
    np.testing.assert_allclose(attention(s, [0]).arcs[0], [0.75, 0.25], rtol=1e-6)
    assert attention(s, [1]).arcs[0].tolist() == [0.0, 0.0]  # no arc leads to node 1


@case("pgm_explainer")
def perturbed_nodes() -> None:
    # Node 0 is of class 1 while node 1 has its feature; node 2's feature is not read. Replacing node 1 by random bits
    # takes the feature away in half of the draws, so that the answer goes with it: p is tiny. p of node 2 is not, and
    # p of the node itself is 0 by convention.
    pytest.importorskip("pgmpy", reason="PGM-Explainer needs pgmpy, the extra `pgm`")
    s = star([[0.0, 0.0], [8.0, 0.0]], [0.0, -4.0], [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = pgm_explainer(s, [0], n_samples=200)
    assert found.facts["p"][0, 0] == 0 and found.facts["p"][0, 1] < 1e-6 < 0.01 < found.facts["p"][0, 2]
    assert found.by_node[0].argsort().tolist()[0] == 2
    np.testing.assert_array_equal(pgm_explainer(s, [0], n_samples=200).facts["p"], found.facts["p"])


@case("graphlime")
def kernel_lasso() -> None:
    # All four corners of two binary features, all in one neighbourhood; the output follows the first alone. Both
    # kernels of the first feature and of the output split the nodes in the same two halves: their alignment is 1, that
    # of the second feature 0. The lasso's optimum is 1 − ρ and 0.
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    arcs = torch.tensor([[0, 1, 2, 3, 1, 2, 3, 0], [1, 2, 3, 0, 0, 1, 2, 3]])
    s = Subject(Sums(0, last=linear([[-2.0, 0.0], [2.0, 0.0]], [1.0, -1.0])), x, arcs)
    np.testing.assert_allclose(graphlime(s, [0], rho=0.1).features[0], [0.9, 0.0], atol=1e-6)


@case("occlusion", "shapley")
def taking_away() -> None:
    # f_0 = 2 relu(x_0 − x_1) − 3 relu(x_0) at (3, 1): −5; without x_0: 0; without x_1: −3.
    s = by_hand()
    assert occlusion(s, [0]).facts["signed"][0].tolist() == [-5.0, -2.0]
    # Orders: x_0 first gains −3 then x_1 −2; x_1 first gains 0 then x_0 −5. Means: −4 and −1.
    np.testing.assert_allclose(shapley(s, [0], n_orders=2).facts["signed"][0], [-4.0, -1.0], rtol=1e-6)


@case("subgraphx")
def subgraphs() -> None:
    # f_0 = x_0 + x_1 + x_2 + x_3 = 1 + 5 − 2 + 3. In a sum a subgraph's Shapley value is its own part of it, so that
    # the best of at most three nodes with node 0 is {0, 1, 3}: 9.
    x = torch.tensor([[1.0], [5.0], [-2.0], [3.0]])
    found = subgraphx(Subject(Sums(root=True), x, torch.tensor([[1, 2, 3], [0, 0, 0]])), [0], n_kept=3)
    assert found.by_node[0].tolist() == [1.0, 1.0, 0.0, 1.0]
    assert found.facts["values"] == [pytest.approx(9.0)]


@case("random")
def chance() -> None:
    # One feature of ten counts: its rank among uniform scores is uniform, so the area is one of 0, 1/9, …, 1 with the
    # same chance: mean ½, variance (10 + 1) / (12 · 9). Over 2,000 nodes the mean is within four deviations.
    n = 2000
    s = Subject(Sums(0), torch.zeros(n, 10), NO_ARCS)
    area = outranking(random_scores(s, seed=7).features, np.arange(10) == 4)
    assert area.mean() == pytest.approx(0.5, abs=4 * np.sqrt(11 / 108 / n))
    assert area.var() == pytest.approx(11 / 108, rel=0.1)


@case("degree")
def degrees() -> None:
    # One arc 1 → 0: both nodes have degree 1, the arc the sum of its ends'; both features are nowhere zero.
    found = degree_scores(by_hand(), [0])
    assert found.by_node[0].tolist() == [1.0, 1.0] and found.features[0].tolist() == [1.0, 1.0]
    assert found.arcs[0].tolist() == [2.0]


@case("oracle")
def truth() -> None:
    # It is told that only the second feature counts: 0 and 1, an area of 1.
    used = np.array([False, True])
    found = oracle_scores(by_hand(), None, used)
    assert found.features.tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert outranking(found.features, used).tolist() == [1.0, 1.0]
