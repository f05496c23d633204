"""Influence against the inverse that it never forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from truescope.trace.rows import Block, Rows, gaps, influence


def _random(
    seed: int, n_layers: int = 4, width: int = 6, n_inputs: int = 5, n_logits: int = 3
) -> tuple[Rows, np.ndarray]:
    """Rows with units in layers over some inputs, and the same edges as a dense matrix, rows the targets."""
    rng = np.random.default_rng(seed)
    n_units = n_layers * width
    n_sources = n_units + n_inputs
    rows, dense = Rows(n_sources, n_logits), np.zeros((n_sources + n_logits,) * 2)
    for layer in range(n_layers + 1):
        n_below = layer * width
        columns = np.r_[np.arange(n_below), np.arange(n_units, n_sources)].astype(np.int32)
        targets = np.arange(n_sources, n_sources + n_logits) if layer == n_layers else n_below + np.arange(width)
        weight = rng.normal(size=(len(targets), len(columns))).astype(np.float32)
        weight[rng.random(weight.shape) < 0.3] = 0
        rows.add(Block(layer, targets.astype(np.int32), columns, weight))
        dense[np.ix_(targets, columns)] = weight
    return rows, dense


@given(st.integers(0, 10_000))
def test_influence_is_the_inverse_less_one(seed: int) -> None:
    rows, dense = _random(seed)
    p = np.random.default_rng(seed).dirichlet(np.ones(3))
    a = np.abs(dense)
    a /= np.maximum(a.sum(1, keepdims=True), 1e-8)
    start = np.r_[np.zeros(rows.n_sources), p]
    wanted = start @ (np.linalg.inv(np.eye(len(a)) - a) - np.eye(len(a)))
    np.testing.assert_allclose(rows.influence(p)[: rows.n_sources], wanted[: rows.n_sources], rtol=1e-5, atol=1e-7)
    iterated = influence(sparse.csr_array(dense), np.abs(dense).sum(1), start)
    np.testing.assert_allclose(iterated, wanted, rtol=1e-9, atol=1e-12)


@given(st.integers(0, 10_000))
def test_all_influence_ends_in_the_inputs(seed: int) -> None:
    rows, dense = _random(seed)
    # Where a unit's row happens to be empty, what reaches it stays there.
    assert (np.abs(dense[: 4 * 6]).sum(1) > 0).all() or seed
    scores = rows.influence(np.ones(3) / 3)
    ends = scores[24:29].sum() + scores[:24][rows.mass[:24] == 0].sum()
    assert ends == pytest.approx(1.0, rel=1e-5)


def test_a_known_chain() -> None:
    """logit ← unit (3 of 4), logit ← token (1 of 4); unit ← token (all)."""
    rows = Rows(2, 1)
    rows.add(Block(0, np.array([0], np.int32), np.array([1], np.int32), np.array([[-2.0]], np.float32)))
    rows.add(Block(1, np.array([2], np.int32), np.array([0, 1], np.int32), np.array([[3.0, -1.0]], np.float32)))
    np.testing.assert_allclose(rows.influence(np.array([1.0])), [0.75, 1.0, 1.0])


def test_lost_mass_is_lost() -> None:
    matrix = sparse.csr_array(np.array([[0.0, 0.0], [2.0, 0.0]]))
    np.testing.assert_allclose(influence(matrix, np.array([0.0, 8.0]), np.array([0.0, 1.0])), [0.25, 0.0])


def test_gaps_are_relative_to_the_larger_of_h_and_its_rms() -> None:
    h = np.array([3.0, -4.0, 0.0])
    rms = np.sqrt(25 / 3)
    np.testing.assert_allclose(gaps(h + np.array([0.3, 0.4, 0.1]), h), [0.1, 0.1, 0.1 / rms])
