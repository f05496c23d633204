"""Pruning, and the two numbers that say how much of the model a graph still holds.

Scores are bounds. All influence that leaves the logits ends somewhere: in tokens and constants (explained), in errors,
in units that were never explored, or in what was pruned. ``low`` counts the last two as error, ``high`` leaves them
out; an error counts as error even where its node was pruned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Shaped
from scipy import sparse

from truescope.core.graphs import NodeKind
from truescope.trace.rows import Rows, influence


@dataclass(frozen=True)
class Pruned:
    """What is left of a graph: the nodes marked in ``keep``, and their edges, rows the targets."""

    keep: Bool[np.ndarray, " n"]
    edges: sparse.csr_array
    replacement: tuple[float, float]
    completeness: tuple[float, float]
    n_pruned_edges: int
    explained: float
    """Share of the logits' influence that ends in the graph's own tokens and constants; the next three are the rest."""
    error: float
    unexplored: float
    pruned: float


def prune(
    rows: Rows,
    kind: Shaped[np.ndarray, " n_sources"],
    p: Float[np.ndarray, " n_logits"],
    scores: Float[np.ndarray, " n"],
    node_threshold: float,
    edge_threshold: float,
) -> Pruned:
    """Keep the highest nodes up to ``node_threshold`` of all score, then the highest edges up to ``edge_threshold``.

    Tokens and logits always stay. An edge's score is Â[t, s]·(score of t, or p of a logit) with the rows of the kept
    graph of sum one. Then units without an edge in or out go, and constants and errors without one out, until none is
    left. ``scores`` are `Rows.influence`. Source: Ameisen et al., "Circuit Tracing", 2025.
    """
    n_sources, n = rows.n_sources, len(scores)
    fixed = np.zeros(n, bool)
    fixed[:n_sources] = kind == str(NodeKind.TOKEN)
    fixed[n_sources:] = True
    is_unit = np.zeros(n, bool)
    is_unit[:n_sources] = kind == str(NodeKind.UNIT)
    start = np.concatenate([np.zeros(n_sources), p])

    keep = fixed.copy()
    keep[:n_sources] |= top_share(scores[:n_sources], node_threshold)
    keep &= ~is_unit | rows.has_row
    edges = rows.submatrix(keep)
    edges = prune_edges(edges, start, edge_threshold)
    keep, edges = drop_loose(keep, edges, is_unit, fixed)
    n_all = sum(int(np.count_nonzero(block.weight)) for block in rows.blocks)
    return _score(rows, kind, start, keep, edges, n_all - edges.nnz)


def top_share(scores: Float[np.ndarray, " n"], share: float) -> Bool[np.ndarray, " n"]:
    """The fewest entries whose sum reaches ``share`` of the total, the first of equals; 1 keeps all above 0."""
    mask = scores > 0
    if share < 1 and mask.any():
        order = np.argsort(-scores, kind="stable")
        reached = np.cumsum(scores[order], dtype=np.float64)
        mask[order[int(np.searchsorted(reached, share * reached[-1])) + 1 :]] = False
    return mask


def prune_edges(edges: sparse.csr_array, start: Float[np.ndarray, " n"], threshold: float) -> sparse.csr_array:
    """The highest edges by Â[t, s]·(score_t + start_t) up to ``threshold`` of their sum; Â has rows of sum one."""
    mass = np.asarray(abs(edges).sum(axis=1, dtype=np.float64)).ravel()
    flow = influence(edges, mass, start) + start
    entries = edges.tocoo()
    scores = np.abs(entries.data).astype(np.float64) * (flow / np.maximum(mass, 1e-8))[entries.coords[0]]
    top = top_share(scores, threshold)
    row, column = (c[top] for c in entries.coords)
    return sparse.csr_array((entries.data[top], (row, column)), shape=edges.shape)


def drop_loose(
    keep: Bool[np.ndarray, " n"],
    edges: sparse.csr_array,
    is_unit: Bool[np.ndarray, " n"],
    fixed: Bool[np.ndarray, " n"],
) -> tuple[Bool[np.ndarray, " n"], sparse.csr_array]:
    """Drop units without an edge in or without one out, and other sources without one out, until nothing changes."""
    keep, entries = keep.copy(), edges.tocoo()
    target, source, weight = *entries.coords, entries.data
    while True:
        n_in, n_out = np.bincount(target, minlength=len(keep)), np.bincount(source, minlength=len(keep))
        loose = keep & ~fixed & ((n_out == 0) | (is_unit & (n_in == 0)))
        if not loose.any():
            return keep, sparse.csr_array((weight, (target, source)), shape=edges.shape)
        keep &= ~loose
        alive = keep[target] & keep[source]
        target, source, weight = target[alive], source[alive], weight[alive]


def _score(
    rows: Rows,
    kind: Shaped[np.ndarray, " n_sources"],
    start: Float64[np.ndarray, " n"],
    keep: Bool[np.ndarray, " n"],
    edges: sparse.csr_array,
    n_pruned_edges: int,
) -> Pruned:
    n = len(start)
    is_error, is_end, is_dark = (np.zeros(n, bool) for _ in range(3))
    is_error[: rows.n_sources] = kind == str(NodeKind.ERROR)
    is_end[: rows.n_sources] = (kind == str(NodeKind.TOKEN)) | (kind == str(NodeKind.CONSTANT))
    is_dark[: rows.n_sources] = (kind == str(NodeKind.UNIT)) & ~rows.has_row[: rows.n_sources]
    mass = np.maximum(rows.mass, 1e-8)
    # What reaches each node along kept edges, when rows still have the mass of all their edges.
    reached = influence(edges, mass, start)
    flow = np.where(rows.has_row & keep, reached + start, 0.0)
    error_share, dark_share = rows.inflow_from(is_error) / mass, rows.inflow_from(is_dark) / mass
    total = float(start.sum())
    explained = float(reached[is_end & keep].sum())
    error, dark = float(flow @ error_share), float(flow @ dark_share)
    kept_error = np.asarray(abs(edges[:, np.flatnonzero(is_error)]).sum(axis=1, dtype=np.float64)).ravel()
    kept = np.asarray(abs(edges).sum(axis=1, dtype=np.float64)).ravel()
    good = np.maximum(kept - kept_error, 0.0) / mass
    high = np.divide(good, good + error_share, out=np.zeros(n), where=good + error_share > 0)
    weight = float(flow.sum())
    return Pruned(
        keep=keep,
        edges=edges,
        replacement=_bounds(explained / total, explained, explained + error),
        completeness=_bounds(float(flow @ good) / weight, float(flow @ high), weight),
        n_pruned_edges=n_pruned_edges,
        explained=explained / total,
        error=error / total,
        unexplored=dark / total,
        pruned=max(0.0, 1.0 - (explained + error + dark) / total),
    )


def _bounds(low: float, above: float, below: float) -> tuple[float, float]:
    # Rounding must not put a bound outside [0, 1] or the lower one above the upper.
    high = min(1.0, above / below) if below > 0 else 0.0
    return min(low, high), high
