"""Closed Sobol indices: the share of a quantity's variance that a part of its input explains."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from truescope.core.errors import UsageError

_ROUNDING = 1e-20


def closed_sobol(
    values: Float[np.ndarray, "n_cases n_units"],
    cells: Int[np.ndarray, " n_cases"],
    n_in_cell: Int[np.ndarray, " n_cells"],
) -> Float[np.ndarray, " n_units"]:
    """The closed index S_u = Var(E[f | x_u]) / Var(f) of each column over a finite population, from some of its cases.

    A *cell* is one setting of the input's part u; ``cells`` says in which cell each case lies, ``n_in_cell`` how many
    cases of the whole population each cell has. The cases are a sample without replacement. With W_c the cell's share
    of the population, m_c, s²_c and n_c the mean, variance and count of its sampled cases,

        Var(E[f | x_u]) ≈ Σ W_c (m_c − Σ W m)² − Σ W_c (1 − W_c) s²_c / n_c · (1 − n_c / N_c)

    The second sum is what the first would be for a quantity that does not depend on u at all, with the finite
    population's correction: the estimate is unbiased, about 0 (a little negative at times) for an unrelated unit, and
    exact when every case was seen. Var(f) is that plus Σ W_c s²_c (N_c − 1) / N_c. A cell with one sampled case takes
    the pooled s². A constant column has index 0.

    Raises:
        UsageError: a cell outside 0…n_cells−1 or with more cases than it can have, or no cell with two cases.

    Sobol' 2001, Mathematics and Computers in Simulation 55; Cochran, "Sampling Techniques" (1977), chapter 5.
    """
    n = _counts(cells, n_in_cell)
    seen = n > 0
    n, size = n[seen], n_in_cell[seen].astype(np.float64)
    first = np.concatenate([[0], np.cumsum(n)[:-1]])
    # Centred first: the squares below would lose the digits of a unit with a large mean.
    offset = values.mean(axis=0, dtype=np.float64)
    centred = values[np.argsort(cells, kind="stable")] - offset
    mean = np.add.reduceat(centred, first, axis=0) / n[:, None]
    squares = np.add.reduceat(np.square(centred), first, axis=0) - n[:, None] * np.square(mean)
    variance = _cell_variances(np.maximum(squares, 0.0), n, size)

    weight = (size / size.sum())[:, None]
    noise = variance / n[:, None] * (1.0 - n / size)[:, None]
    between = (weight * np.square(mean - (weight * mean).sum(axis=0))).sum(axis=0)
    between -= (weight * (1.0 - weight) * noise).sum(axis=0)
    total = between + (weight * variance * ((size - 1.0) / size)[:, None]).sum(axis=0)
    moves = total > _ROUNDING * np.maximum(np.square(offset), np.finfo(np.float64).tiny)
    return np.where(moves, between / np.where(moves, total, 1.0), 0.0)


def _counts(cells: np.ndarray, n_in_cell: np.ndarray) -> np.ndarray:
    if len(cells) == 0 or cells.min() < 0 or cells.max() >= len(n_in_cell):
        raise UsageError(f"cells are numbered 0 to {len(n_in_cell) - 1}", why="a case lies outside, or there is none")
    n = np.bincount(cells, minlength=len(n_in_cell))
    if (n > n_in_cell).any():
        worst = int(np.argmax(n - n_in_cell))
        raise UsageError(
            f"cell {worst} has {n[worst]} sampled cases of {n_in_cell[worst]} in all",
            why="the cases are a sample without replacement",
            fix="give each case once",
        )
    return n


def _cell_variances(squares: np.ndarray, n: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The variance of each cell and column; cells seen once take the pooled one, cells of one case have none."""
    degrees = (n - 1).sum()
    if degrees == 0 and (size > 1).any():
        raise UsageError(
            "no cell was seen twice, so the noise of a cell's mean is unknown", fix="give more cases, or coarser cells"
        )
    pooled = squares.sum(axis=0) / max(int(degrees), 1)
    own = squares / np.maximum(n - 1, 1)[:, None]
    return np.where(n[:, None] > 1, own, np.where(size[:, None] > 1, pooled, 0.0))
