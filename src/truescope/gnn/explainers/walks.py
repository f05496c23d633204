"""GNN-LRP: relevance of walks of messages, the finest grain there is; nodes and arcs are sums of walks.

A walk j → k → … → i follows one arc a mixing step. Its relevance goes back through that arc alone:

    R_(j,k,…)  =  a_j ∘ ( (R_(k,…) / z̃_k) S_kj W̃ )

so that the relevances of all walks into a node sum to the node's relevance, and all of them to the explained logit less
what the biases take. Schnake et al. (2021), arXiv:2006.03589.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.errors import UsageError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.explainers.relevance import Pass, Rule, held_note
from truescope.gnn.networks.chain import Convolution
from truescope.gnn.networks.subject import Subject

MAX_WALKS = 2_000_000
"""More walks than this are refused: their number grows with every hop."""


@dataclass(frozen=True, eq=False)
class Walks:
    """The walks into one node: ``nodes`` from the farthest to the explained one, and each walk's relevance.

    ``along_arcs`` says of each move from a place to the next whether it is one of messages, not of pooling; ``notes``
    what was held constant.
    """

    node: int
    nodes: Int[np.ndarray, "n_walks n_places"]
    relevance: Float[np.ndarray, " n_walks"]
    along_arcs: tuple[bool, ...] = ()
    notes: tuple[str, ...] = ()

    def top(self, n: int = 10) -> list[tuple[tuple[int, ...], float]]:
        """The ``n`` walks of largest absolute relevance."""
        order = np.argsort(-np.abs(self.relevance), kind="stable")[:n]
        return [(tuple(int(v) for v in self.nodes[i]), float(self.relevance[i])) for i in order]

    def by_start(self, n_nodes: int) -> Float[np.ndarray, " n_nodes"]:
        """The relevance of each node as the start of walks: what LRP gives it."""
        return np.bincount(self.nodes[:, 0], self.relevance, minlength=n_nodes)

    def by_arc(self, edge_index: Int[Tensor, "2 n_arcs"], n_nodes: int) -> Float[np.ndarray, " n_arcs"]:
        """The relevance of the walks along each arc, a walk that takes it twice counted once."""
        arcs = edge_index[0].numpy().astype(np.int64) * n_nodes + edge_index[1].numpy()
        taken = self.nodes[:, :-1] * n_nodes + self.nodes[:, 1:]
        walk, step = np.nonzero(np.isin(taken, arcs) & np.array(self.along_arcs, dtype=bool))
        once = np.unique(np.stack([walk, taken[walk, step]], 1), axis=0)
        keys, place = np.unique(arcs, return_inverse=True)
        sums = np.bincount(np.searchsorted(keys, once[:, 1]), self.relevance[once[:, 0]], minlength=len(keys))
        return sums.astype(np.float64)[place] if len(keys) else np.zeros(0)


def gnn_lrp(subject: Subject, node: int, *, rule: Rule | str = "gamma", max_walks: int = MAX_WALKS) -> Walks:
    """The relevance of every walk into ``node``, for its logit of the class it is given.

    Raises:
        UsageError: a node that is not there, or more walks than ``max_walks``.
        ModelError: the model has no chain, or the rule does not fit its weights.
    """
    if not 0 <= node < subject.n_nodes:
        raise UsageError(f"there is no node {node}", why=f"the graph has nodes 0 to {subject.n_nodes - 1}")
    rule = Rule(rule) if isinstance(rule, str) else rule
    chain, x = subject.chain("gnn_lrp", hold=True), subject.x.numpy()
    values = chain.values(x)
    target = int(subject.classes(np.array([node]))[0])
    logits = values[len(chain.body)]
    places = np.array([[node]])
    relevance = np.zeros((1, logits.shape[1]), logits.dtype)
    relevance[0, target] = logits[node, target]
    moves = []
    for step, a in reversed(list(zip(chain.body, values, strict=False))):
        if isinstance(step, Convolution):
            mixing = [term for term in step.terms if term.mixing is not None]
            moves += [all(term.along_arcs for term in mixing)] if mixing else []
            places, relevance = _back(Pass.of(step, a, rule), places, relevance, max_walks)
    return Walks(node, places, relevance.sum(1), tuple(moves[::-1]), held_note(chain))


def walk_relevance(
    subject: Subject, nodes: Any = None, *, rule: Rule | str = "gamma", max_walks: int = MAX_WALKS
) -> Attributions:
    """The size of the relevance of the walks from each node, and of those along each arc; `gnn_lrp` has the walks.

    Raises:
        UsageError: more walks than ``max_walks``.
        ModelError: the model has no chain, or the rule does not fit its weights.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)
    by_node, arcs = np.zeros((len(chosen), subject.n_nodes)), np.zeros((len(chosen), subject.n_arcs))
    for place, node in enumerate(chosen):
        walks = gnn_lrp(subject, int(node), rule=rule, max_walks=max_walks)
        by_node[place] = np.abs(walks.by_start(subject.n_nodes))
        arcs[place] = np.abs(walks.by_arc(subject.edge_index, subject.n_nodes))
    notes = held_note(subject.chain("gnn_lrp", hold=True))
    return Attributions("gnn_lrp", chosen, subject.classes(chosen), by_node=by_node, arcs=arcs, notes=notes)


def _back(
    one: Pass, places: np.ndarray, relevance: np.ndarray, max_walks: int
) -> tuple[Int[np.ndarray, "n_walks n_places"], Float[np.ndarray, "n_walks d_in"]]:
    share = relevance / one.denominators[places[:, 0]]
    mixes = any(term.mixing is not None for step, _ in one.parts for term in step.terms)
    starts, values = [], []
    for step, a in one.parts:
        for term in step.terms:
            g = share if term.weights is None else share @ term.weights
            if term.mixing is None:
                walk, source, weight = np.arange(len(places)), places[:, 0], np.ones(len(places))
            else:
                part = term.mixing[places[:, 0]]
                walk = np.repeat(np.arange(len(places)), np.diff(part.indptr))
                source, weight = part.indices, part.data
            if len(walk) > max_walks:
                raise UsageError(
                    f"node {places[0, -1]} has more than {max_walks:,} walks",
                    why="their number is multiplied by the degree at every hop",
                    fix="explain a node of lower degree, or use lrp, which sums over walks",
                )
            starts.append(np.stack([walk, source], 1))
            values.append(a[source] * g[walk] * weight[:, None])
    if not mixes and len(one.parts) == 1 and len(one.parts[0][0].terms) == 1:
        return places, values[0]
    keys, inverse = np.unique(np.concatenate(starts), axis=0, return_inverse=True)
    total = np.zeros((len(keys), values[0].shape[1]), values[0].dtype)
    np.add.at(total, inverse.ravel(), np.concatenate(values))
    if not mixes:
        return places[keys[:, 0]], total
    return np.concatenate([keys[:, 1:], places[keys[:, 0]]], axis=1), total
