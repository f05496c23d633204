"""Measures, calibration and thresholds against counts done by hand and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from truescope.core.errors import UsageError
from truescope.tabular.compare import Calibration, ThresholdedClassifier, measure_named
from truescope.tabular.compare.measures import CLIP, best_bacc, measured


def test_measures_of_five_cases_by_hand() -> None:
    positive = np.array([True, True, False, False, False])
    decided = np.array([True, False, False, False, True])
    probability = np.array([0.9, 0.4, 0.4, 0.1, 0.6])
    found = measured(positive, decided, probability)
    assert found["bacc"] == pytest.approx((1 / 2 + 2 / 3) / 2) and found["acc"] == pytest.approx(3 / 5)
    # Pairs (positive, negative): .9 wins three; .4 ties one, wins one, loses one.
    assert found["auc"] == pytest.approx((3 + 1.5) / 6)
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.16 + 0.01 + 0.36) / 5)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.6, 0.9, 0.4]).mean())
    # Yes from .9 on: sensitivity ½, specificity 1. From .4 on: 1 and ⅓.
    assert best_bacc(positive, probability) == pytest.approx(0.75)


def test_who_is_sure_and_wrong_pays_a_finite_price() -> None:
    found = measured(np.array([True, False]), np.array([False, True]), np.array([0.0, 1.0]))
    assert found["log_loss"] == pytest.approx(-np.log(CLIP))


def test_calibration_of_a_coin_that_says_so_is_right() -> None:
    rng = np.random.default_rng(0)
    said = rng.random(200_000)
    assert Calibration.of(rng.random(200_000) < said, said).error < 0.005
    # Saying p² where p is true: the error is E|p − p²| = 1/6.
    p = rng.random(200_000)
    assert Calibration.of(rng.random(200_000) < p, p**2, 20).error == pytest.approx(1 / 6, abs=0.006)


def test_cases_of_one_probability_share_a_bin() -> None:
    said = np.repeat([0.2, 0.8], [70, 30])
    found = Calibration.of(np.arange(100) < 50, said)
    assert found.said == pytest.approx((0.2, 0.8)) and found.n == (70, 30)
    assert found.error == pytest.approx(0.7 * abs(0.2 - 50 / 70) + 0.3 * 0.8)
    assert Calibration.of(np.arange(10) < 4, np.full(10, 0.4)).error == pytest.approx(0.0)


def test_the_prior_is_the_best_threshold_for_right_probabilities() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40_000, 1))
    p = 1 / (1 + np.exp(-(2 * x[:, 0] - 2.5)))
    y = rng.random(40_000) < p
    fitted = ThresholdedClassifier(LogisticRegression()).fit(x, y)
    assert fitted.threshold_ == pytest.approx(y.mean())
    decided = fitted.predict(x).astype(bool)
    found = (decided[y].mean() + (~decided[~y]).mean()) / 2
    assert best_bacc(y, fitted.predict_proba(x)[:, 1]) - found < 0.003
    at_half = fitted.predict_proba(x)[:, 1] > 0.5
    assert found - (at_half[y].mean() + (~at_half[~y]).mean()) / 2 > 0.05
    assert ThresholdedClassifier(LogisticRegression(), goal="acc").fit(x, y).threshold_ == 0.5


class _Shifted(DummyClassifier):
    """Scores that rank well and never come near one half."""

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        score = 0.1 / (1 + np.exp(-X[:, 0]))
        return np.column_stack([1 - score, score])


def test_a_tuned_threshold_finds_scores_that_are_no_probabilities() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3_000, 1))
    y = rng.random(3_000) < 1 / (1 + np.exp(-3 * x[:, 0]))
    fitted = ThresholdedClassifier(_Shifted(), rule="tuned").fit(x, y)
    decided = fitted.predict(x).astype(bool)
    assert (decided[y].mean() + (~decided[~y]).mean()) / 2 > 0.8
    own = _Shifted().fit(x, y).predict_proba(x)[:, 1] > 0.5
    assert not own.any()


def test_a_misspelt_measure_is_answered() -> None:
    with pytest.raises(UsageError, match="did you mean brier"):
        measure_named("brie")
