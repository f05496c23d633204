"""The fast fan against the plain one, on random tables with ties, missing values and categories, in every setting."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tabular import slow_fan
from truescope.tabular import FastFrugalTreeClassifier


def random_table(seed: int, n: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers coarse and fine, words, missing cells; a target that depends on some of them."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({
        "coarse": rng.integers(0, 4, n).astype(float),
        "fine": rng.normal(size=n).round(2),
        "binary": rng.integers(0, 2, n),
        "word": rng.choice(list("abcde"), n).astype(object),
        "flat": np.ones(n),
    })  # fmt: skip
    y = (X["coarse"] + X["fine"] + (X["word"] == "b") + rng.normal(size=n) > 2).to_numpy(copy=True)
    for cue, share in (("fine", 0.15), ("word", 0.1), ("coarse", 0.05)):
        X.loc[rng.random(n) < share, cue] = None if cue == "word" else np.nan
    y[:2] = [True, False]
    return X, y


GRID: list[dict[str, Any]] = [
    {},
    {"algorithm": "dfan"},
    {"algorithm": "dfan", "repeat_cues": False, "max_levels": 5},
    {"goal": "acc", "goal_chase": "acc", "goal_threshold": "acc"},
    {"goal": "dprime", "goal_chase": "dprime", "goal_threshold": "dprime", "algorithm": "dfan"},
    {"sens_w": 0.75, "max_levels": 6},
    {"cost_outcomes": {"fa": 3, "mi": 7, "hi": 0.5}, "cost_cues": {"fine": 0.25, "word": 2}},
    {"cost_outcomes": {"fa": 3, "mi": 7}, "goal_threshold": "cost", "algorithm": "dfan"},
    {"numthresh_method": "median"},
    {"numthresh_method": "median", "algorithm": "dfan", "goal_threshold": "acc"},
    {"numthresh_n": 3, "max_levels": 3},
    {"stopping_rule": "levels", "stopping_par": 2},
    {"stopping_rule": "statdelta", "stopping_par": 0.03},
    {"stopping_rule": "statdelta", "stopping_par": 0.2, "cost_cues": {"fine": 1}, "algorithm": "dfan"},
    {"stopping_rule": "exemplars", "stopping_par": 0.4, "algorithm": "dfan"},
    {"max_levels": 1},
]


def plain_settings(model: FastFrugalTreeClassifier) -> dict[str, Any]:
    """The estimator's settings in the plain fan's terms."""
    goals = model._goals
    return {
        "algorithm": model.algorithm,
        "threshold": goals.threshold,
        "chase": goals.chase,
        "costs": {"hi": 0.0, "fa": 1.0, "mi": 1.0, "cr": 0.0} | dict(model.cost_outcomes or {}),
        "cue_costs": dict(model.cost_cues or {}),
        "w": model.sens_w,
        "method": model.numthresh_method,
        "n": model.numthresh_n,
        "rule": model.stopping_rule,
        "par": model.stopping_par,
        "repeat": model.repeat_cues,
    }


@pytest.mark.parametrize("settings", GRID, ids=lambda s: ",".join(f"{k}={v}" for k, v in s.items())[:60] or "default")
@pytest.mark.parametrize("seed", [0, 1])
def test_the_fan_is_the_plain_one(settings: dict[str, Any], seed: int) -> None:
    X, y = random_table(seed)
    model = FastFrugalTreeClassifier(**settings).fit(X, y)
    found = {tuple((n.cue, n.direction, n.threshold, n.exit) for n in tree.nodes) for tree in model.trees_}
    expected = slow_fan.grow(X, y, model.max_levels, plain_settings(model))
    assert found == set(expected)
    goal = model._goals.goal
    values = model.stats_[goal].to_numpy()
    assert (np.diff(values) * (1 if goal == "cost" else -1) >= 0).all()
    # Equally good trees stand in the order of creation.
    place = {nodes: number for number, nodes in enumerate(expected)}
    order = [place[tuple((n.cue, n.direction, n.threshold, n.exit) for n in tree.nodes)] for tree in model.trees_]
    assert all(a < b for a, b, va, vb in zip(order, order[1:], values, values[1:], strict=False) if va == vb)


def test_weights_are_cases_met_more_than_once() -> None:
    X, y = random_table(3)
    weights = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    rows = np.repeat(np.arange(len(y)), weights.astype(int))
    for settings in ({}, {"algorithm": "dfan"}, {"numthresh_method": "median"}):
        weighted = FastFrugalTreeClassifier(**settings).fit(X, y, sample_weight=weights)
        repeated = FastFrugalTreeClassifier(**settings).fit(X.iloc[rows], y[rows])
        assert weighted.trees_ == repeated.trees_
        pd.testing.assert_frame_equal(weighted.stats_, repeated.stats_)


def missing_last_cue() -> tuple[pd.DataFrame, np.ndarray]:
    """Tree 1 asks a, then b; one case is decided at a and lacks b."""
    X = pd.DataFrame({"a": [1.0] * 8 + [0.0] * 12, "b": [0.0, 1.0] * 4 + [0.0] * 6 + [1.0] * 6})
    y = np.array([True] * 7 + [False] + [False] * 5 + [True] * 6 + [False])
    X.loc[0, "b"] = np.nan
    return X, y


def test_a_missing_last_cue_does_not_undo_a_decision() -> None:
    X, y = missing_last_cue()
    right = FastFrugalTreeClassifier().fit(X, y)
    tree = next(t for t in right.trees_ if t.exits == (1.0, 0.5))
    assert tree.cues == ("a", "b")
    first = right.with_tree(tree)
    assert first.predict(X)[0] and first.decision_path(X, 0)[-1]["level"] == 1
    upstream = FastFrugalTreeClassifier(reproduce_upstream_faults=True).fit(X, y).with_tree(tree)
    exits = upstream._exits(upstream._read_again(X))
    assert exits.level[0] == 2
    assert exits.positive[0] == (y.mean() > 0.5)


def test_upstream_cuts_thresholds_to_fifteen_digits() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    X, y = pd.DataFrame({"x": x}), x > np.sort(x)[111]
    exact = FastFrugalTreeClassifier(max_levels=1).fit(X, y).tree_.nodes[0].threshold
    cut = FastFrugalTreeClassifier(max_levels=1, reproduce_upstream_faults=True).fit(X, y).tree_.nodes[0].threshold
    assert exact in set(x) and cut not in set(x)
    assert cut == pytest.approx(exact, rel=1e-14) and repr(cut) == f"{exact:.15g}"


@pytest.mark.parametrize(("choice", "expected"), [("majority", False), ("positive", True), ("negative", False)])
def test_who_lacks_the_last_cue(choice: str, expected: bool) -> None:
    X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0, 4.0]})
    model = FastFrugalTreeClassifier(final_missing=choice).fit(X, np.array([0, 0, 0, 1, 1]))
    assert model.predict(pd.DataFrame({"x": [np.nan]}))[0] == int(expected)


def test_a_coin_for_who_lacks_the_last_cue_follows_the_base_rate() -> None:
    X = pd.DataFrame({"x": np.arange(10.0)})
    model = FastFrugalTreeClassifier(final_missing="baseline", random_state=0).fit(X, np.arange(10) >= 7)
    told = model.predict(pd.DataFrame({"x": np.full(4000, np.nan)}))
    assert told.mean() == pytest.approx(0.3, abs=0.03)
    assert (told == model.predict(pd.DataFrame({"x": np.full(4000, np.nan)}))).all()


def test_a_missing_word_is_a_level_of_its_own() -> None:
    X = pd.DataFrame({"w": ["a", None, "b", None, "a", "b"] * 5})
    y = X["w"].isna().to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = FastFrugalTreeClassifier().fit(X, y)
    assert model.tree_.nodes[0].threshold == ("NA",)
    assert (model.predict(X) == y).all()
