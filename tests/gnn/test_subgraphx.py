"""SubgraphX against looking at every connected subgraph."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from truescope.core.errors import UsageError
from truescope.gnn.explainers import subgraphx
from truescope.gnn.explainers.subgraphx import Game, hops, undirected
from truescope.gnn.networks import Chain, Subject

from .graph_models import gcn, gin, ring_graph


def small_subject(seed: int, make=gcn, n: int = 8) -> Subject:
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(n, (2, 11), generator=generator)
    arcs = torch.cat([edges, edges.flip(0)], 1)
    arcs = arcs[:, arcs[0] != arcs[1]].unique(dim=1)
    return Subject(make(seed=seed), torch.randn(n, 5, generator=generator), arcs)


def by_definition(subject: Subject, node: int, subgraph: frozenset[int], n_hops: int = 2) -> float:
    """The Shapley value from its definition, with the reach of the subgraph worked out by powers of the adjacency."""
    A = np.eye(subject.n_nodes)
    A[subject.edge_index[0], subject.edge_index[1]] = A[subject.edge_index[1], subject.edge_index[0]] = 1
    reach = np.linalg.matrix_power(A, n_hops)[sorted(subgraph)].sum(0) > 0
    others = [i for i in np.flatnonzero(reach) if i not in subgraph]
    target = int(subject.outputs[node].argmax())

    def v(present: set[int]) -> float:
        x = subject.x.clone()
        x[[i for i in (*others, *subgraph) if i not in present]] = 0
        with torch.no_grad():
            return float(subject.model(x, subject.edge_index)[node, target])

    total, m = 0.0, len(others)
    for size in range(m + 1):
        for coalition in combinations(others, size):
            weight = factorial(size) * factorial(m - size) / factorial(m + 1)
            total += weight * (v({*coalition, *subgraph}) - v(set(coalition)))
    return total


def exhaustive(subject: Subject, node: int, n_kept: int) -> tuple[frozenset[int], float]:
    """The best of all connected subgraphs with the node and at most ``n_kept`` nodes within reach."""
    near = undirected(subject)
    ball = frozenset({node})
    for _ in range(2):
        ball = ball.union(*(near[i] for i in ball))
    found = {}
    for size in range(n_kept):
        for others in combinations(sorted(ball - {node}), size):
            subgraph, seen = frozenset({node, *others}), {node}
            while (more := {j for i in seen for j in near[i]} & subgraph - seen) != set():
                seen |= more
            if seen == subgraph:
                found[subgraph] = by_definition(subject, node, subgraph)
    best = max(found, key=lambda s: found[s])
    return best, found[best]


@pytest.mark.parametrize("make", [gcn, gin])
def test_the_search_finds_what_looking_at_every_subgraph_finds(make) -> None:
    for seed in range(3):
        s = small_subject(seed, make)
        found = subgraphx(s, [0], n_kept=3, n_simulations=60, n_exact=8, seed=seed)
        best, value = exhaustive(s, 0, 3)
        assert frozenset(found.facts["subgraphs"][0]) == best
        assert found.facts["values"][0] == pytest.approx(value, abs=1e-5)
        assert np.flatnonzero(found.by_node[0]).tolist() == sorted(best)


def test_sampled_values_come_near_exact_ones() -> None:
    s = small_subject(1)
    subgraph = frozenset({0, *list(undirected(s)[0])[:1]})
    with s.running() as run, torch.no_grad():
        sampled = Game(s, run, 0, int(s.outputs[0].argmax()), undirected(s), 2, 4000, 0, np.random.default_rng(0))
        exact = by_definition(s, 0, subgraph)
        spread = float(s.outputs.max() - s.outputs.min())
        assert sampled.shapley(subgraph) == pytest.approx(exact, abs=0.05 * spread)


def test_a_pool_keeps_the_subgraph_connected_and_in_reach() -> None:
    x, edge_index = ring_graph(30)
    s = Subject(gcn(), x, edge_index)
    found = subgraphx(s, [3], n_kept=4, n_pool=6, n_simulations=5, n_orders=4)
    (subgraph,) = found.facts["subgraphs"]
    assert 3 in subgraph and len(subgraph) <= 4
    with s.running() as run:
        game = Game(s, run, 3, 0, undirected(s), 2, 1, 0, np.random.default_rng(0))
        assert game.connected(frozenset(subgraph)) == frozenset(subgraph) <= game.within(frozenset({3}))
    again = subgraphx(s, [3], n_kept=4, n_pool=6, n_simulations=5, n_orders=4)
    assert again.facts == found.facts


def test_what_it_refuses() -> None:
    with pytest.raises(UsageError, match="pool"):
        subgraphx(small_subject(0), [0], n_kept=5, n_pool=3)


class OneLayerTwice(nn.Module):
    """x → conv → · σ(x) → the same conv: no chain, and node 2 of a path reaches node 0."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = GCNConv(3, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv(self.conv(x, edge_index) * x.sigmoid(), edge_index)


def test_a_layer_that_is_called_twice_reaches_two_hops() -> None:
    arcs = torch.tensor([[0, 1, 2], [1, 2, 3]])
    path = Subject(OneLayerTwice(), torch.rand(4, 3), torch.cat([arcs, arcs.flip(0)], 1))
    assert not isinstance(path.unrolled, Chain) and hops(path) == 2
    found = subgraphx(path, [0], n_kept=1, n_pool=3)
    assert found.facts["values"][0] == pytest.approx(by_definition(path, 0, frozenset({0})), abs=1e-6)
