"""Differences between models: what the tests promise when nothing differs, and when something does."""

from __future__ import annotations

import numpy as np
import pytest

from truescope.tabular.compare import best_without_looking, difference, measure_named


def test_known_differences_get_their_verdicts() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0.8, 0.01, size=100)
    scores = {
        "base": base,
        "same": base + rng.normal(0, 0.002, size=100),
        "worse": base - 0.05 + rng.normal(0, 0.005, size=100),
        "open": base - 0.01 + rng.normal(0, 0.02, size=100),
    }
    verdicts = {}
    for name in ("same", "worse", "open"):
        found = difference(name, "base", scores, measure_named("bacc"), n_train=90, n_test=10, rope=1.0)
        verdicts[name] = found.verdict
        assert found.worse + found.equal + found.better == pytest.approx(1.0)
        assert found.low < found.points < found.high
        assert found.points == pytest.approx(100 * (scores[name] - base).mean())
    assert verdicts == {"same": "practically equal", "worse": "worse", "open": "undecided"}


def test_less_is_better_for_losses() -> None:
    scores = {"a": np.array([0.30, 0.31, 0.29, 0.30]), "b": np.array([0.40, 0.42, 0.39, 0.41])}
    found = difference("a", "b", scores, measure_named("log_loss"), n_train=90, n_test=10, rope=1.0)
    assert found.verdict == "better" and found.points == pytest.approx(10.5)
    assert "better than b" in found.sentence(measure_named("log_loss"))


def test_the_best_is_chosen_by_the_other_folds() -> None:
    scores = {"a": np.array([0.9, 0.1, 0.2, 0.5, 0.5, 0.5]), "b": np.array([0.3, 0.3, 0.3, 0.6, 0.6, 0.6])}
    # Repeat 0: without fold 0, a has .15 and b .3, so b is taken and scores .3; without fold 1 (.55 to .3) and fold 2
    # (.5 to .3) it is a. Repeat 1: b throughout.
    picked, chosen = best_without_looking(scores, [0, 0, 0, 1, 1, 1], measure_named("bacc"))
    assert picked.tolist() == [0.3, 0.1, 0.2, 0.6, 0.6, 0.6] and chosen == {"a": 2, "b": 4}


def test_the_best_of_many_equals_is_not_flattered() -> None:
    rng = np.random.default_rng(5)
    taken, flattered = [], []
    for _ in range(300):
        scores = {f"m{i}": rng.normal(0.5, 0.05, size=10) for i in range(8)}
        picked, _ = best_without_looking(scores, [0] * 10, measure_named("bacc"))
        taken.append(picked.mean())
        flattered.append(max(values.mean() for values in scores.values()))
    assert abs(np.mean(taken) - 0.5) < 4 * np.std(taken) / np.sqrt(300)
    assert np.mean(flattered) > 0.515
