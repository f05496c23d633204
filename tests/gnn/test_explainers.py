"""Each explainer on a case computed by hand, and against the library or the definition."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv, SimpleConv

from truescope.core.errors import ModelError, UsageError
from truescope.gnn.explainers import (
    FunctionalReLUWarning,
    Rule,
    attention,
    deconvolution,
    degree_scores,
    explainer,
    gnn_lrp,
    grad_cam,
    guided_backpropagation,
    input_x_gradient,
    integrated_gradients,
    lrp,
    occlusion,
    saliency,
    shapley,
)
from truescope.gnn.networks import Chain, NoChain, Subject

from .graph_models import TwoLayers, gcn, gin, ring_graph, sage

MAKERS = [gcn, sage, gin]


class ByHand(nn.Module):
    """f_0 = 2 · relu(x_00 − x_01) + 3 · relu(x_10) with the arc 1 → 0 and weights that can be read off."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor([[1.0, -1.0], [1.0, 0.0]]))
            self.last.weight.copy_(torch.tensor([[2.0, -3.0]]))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


BY_HAND = torch.tensor([[3.0, 1.0], [1.0, 2.0]])
ARC = torch.tensor([[1], [0]])


def by_hand() -> Subject:
    return Subject(ByHand(), BY_HAND, ARC)


def test_gradients_by_hand() -> None:
    # Node 0: hidden (2, 3), both on; f = 2·2 − 3·3 = −5; gradient 2·(1, −1) − 3·(1, 0) = (−1, −2).
    s = by_hand()
    assert saliency(s, [0]).features[0].tolist() == [1.0, 2.0]
    assert input_x_gradient(s, [0], full=True).full[0, 0].tolist() == [-3.0, -2.0]
    # Node 1: hidden (−1, 1): the first unit is off; f = −3; gradient (−3, 0).
    assert saliency(s, [1]).features[0].tolist() == [3.0, 0.0]
    # Without biases the gates hold along the path from zero: integrated gradients are input × gradient.
    np.testing.assert_allclose(integrated_gradients(s, [0], full=True).full[0, 0], [-3.0, -2.0], rtol=1e-6)


def test_rectified_gradients_by_hand() -> None:
    # The gradients at the hidden units are (2, −3). Deconvolution keeps 2 alone: 2 · (1, −1).
    s = by_hand()
    assert deconvolution(s, [0], full=True).full[0, 0].tolist() == [2.0, -2.0]
    assert deconvolution(s, [1], full=True).full[0, 1].tolist() == [2.0, -2.0]  # although the unit is off
    assert guided_backpropagation(s, [0], full=True).full[0, 0].tolist() == [2.0, -2.0]
    assert guided_backpropagation(s, [1], full=True).full[0, 1].tolist() == [0.0, 0.0]


def test_relevance_by_hand() -> None:
    # ε: relevances of the hidden units of node 0 are 4 and −9; the first splits 3 : −1 of 2, the second goes to x_00.
    s = by_hand()
    np.testing.assert_allclose(lrp(s, [0], full=True).full[0, 0], [4 * 3 / 2 - 9, 4 * -1 / 2], rtol=1e-6)
    # z⁺: only the first hidden unit has a positive weight, so it gets all of −5; there only x_00 counts.
    np.testing.assert_allclose(lrp(s, [0], rule="z_plus", full=True).full[0, 0], [-5.0, 0.0], rtol=1e-6)
    # γ = 1 doubles positive weights: 2·2·2 and −3·3 of −1: −5 · (8, −9) / −1; then (2·3, −1) of 5 for the first unit.
    hidden = np.array([-5 * 8 / -1, -5 * -9 / -1])
    expected = [hidden[0] * 6 / 5 + hidden[1], hidden[0] * -1 / 5]
    np.testing.assert_allclose(lrp(s, [0], rule=Rule("gamma", gamma=1.0), full=True).full[0, 0], expected, rtol=1e-5)


def test_walks_by_hand() -> None:
    # x = (1, 2, 4) on 0 → 1 → 2, sums over in-neighbours twice: one walk of two arcs, 0 → 1 → 2, that carries x_0.
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = SimpleConv(aggr="sum")

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return self.layer(self.layer(x, edge_index), edge_index)

        def chain(self, x: Tensor, edge_index: Tensor) -> Chain:
            from truescope.gnn.networks import Convolution, Term
            from truescope.gnn.networks.unroll import adjacency

            step = Convolution("sum", (Term(adjacency(edge_index, None, len(x), "source_to_target"), None),))
            return Chain((step, step))

    s = Subject(Twice(), torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[0, 1], [1, 2]]))
    walks = gnn_lrp(s, 2, rule="epsilon")
    assert walks.top() == [((0, 1, 2), pytest.approx(1.0))]
    # The layer that is used twice is two steps: relevance goes all the way.
    assert lrp(s, [2], full=True).full[0].ravel().tolist() == pytest.approx([1.0, 0.0, 0.0])


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


def test_grad_cam_by_hand() -> None:
    x, edge_index = ring_graph()
    model = gcn()
    s = Subject(model, x, edge_index)
    H = model.first(x, edge_index).detach().requires_grad_()
    out = model.second(torch.relu(H), edge_index)[2]
    (g,) = torch.autograd.grad(out[out.argmax()], H)
    expected = torch.relu(H @ g.mean(0)).detach().numpy()
    np.testing.assert_allclose(grad_cam(s, [2]).by_node[0], expected, rtol=1e-4, atol=1e-7)
    with pytest.raises(ModelError, match="second"):
        grad_cam(s, layer="secnd")


def test_occlusion_and_shapley_by_hand() -> None:
    # f_0 = 2 relu(x_0 − x_1) − 3 relu(x_0) at (3, 1): −5; without x_0: 0; without x_1: −3.
    s = by_hand()
    assert occlusion(s, [0]).facts["signed"][0].tolist() == [-5.0, -2.0]
    # Orders: x_0 first gains −3 then x_1 −2; x_1 first gains 0 then x_0 −5. Means: −4 and −1.
    found = shapley(s, [0], n_orders=2)
    np.testing.assert_allclose(found.facts["signed"][0], [-4.0, -1.0], rtol=1e-6)


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
    with pytest.raises(ModelError, match="lrp needs to know"):
        lrp(s)


def test_a_functional_relu_behind_unknown_steps_is_warned_of() -> None:
    x, edge_index = ring_graph()
    torch.manual_seed(0)
    model = TwoLayers(GATConv(5, 8), GATConv(8, 3)).eval()
    s = Subject(model, x, edge_index)
    with pytest.warns(FunctionalReLUWarning, match="plain gradient"):
        found = deconvolution(s, [1])
    assert "plain gradient" in found.notes[0]
    np.testing.assert_allclose(found.features, saliency(s, [1]).features, atol=1e-6)


def test_degrees_by_hand_and_unknown_names() -> None:
    found = degree_scores(by_hand(), [0])
    assert found.by_node[0].tolist() == [1.0, 1.0] and found.features[0].tolist() == [1.0, 1.0]
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
