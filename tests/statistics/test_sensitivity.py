"""Closed Sobol indices of functions whose indices are known."""

from __future__ import annotations

import numpy as np
import pytest

from truescope.core.errors import UsageError
from truescope.core.features import Feature
from truescope.statistics import UnitStatistics, closed_sobol

GRID = np.stack(np.meshgrid(np.arange(10), np.arange(10), np.arange(10), indexing="ij"), -1).reshape(-1, 3)
X, Y, Z = GRID.T.astype(float)


def index(values: np.ndarray, cells: np.ndarray, n_in_cell: np.ndarray | None = None) -> np.ndarray:
    counts = np.bincount(cells) if n_in_cell is None else n_in_cell
    return closed_sobol(values.reshape(len(cells), -1), cells, counts)


def test_additive_function_splits_its_variance_by_the_squared_weights():
    values = 1.0 * X + 2.0 * Y + 3.0 * Z
    got = [index(values, GRID[:, i])[0] for i in range(3)]
    assert got == pytest.approx([1 / 14, 4 / 14, 9 / 14])
    assert index(values, GRID[:, 0] * 10 + GRID[:, 1])[0] == pytest.approx(5 / 14)


def test_product_of_centred_factors_is_pure_interaction():
    values = (X - 4.5) * (Y - 4.5)
    assert index(values, GRID[:, 0])[0] == pytest.approx(0.0, abs=1e-12)
    assert index(values, GRID[:, 0] * 10 + GRID[:, 1])[0] == pytest.approx(1.0)


def test_ishigami_function_has_the_published_indices():
    # Ishigami and Homma 1990, a = 7, b = 0.1: S1 = 0.3139, S2 = 0.4424, S3 = 0, and {1, 3} closed = 0.5576.
    n = 60
    angle = -np.pi + 2 * np.pi * (np.arange(n) + 0.5) / n
    a, b, c = np.meshgrid(angle, angle, angle, indexing="ij")
    values = (np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)).ravel()
    i, j, k = (grid.ravel() for grid in np.meshgrid(np.arange(n), np.arange(n), np.arange(n), indexing="ij"))
    got = [index(values, cells)[0] for cells in (i, j, k)]
    assert got == pytest.approx([0.3139, 0.4424, 0.0], abs=1e-3)


def test_half_of_the_cases_give_an_unbiased_estimate():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=len(GRID))
    cells = GRID[:, 0] * 10 + GRID[:, 1]  # 100 cells of 10: a naive estimate would say 0.2 for pure noise
    columns = np.stack([noise, X + noise * X.std(), X * 2], axis=1)
    exact = index(columns, cells)
    got, naive = [], []
    for _ in range(200):
        chosen = rng.permutation(len(GRID))[:500]
        got.append(closed_sobol(columns[chosen], cells[chosen], np.full(100, 10)))
        means = np.array([noise[chosen][cells[chosen] == c].mean() for c in np.unique(cells[chosen])])
        naive.append(means.var() / noise[chosen].var())
    assert np.mean(got, axis=0) == pytest.approx(exact, abs=0.015)
    assert np.mean(naive) > exact[0] + 0.05


def test_unrelated_unit_has_an_index_about_zero():
    # A fresh sample of an infinite population: large cells' counts make the finite correction vanish.
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 100, size=2000)
    got = closed_sobol(rng.normal(size=(2000, 200)), cells, np.full(100, 10**9))
    assert abs(got.mean()) < 0.003 and (abs(got) < 0.05).all()


def test_large_means_and_constant_units_do_no_harm():
    assert index(1e7 + X, GRID[:, 0])[0] == pytest.approx(1.0)
    assert index(np.full(1000, 0.1), GRID[:, 0])[0] == 0.0
    assert index(np.zeros(1000), GRID[:, 0])[0] == 0.0


def test_bad_cells_are_refused():
    with pytest.raises(UsageError, match="numbered"):
        closed_sobol(np.ones((2, 1)), np.array([0, 2]), np.array([1, 1]))
    with pytest.raises(UsageError, match="2 sampled cases of 1"):
        closed_sobol(np.ones((2, 1)), np.array([0, 0]), np.array([1, 1]))
    with pytest.raises(UsageError, match="seen twice"):
        closed_sobol(np.ones((2, 1)), np.array([0, 1]), np.array([5, 5]))


def test_unit_statistics_and_what_is_live():
    columns = np.array([[1.0, 0.0, 5.0, -1.0], [3.0, 0.0, 5.0, 1.0]])
    features = [Feature(0, 0), Feature(0, 1), Feature(1, 0), Feature(1, 1)]
    units = UnitStatistics.measure(columns, features)
    assert units.mean.tolist() == [2.0, 0.0, 5.0, 0.0]
    assert units.size.tolist() == [2.0, 0.0, 5.0, 1.0]
    assert units.spread.tolist() == [1.0, 0.0, 0.0, 1.0]
    assert units.live.tolist() == [True, False, False, True]
    assert units.index[Feature(1, 1)] == 3
    with pytest.raises(UsageError, match="different units"):
        UnitStatistics.measure(columns, features[:3])
    with pytest.raises(UsageError, match="finite"):
        UnitStatistics.measure(columns * np.nan, features)
