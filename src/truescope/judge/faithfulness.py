"""How faithful a graph is to a mechanism that is known: edges, nodes, signs, paths, and how many hops it shows.

The judge is handed scores and the truth as arrays over the same pairs; where they come from it does not know. What is
ranked is ranked by `axioms.outranking`, the scorer of every other kind of explanation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from truescope.core.errors import UsageError
from truescope.judge.axioms import outranking

Edge = tuple[str, str]
"""Source and target, by id."""


def edge_outranking(
    scores: Float[np.ndarray, "targets sources"],
    used: Bool[np.ndarray, "targets sources"],
    candidates: Bool[np.ndarray, "targets sources"],
) -> float:
    """The axiom over edges: the area under the ROC curve of |score| among the candidate pairs; NaN where none can be.

    ``used`` says which pairs are edges of the mechanism, ``candidates`` which could be (the source before the target).

    Raises:
        UsageError: a true edge is no candidate, or a score is not finite.
    """
    if (used & ~candidates).any():
        raise UsageError(
            f"{int((used & ~candidates).sum())} true edges are not among the candidates",
            fix="let every pair whose source comes before its target be one",
        )
    return float(outranking(np.abs(scores[candidates].astype(np.float64)), used[candidates]))


def sign_agreement(
    scores: Float[np.ndarray, "*pairs"], truth: Float[np.ndarray, "*pairs"], used: Bool[np.ndarray, "*pairs"]
) -> float:
    """The share of true edges whose score has the sign of the true effect; a score of zero has no sign. NaN without."""
    if not used.any():
        return float("nan")
    return float((np.sign(scores[used]) == np.sign(truth[used])).mean())


@dataclass(frozen=True)
class Retrieval:
    """What a pruned graph shows of the truth: ``precision`` is NaN where it shows nothing, ``recall`` where none is."""

    precision: float
    recall: float
    n_shown: int
    n_true: int


def retrieval(shown: set[str] | set[Edge], true: set[str] | set[Edge]) -> Retrieval:
    """Precision |shown ∩ true| / |shown| and recall |shown ∩ true| / |true|, of nodes or of edges."""
    both = len(shown & true)  # type: ignore[operator]
    precision = both / len(shown) if shown else float("nan")
    recall = both / len(true) if true else float("nan")
    return Retrieval(precision, recall, len(shown), len(true))


def path_recall(shown: set[Edge], true: set[Edge], starts: set[str], ends: Sequence[str]) -> float:
    """The share of the mechanism's paths, from ``starts`` to ``ends``, of which every edge is shown. NaN without paths.

    Paths are counted, not listed: n(t) = Σ over edges s → t of n(s), with 1 for a start.

    Raises:
        UsageError: the true edges have a cycle.
    """
    n_true = _n_paths(true, starts, ends)
    return _n_paths(true & shown, starts, ends) / n_true if n_true else float("nan")


def _n_paths(edges: set[Edge], starts: set[str], ends: Sequence[str]) -> int:
    into: dict[str, list[str]] = {}
    for source, target in edges:
        into.setdefault(target, []).append(source)
    counts: dict[str, int] = {}
    for node in topological(into, ends):
        counts[node] = (node in starts) + sum(counts[source] for source in into.get(node, ()))
    return sum(counts[end] for end in ends)


def topological(into: Mapping[str, Sequence[str]], ends: Sequence[str]) -> list[str]:
    """The nodes from which edges lead to ``ends``, sources first; ``into`` lists the sources of each target.

    Raises:
        UsageError: there is a cycle.
    """
    order: list[str] = []
    state: dict[str, int] = {}
    stack = [(end, False) for end in reversed(list(dict.fromkeys(ends)))]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            state[node] = 2
            order.append(node)
        elif node not in state:
            state[node] = 1
            stack.append((node, True))
            for source in into.get(node, ()):
                if state.get(source) == 1:
                    raise UsageError(f"the edges have a cycle through {source}", fix="give a graph in which time flows")
                if source not in state:
                    stack.append((source, False))
    return order


@dataclass(frozen=True)
class Hops:
    """How the influence that reaches the answer got there: ``share[k]`` of it passed through k units (Σ share = 1)."""

    share: Float[np.ndarray, " n_hops"]

    @property
    def mean(self) -> float:
        """The mean number of units on a path."""
        return float((np.arange(len(self.share)) * self.share).sum())

    @property
    def at_most_one(self) -> float:
        """The share that passed through one unit or none: what a graph shows as a single hop."""
        return float(self.share[:2].sum())


def hops(
    weight: Float[np.ndarray, "targets sources"],
    is_unit: Bool[np.ndarray, " sources"],
    ends: Int[np.ndarray, " n_ends"],
    is_start: Bool[np.ndarray, " sources"] | None = None,
) -> Hops:
    """The lengths of the paths that lead from sources to ``ends`` (rows of ``weight``), weighed by influence.

    A walk goes from an end against the edges, to source s with probability |weight[t, s]| / Σ|weight[t, ·]|, until it
    meets no unit. The units are the first sources and, in the same order, the first targets. With ``is_start`` only
    walks that end in a marked source count. Source: Ameisen et al., "Circuit Tracing", 2025 (path lengths).

    Raises:
        UsageError: units that are not first, or walks that go round.
    """
    n = int(is_unit.sum())
    if not is_unit[:n].all() or len(weight) < n:
        raise UsageError("the units must be the first sources, and the first targets in the same order")
    size = np.abs(weight.astype(np.float64))
    step = size / np.maximum(size.sum(1, keepdims=True), 1e-30)
    counted = ~is_unit if is_start is None else is_start & ~is_unit
    flow = step[ends].mean(0)
    shares = []
    for _ in range(n + 1):
        shares.append(float(flow[counted].sum()))
        if not flow[:n].any():
            break
        flow = flow[:n] @ step[:n]
    else:
        raise UsageError("the edges between units have a cycle", fix="give a graph in which time flows")
    total = sum(shares)
    return Hops(np.array(shares) / total if total > 0 else np.full(len(shares), np.nan))
