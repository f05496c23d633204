"""The one scorer of "what the model uses outranks what it does not"."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from truescope.core.errors import UsageError
from truescope.judge.axioms import Outranking, average_precision, outranking


@given(data=st.data(), n=st.integers(2, 12))
def test_it_is_the_area_under_the_roc_curve_with_ties(data: st.DataObject, n: int):
    scores = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), dtype=float)
    used = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    area = outranking(scores, used)
    if used.all() or not used.any():
        assert np.isnan(area)
    else:
        assert area == pytest.approx(roc_auc_score(used, scores), abs=1e-12)
        pairs = np.sign(scores[used][:, None] - scores[~used][None, :])
        assert area == pytest.approx((pairs + 1).mean() / 2)


def test_cases_have_their_own_truth_or_share_one():
    scores = np.array([[[3.0, 1.0, 2.0], [0.0, 0.0, 0.0]], [[1.0, 2.0, 3.0], [5.0, 1.0, 1.0]]])
    shared = outranking(scores, np.array([True, False, False]))
    assert shared.tolist() == [[1.0, 0.5], [0.0, 1.0]]
    own = np.zeros(scores.shape, dtype=bool)
    own[0, 0, 0] = own[1, 0, 2] = own[1, 1] = True
    found = Outranking.of(scores, own)
    assert found.auc[[0, 2]].tolist() == [1.0, 1.0]
    assert (found.n_applicable, found.n_not_applicable, found.mean) == (2, 2, 1.0)


def test_multiplying_by_the_input_loses_used_features_that_are_zero():
    # A linear model on bits: |gradient × input| of a used feature is 0, a tie, where its bit is 0; so the area is
    # ½ + p/2 with p the share of ones. The closed form of the graph benchmark's "local" model.
    rng = np.random.default_rng(0)
    used = np.arange(50) < 25
    for p in (0.1, 0.5, 0.9):
        bits = rng.random((2000, 50)) < p
        found = Outranking.of((bits * used).astype(float), used)
        score = found.score("outranking")
        assert found.mean == pytest.approx(0.5 + p / 2, abs=0.005)
        assert score.low <= 0.5 + p / 2 <= score.high and score.n == 2000


def test_the_interval_is_clustered_and_leaves_out_what_is_not_applicable():
    rng = np.random.default_rng(1)
    graphs = np.repeat(np.arange(12), 40)
    scores = rng.normal(size=(480, 6)) + 2.0 * rng.normal(size=(12, 6))[graphs]
    used = np.tile(np.array([True, True, False, False, False, True]), (480, 1))
    used[:40] = True
    found = Outranking.of(scores, used)
    alone, clustered = found.score("auc"), found.score("auc", graphs)
    assert alone.n == clustered.n == 440 == found.n_applicable and found.n_not_applicable == 40
    assert alone.value == clustered.value == found.mean
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)


def test_bad_input():
    with pytest.raises(UsageError, match="shape"):
        outranking(np.zeros((2, 3)), np.array([True, False]))
    with pytest.raises(UsageError, match="finite"):
        outranking(np.array([np.nan, 1.0]), np.array([True, False]))
    with pytest.raises(UsageError, match="not applicable"):
        Outranking.of(np.zeros((3, 2)), np.ones(2, dtype=bool)).score("auc")


def test_average_precision_by_hand_and_as_scikit_learn_has_it() -> None:
    # Ranked used, unused, used, unused: (1/1 + 2/3) / 2. Without any order: the share of used parts.
    used = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), used) == pytest.approx(5 / 6)
    assert average_precision(np.zeros(4), used) == 0.5
    assert np.isnan(average_precision(np.arange(4.0), np.ones(4, dtype=bool)))
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 5, (20, 30)).astype(float), rng.random((20, 30)) < 0.2
    found = average_precision(scores, truth)
    expected = [average_precision_score(t, s) for t, s in zip(truth, scores, strict=True)]
    np.testing.assert_allclose(found, expected)
