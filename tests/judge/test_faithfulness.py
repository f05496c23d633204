"""Graph faithfulness on graphs small enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from truescope.core.errors import UsageError
from truescope.judge.faithfulness import (
    edge_outranking,
    hops,
    path_recall,
    retrieval,
    sign_agreement,
    topological,
)

TRUE = {("a", "u"), ("b", "u"), ("a", "v"), ("u", "w"), ("v", "w"), ("w", "end"), ("v", "end")}


def test_edge_outranking_counts_pairs_among_candidates() -> None:
    scores = np.array([[3.0, -2.0, 0.0], [1.0, 9.0, 0.0]])
    used = np.array([[True, False, False], [True, False, False]])
    candidates = np.array([[True, True, True], [True, False, True]])
    # |3| beats 2, 0, 0; |1| beats 0, 0 and loses to 2: 5 of 6; the 9 is no candidate.
    assert edge_outranking(scores, used, candidates) == pytest.approx(5 / 6)
    assert math.isnan(edge_outranking(scores, candidates, candidates))
    with pytest.raises(UsageError, match="1 true edges are not"):
        edge_outranking(scores, ~candidates, candidates)


def test_sign_agreement_counts_zero_as_wrong() -> None:
    scores, truth = np.array([1.0, -1.0, 0.0, 5.0]), np.array([2.0, 3.0, 1.0, -1.0])
    assert sign_agreement(scores, truth, np.array([True, True, True, False])) == pytest.approx(1 / 3)
    assert math.isnan(sign_agreement(scores, truth, np.zeros(4, bool)))


def test_retrieval_of_nodes_and_edges() -> None:
    found = retrieval({"a", "b", "c", "d"}, {"b", "c", "e"})
    assert (found.precision, found.recall, found.n_shown, found.n_true) == (0.5, pytest.approx(2 / 3), 4, 3)
    assert math.isnan(retrieval(set(), {("a", "b")}).precision)
    assert retrieval(TRUE, TRUE).recall == 1.0


def test_path_recall_counts_whole_paths() -> None:
    # a-u-w, b-u-w, a-v-w, a-v: four paths to the end.
    assert path_recall(TRUE, TRUE, {"a", "b"}, ["end"]) == 1.0
    assert path_recall(TRUE - {("u", "w")}, TRUE, {"a", "b"}, ["end"]) == 0.5
    assert path_recall(TRUE - {("w", "end")} | {("a", "end")}, TRUE, {"a", "b"}, ["end"]) == 0.25
    assert path_recall(set(), TRUE, {"a"}, ["end"]) == 0.0
    assert math.isnan(path_recall(TRUE, TRUE, {"z"}, ["end"]))


def test_topological_order_and_cycles() -> None:
    order = topological({"end": ["w"], "w": ["u", "a"], "u": ["a"]}, ["end"])
    assert order.index("a") < order.index("u") < order.index("w") < order.index("end")
    with pytest.raises(UsageError, match="cycle"):
        topological({"a": ["b"], "b": ["a"]}, ["a"])


def test_hops_of_a_chain_with_a_short_cut() -> None:
    # Sources: units u, v, then inputs a, b. Targets: u, v, then the end.
    weight = np.array([[0.0, 0, 2, 0], [-4, 0, 0, 0], [0, 3, 0, 1]])
    found = hops(weight, np.array([True, True, False, False]), np.array([2]))
    np.testing.assert_allclose(found.share, [0.25, 0, 0.75])
    assert found.mean == pytest.approx(1.5)
    assert found.at_most_one == pytest.approx(0.25)
    only_a = hops(weight, np.array([True, True, False, False]), np.array([2]), np.array([False, False, True, False]))
    np.testing.assert_allclose(only_a.share, [0, 0, 1])
    with pytest.raises(UsageError, match="cycle"):
        hops(np.ones((2, 1)), np.array([True]), np.array([1]))
    with pytest.raises(UsageError, match="first"):
        hops(weight, np.array([False, False, True, True]), np.array([2]))
