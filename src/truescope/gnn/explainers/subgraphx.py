"""SubgraphX: the connected subgraph around a node with the largest Shapley value, found by Monte-Carlo tree search.

A subgraph S is one player among the nodes P that lie within reach of it (as many hops as the model has layers):

    φ(S) = Σ_{C ⊆ P}  |C|! (|P| − |C|)! / (|P| + 1)!  ·  ( v(C ∪ S) − v(C) )

v is the model's output for the node when the features of all of P and S outside the argument are zero. The sum is exact
while P is small, else a mean over random orders. The search prunes one node a move, keeps the part that still holds the
explained node, and walks down by

    argmax  W/N + λ φ(child) √(Σ N) / (1 + N)

W the rewards that were passed up through the child and N their number. Yuan et al. (2021), arXiv:2102.05152; the
library that has it (DIG) does not run beside this PyTorch Geometric.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from math import factorial, sqrt
from typing import Any

import numpy as np
import torch

from truescope.core.errors import UsageError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.networks import Chain, Subject, count_hops

Nodes = frozenset[int]


def subgraphx(
    subject: Subject,
    nodes: Any = None,
    *,
    n_kept: int = 5,
    n_pool: int = 12,
    n_simulations: int = 20,
    n_orders: int = 20,
    n_exact: int = 8,
    exploration: float = 10.0,
    seed: int = 0,
) -> Attributions:
    """The best connected subgraph of at most ``n_kept`` nodes around each node: 1 for its nodes, 0 for others.

    The search starts from the ``n_pool`` nodes within reach that matter most when taken away, joined to the node; all
    of them where there are no more. Shapley values are exact for up to ``n_exact`` other players, else means over
    ``n_orders`` orders. ``facts`` holds the subgraphs and their values.

    Raises:
        UsageError: nothing to keep, or a pool smaller than that, or no simulation.
    """
    if not 1 <= n_kept <= n_pool or n_simulations < 1 or n_orders < 1:
        raise UsageError(
            f"{n_kept} nodes kept of {n_pool}, {n_simulations} simulations, {n_orders} orders",
            fix="keep one node or more, no more than the pool, with one simulation and order or more",
        )
    chosen = chosen_nodes(nodes, subject.n_nodes)
    classes = subject.classes(chosen)
    by_node, values, subgraphs = np.zeros((len(chosen), subject.n_nodes)), [], []
    neighbours, n_hops = undirected(subject), hops(subject)
    with subject.running() as run, torch.no_grad():
        for place, (node, target) in enumerate(zip(chosen, classes, strict=True)):
            rng = np.random.default_rng([seed, int(node)])
            game = Game(subject, run, int(node), int(target), neighbours, n_hops, n_orders, n_exact, rng)
            best, value = Search(game, n_kept, exploration).run(game.pool(n_pool), n_simulations)
            by_node[place, sorted(best)] = 1
            values.append(value)
            subgraphs.append(sorted(best))
    facts = {"subgraphs": subgraphs, "values": values, "seed": seed}
    return Attributions("subgraphx", chosen, classes, by_node=by_node, facts=facts)


def undirected(subject: Subject) -> list[Nodes]:
    """Each node's neighbours, whichever way the arcs go."""
    near: list[set[int]] = [set() for _ in range(subject.n_nodes)]
    for a, b in subject.edge_index.T.tolist():
        near[a].add(b)
        near[b].add(a)
    return [frozenset(one - {i}) for i, one in enumerate(near)]


def hops(subject: Subject) -> int:
    """How many times one run passes messages: no node farther off can matter."""
    chain = subject.unrolled
    if isinstance(chain, Chain):
        return max(chain.n_hops, 0 if chain.offset is None else chain.offset.n_hops)
    return count_hops(subject)


