"""The edges as they are found: sparse rows that share their columns, and the influence that flows along them.

All targets at one layer and position reach the same sources, so their rows are kept as one dense block beside one list
of columns: four bytes an edge, and products with a block are ordinary matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, Shaped
from scipy import sparse

_EPSILON = 1e-8


@dataclass(frozen=True)
class Block:
    """Rows whose targets read one place.

    ``weight[i, j]`` is the edge from the source in column ``column[j]`` into target ``target[i]``. ``order`` says when
    the targets come: every edge goes from a column that is no target, or whose own row has a smaller order.
    """

    order: int
    target: Int32[np.ndarray, " rows"]
    column: Int32[np.ndarray, " n_reach"]
    weight: Float32[np.ndarray, "rows n_reach"]


class Rows:
    """Rows of A, targets by sources, grown block by block.

    Columns 0 … n_sources-1 are sources, of which units are targets too; targets from n_sources on are the logits.
    ``mass`` is Σ_s |A[t, s]| of each row, zero where a target has no row.
    """

    def __init__(self, n_sources: int, n_logits: int) -> None:
        self.n_sources, self.n_logits = n_sources, n_logits
        self.blocks: list[Block] = []
        self.mass: Float64[np.ndarray, " n"] = np.zeros(n_sources + n_logits)
        self.has_row: np.ndarray = np.zeros(n_sources + n_logits, bool)
        self.n_bytes = 0

    def add(self, block: Block) -> None:
        """Put in a block; its targets have no row yet."""
        self.blocks.append(block)
        self.mass[block.target] = np.abs(block.weight).sum(axis=1, dtype=np.float64)
        self.has_row[block.target] = True
        self.n_bytes += block.weight.nbytes

    def influence(self, p: Float[np.ndarray, " n_logits"]) -> Float64[np.ndarray, " n"]:
        """Node scores: p·B over the logits, B = Σ_{k≥1} Âᵏ = (I − Â)⁻¹ − I, Â = |A| with rows of sum one.

        Â is nilpotent and its order is known, so one sweep of vector–matrix products from the logits down passes on
        each target's whole inflow at once; that is the vector iteration p·Â + p·Â² + … with its terms collected.
        The last ``n_logits`` scores are p itself. Source: Ameisen et al., "Circuit Tracing", 2025.
        """
        flow = np.zeros(self.n_sources + self.n_logits)
        flow[self.n_sources :] = p
        for block in sorted(self.blocks, key=lambda b: -b.order):
            inflow = (flow[block.target] / np.maximum(self.mass[block.target], _EPSILON)).astype(np.float32)
            if inflow.any():
                flow[block.column] += inflow @ np.abs(block.weight)
        return flow

    def submatrix(self, keep: Shaped[np.ndarray, " n"]) -> sparse.csr_array:
        """The edges among the kept nodes, [n, n] with n = n_sources + n_logits, rows the targets."""
        rows, columns, weights = [], [], []
        for block in self.blocks:
            targets, sources = np.flatnonzero(keep[block.target]), np.flatnonzero(keep[block.column])
            part = block.weight[np.ix_(targets, sources)]
            row, column = part.nonzero()
            rows.append(block.target[targets][row])
            columns.append(block.column[sources][column])
            weights.append(part[row, column])
        n = self.n_sources + self.n_logits
        entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
        return sparse.csr_array(entries, shape=(n, n))

    def inflow_from(self, columns: Shaped[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Σ |A[t, s]| over the columns marked in ``columns`` (booleans over nodes), for each target t."""
        total = np.zeros(self.n_sources + self.n_logits)
        for block in self.blocks:
            chosen = np.flatnonzero(columns[block.column])
            if len(chosen):
                total[block.target] = np.abs(block.weight[:, chosen]).sum(axis=1, dtype=np.float64)
        return total


def influence(
    matrix: sparse.csr_array, mass: Float[np.ndarray, " n"], p: Float[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """p·(Â + Â² + …) by vector iteration, Â[t, s] = |matrix[t, s]| / mass[t]; the matrix is nilpotent.

    ``mass`` may be larger than a row's own sum: the rest is lost, which is how pruned mass leaves a graph.
    """
    scale = sparse.diags_array(1.0 / np.maximum(mass, _EPSILON))
    step = (scale @ abs(matrix)).T.tocsr()
    term, total = np.asarray(p, dtype=np.float64), np.zeros(len(p))
    for _ in range(len(p)):
        term = step @ term
        if not term.any():
            break
        total += term
    return total


def gaps(explained: Sequence[float] | np.ndarray, h: Sequence[float] | np.ndarray) -> Float64[np.ndarray, " n"]:
    """|h − Σ edges| / max(|h|, rms of h over the targets), for each target."""
    wanted, found = np.asarray(h, dtype=np.float64), np.asarray(explained, dtype=np.float64)
    if not len(wanted):
        return np.zeros(0)
    scale = np.maximum(np.abs(wanted), np.sqrt(np.mean(wanted**2)))
    return np.abs(wanted - found) / np.where(scale > 0, scale, 1.0)
