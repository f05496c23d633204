"""GNNExplainer of all nodes at once: the published means, and trees that are the model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.utils import k_hop_subgraph

from truescope.core.errors import GraphError, UsageError
from truescope.gnn.explainers import gnn_explainer
from truescope.gnn.networks import Chain, Subject, Trees
from truescope.gnn.networks.subject import mask_messages
from truescope.gnn.whiteboxes import Setting
from truescope.judge.axioms import outranking

from .graph_models import gcn, gin, ring_graph, sage, white_box


@pytest.mark.parametrize(
    ("name", "setting", "published"),
    [
        ("local", Setting(0.5, 0.5), 0.7471),
        pytest.param("neighborhood", Setting(0.5, 0.5), 0.7783, marks=pytest.mark.slow),
        pytest.param("neighborhood", Setting(0.5, 0.1), 0.9883, marks=pytest.mark.slow),
        pytest.param("local", Setting(0.9, 0.5), 0.7725, marks=pytest.mark.slow),
    ],
)
def test_the_published_mean_is_met_to_four_digits(name: str, setting: Setting, published: float) -> None:
    instance, model = white_box(name, setting, 42)
    subject = Subject(model, instance.x, instance.edge_index)
    found = gnn_explainer(subject, instance.nodes, epochs=1000, version="published", seed=42)
    assert outranking(found.features, instance.used).mean() == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize("make", [gcn, sage, gin])
def test_trees_are_the_model_under_any_masks(make) -> None:
    x, edge_index = ring_graph()
    model = make()
    subject = Subject(model, x, edge_index)
    assert isinstance(subject.unrolled, Chain)
    nodes = np.array([0, 3, 7])
    trees = Trees(subject.unrolled, x, edge_index, nodes)
    generator = torch.Generator().manual_seed(1)
    features, arcs = (torch.rand(3, n, generator=generator) for n in (x.shape[1], edge_index.shape[1]))
    got = trees.outputs(features, arcs[trees.entry_target, trees.entry_arc])
    for place, node in enumerate(nodes):
        handles = mask_messages(model, edge_index, arcs[place])
        with torch.no_grad():
            alone = model(x * features[place], edge_index)[node]
        for handle in handles:
            handle.remove()
        torch.testing.assert_close(got[place], alone)


@pytest.mark.parametrize("n_loops", [2, 12])
def test_a_mask_stays_with_its_arc_where_the_graph_has_loops(n_loops: int) -> None:
    # GCN drops the graph's loops and puts one at every node, last: with a loop at all twelve nodes there are as many
    # messages as arcs, in another order.
    x, edge_index = ring_graph()
    loops = torch.arange(n_loops).repeat(2, 1)
    mixed = torch.cat([loops, edge_index], 1)[:, torch.randperm(n_loops + edge_index.shape[1])]
    model = gcn()
    subject, nodes = Subject(model, x, mixed), np.array([0, 7])
    trees = Trees(subject.chain("a test"), x, mixed, nodes)
    arcs = torch.rand(2, subject.n_arcs)
    got = trees.outputs(torch.ones(2, 5), arcs[trees.entry_target, trees.entry_arc])
    for place, node in enumerate(nodes):
        with subject.running() as run, torch.no_grad():
            torch.testing.assert_close(got[place], run(x, arcs[place])[node])


def test_trees_of_a_white_box_mask_its_count_of_neighbours_too() -> None:
    instance, model = white_box("two-hop", Setting(n_nodes=40, mean_degree=6, n_features=10), 1)
    subject = Subject(model, instance.x, instance.edge_index)
    nodes = instance.nodes[:4]
    trees = Trees(subject.chain("a test"), instance.x, instance.edge_index, nodes)
    arcs = torch.rand(4, subject.n_arcs, dtype=torch.float64)
    got = trees.outputs(torch.ones(4, 10, dtype=torch.float64), arcs[trees.entry_target, trees.entry_arc])
    for place, node in enumerate(nodes):
        with subject.running() as run, torch.no_grad():
            torch.testing.assert_close(got[place], run(instance.x, arcs[place])[node])


def test_together_is_what_each_gets_alone() -> None:
    x, edge_index = ring_graph()
    subject = Subject(gcn(), x, edge_index)
    alone = gnn_explainer(subject, [4], epochs=40, seed=3)
    together = gnn_explainer(subject, [4, 5, 9], epochs=40, seed=3)
    np.testing.assert_allclose(together.features[0], alone.features[0], rtol=1e-4)
    np.testing.assert_allclose(together.arcs[0], alone.arcs[0], rtol=1e-4)
    outside = ~np.isin(np.arange(subject.n_arcs), np.flatnonzero(alone.arcs[0]))
    assert outside.any()  # arcs that cannot reach the node have no score


def test_what_it_refuses() -> None:
    x, edge_index = ring_graph()
    subject = Subject(gcn(), x, edge_index)
    with pytest.raises(UsageError, match="published"):
        gnn_explainer(subject, version="publishd")
    with pytest.raises(UsageError, match="epochs"):
        gnn_explainer(subject, epochs=0)
    doubled = torch.cat([edge_index, edge_index[:, :1]], dim=1)
    with pytest.raises(GraphError, match="parallel"):
        gnn_explainer(Subject(gcn(), x, doubled), [0], epochs=1)


@pytest.mark.parametrize(("n_nodes", "mean_degree"), [(30, 4), (60, 10)])
def test_published_masks_of_idle_arcs_are_what_their_regulariser_leaves(n_nodes: int, mean_degree: int) -> None:
    # On Neighborhood an arc that is not important carries nothing: it is followed here by its regulariser alone. In the
    # small subgraph some masks grow (those that start above 0.005 times its arcs), in the large one all shrink.
    setting = Setting(n_nodes=n_nodes, mean_degree=mean_degree, n_features=6)
    instance, model = white_box("neighborhood", setting, 2)
    subject, epochs = Subject(model, instance.x, instance.edge_index), 120
    found = gnn_explainer(subject, [instance.nodes[0]], epochs=epochs, version="published", seed=5)
    node = int(instance.nodes[0])
    kept, _, _, inside = k_hop_subgraph(node, 2, subject.edge_index, num_nodes=n_nodes)
    generator = torch.Generator().manual_seed(5)
    torch.randn(1, 6, generator=generator)  # the feature mask is drawn first
    mask = (torch.randn(int(inside.sum()), generator=generator) * (2.0 / len(kept)) ** 0.5).double().requires_grad_()
    optimiser = torch.optim.Adam([mask], lr=0.01)
    for _ in range(epochs):
        optimiser.zero_grad()
        m = mask.sigmoid()
        (0.005 * m.sum() + (-m * m.log() - (1 - m) * (1 - m).log()).mean()).backward()
        optimiser.step()
    alone = np.zeros(subject.n_arcs)
    alone[inside.numpy()] = mask.detach().sigmoid().numpy()
    idle = ~(instance.important & (subject.edge_index[1] == node)).numpy()
    assert (alone[idle] > 0.5).any() == (n_nodes == 30)
    np.testing.assert_allclose(found.arcs[0][idle], alone[idle], atol=1e-5)