@dataclass(eq=False)
class Game:
    """The cooperative game of one explained node: coalitions of nodes and what the model puts out for them."""

    subject: Subject
    run: Any
    node: int
    target: int
    neighbours: list[Nodes]
    n_hops: int
    n_orders: int
    n_exact: int
    rng: np.random.Generator
    _outputs: dict[Nodes, float] = field(default_factory=dict)
    _shapley: dict[Nodes, float] = field(default_factory=dict)

    def within(self, start: Nodes) -> Nodes:
        """The nodes at most ``n_hops`` arcs from ``start``, which are in it."""
        reached = start
        for _ in range(self.n_hops):
            before, reached = reached, reached.union(*(self.neighbours[i] for i in reached))
            if reached == before:
                break
        return reached

    def connected(self, nodes: Nodes) -> Nodes:
        """The part of ``nodes`` that hangs together with the explained one."""
        part, edge = frozenset({self.node}), frozenset({self.node})
        while edge:
            edge = frozenset().union(*(self.neighbours[i] for i in edge)) & nodes - part
            part |= edge
        return part

    def pool(self, n: int) -> Nodes:
        """Where the search starts: up to ``n`` connected nodes within reach, those first that matter most alone."""
        ball = self.within(frozenset({self.node}))
        if len(ball) <= n:
            return ball
        whole = self.output(frozenset())
        loss = {i: abs(whole - self.output(frozenset({i}))) for i in ball}
        pool = frozenset({self.node})
        while len(pool) < n:
            open_ones = frozenset().union(*(self.neighbours[i] for i in pool)) & ball - pool
            pool |= {max(sorted(open_ones), key=lambda i: loss[i])}
        return pool

    def output(self, absent: Nodes) -> float:
        """The explained output when the features of the nodes ``absent`` are zero."""
        if absent not in self._outputs:
            x = self.subject.x.clone()
            x[sorted(absent)] = 0
            self._outputs[absent] = float(self.run(x)[self.node, self.target])
        return self._outputs[absent]

    def shapley(self, subgraph: Nodes) -> float:
        """φ of the subgraph as one player among the nodes within reach of it."""
        if subgraph not in self._shapley:
            others = sorted(self.within(subgraph) - subgraph)
            exact = len(others) <= self.n_exact
            self._shapley[subgraph] = (self._exact if exact else self._sampled)(subgraph, others)
        return self._shapley[subgraph]

    def _gain(self, subgraph: Nodes, others: list[int], coalition: Nodes) -> float:
        absent = frozenset(others) - coalition
        return self.output(absent) - self.output(absent | subgraph)

    def _exact(self, subgraph: Nodes, others: list[int]) -> float:
        m = len(others)
        return sum(
            factorial(size)
            * factorial(m - size)
            / factorial(m + 1)
            * self._gain(subgraph, others, frozenset(coalition))
            for size in range(m + 1)
            for coalition in combinations(others, size)
        )

    def _sampled(self, subgraph: Nodes, others: list[int]) -> float:
        gains = []
        for _ in range(self.n_orders):
            before = self.rng.integers(len(others) + 1)  # where in the order the subgraph comes
            coalition = frozenset(int(i) for i in self.rng.permutation(others)[:before])
            gains.append(self._gain(subgraph, others, coalition))
        return float(np.mean(gains))


@dataclass(eq=False)
class State:
    """A subgraph in the search tree: its children, and what was passed up through it."""

    nodes: Nodes
    children: list[State] | None = None
    total: float = 0.0
    visits: int = 0


@dataclass(eq=False)
class Search:
    """Monte-Carlo tree search over connected subgraphs; states that are reached in two ways are one."""

    game: Game
    n_kept: int
    exploration: float
    states: dict[Nodes, State] = field(default_factory=dict)

    def run(self, root: Nodes, n_simulations: int) -> tuple[Nodes, float]:
        """The best small enough subgraph that any simulation met, and its Shapley value."""
        for _ in range(n_simulations):
            self._simulate(self._state(root))
        small = [nodes for nodes in self.states if len(nodes) <= self.n_kept]
        best = max(small, key=lambda nodes: (self.game.shapley(nodes), -len(nodes), sorted(nodes)))
        return best, self.game.shapley(best)

    def _simulate(self, state: State) -> None:
        path = [state]
        while len(path[-1].nodes) > self.n_kept:
            path.append(self._next(path[-1]))
        reward = self.game.shapley(path[-1].nodes)
        for passed in path:
            passed.total += reward
            passed.visits += 1

    def _next(self, state: State) -> State:
        if state.children is None:
            pruned = [state.nodes - {i} for i in sorted(state.nodes) if i != self.game.node]
            state.children = [self._state(nodes) for nodes in dict.fromkeys(map(self.game.connected, pruned))]
        visits = sqrt(sum(child.visits for child in state.children))

        def worth(child: State) -> float:
            known = child.total / child.visits if child.visits else 0.0
            return known + self.exploration * self.game.shapley(child.nodes) * visits / (1 + child.visits)

        return max(state.children, key=worth)

    def _state(self, nodes: Nodes) -> State:
        return self.states.setdefault(nodes, State(nodes))
