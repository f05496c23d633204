"""What cannot be learned from is refused with what, why and what to do; what is only odd is said."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.multiclass import OneVsRestClassifier

from truescope.core.errors import TableError
from truescope.tabular import CueWarning, FastFrugalTreeClassifier, PositiveClassWarning

Y = np.array([0, 1] * 10)
GOOD = pd.DataFrame({"x": np.arange(20.0), "w": list("ab") * 10})


@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        (GOOD.assign(x=np.inf), Y, "infinite"),
        (GOOD.assign(x=pd.date_range("2024-01-01", periods=20)), Y, "dates"),
        (GOOD.assign(w=["a;b"] * 20), Y, "semicolon"),
        (pd.concat([GOOD, GOOD], axis=1), Y, "more than one column is called 'w', 'x'"),
        (GOOD, np.zeros(20), "one class only, 0"),
        (GOOD, np.arange(20) % 3, "OneVsRestClassifier"),
        (GOOD, pd.Series([None, "a"] * 10), "missing in 10 of 20"),
        (GOOD.assign(y=Y), pd.Series(Y, name="y"), "among the cues"),
        (GOOD.iloc[:0], Y[:0], "0 sample"),
        (GOOD[[]], Y, "0 feature"),
        (GOOD.assign(x=np.nan)[["x"]], Y, "no cue can be split"),
        (GOOD, Y[:-1], "inconsistent numbers of samples"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_refused(X: pd.DataFrame, y: Any, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        FastFrugalTreeClassifier().fit(X, y)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"algorithm": "dfann"}, "did you mean dfan"),
        ({"algorithm": "zigzag"}, "did you mean ifan"),
        ({"goal": "bac"}, "bacc"),
        ({"max_levels": 7}, "from 1 to 6"),
        ({"numthresh_n": 2}, "from 3 to 20"),
        ({"stopping_par": 1.5}, "between 0 and 1"),
        ({"sens_w": 2}, "between 0 and 1"),
        ({"cost_outcomes": {"fn": 1}}, "hi or fa or mi or cr"),
        ({"cost_cues": {"xx": 1}}, "which is no cue"),
        ({"cost_cues": {"x": -1}}, "from 0 up"),
        ({"positive": "2"}, "there is no class"),
        ({"select": 9}, "no tree 9"),
    ],
    ids=str,
)
def test_settings_that_are_none(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(TableError) as refused:
        FastFrugalTreeClassifier(**settings).fit(GOOD[["x"]], Y)
    assert says in str(refused.value)


def test_empty_and_constant_cues_do_no_harm() -> None:
    X = GOOD.assign(empty=np.nan, words=None, flat=3.0)
    y = GOOD["x"].to_numpy() > 11
    model = FastFrugalTreeClassifier().fit(X, y)
    assert model.tree_.cues == ("x",)
    assert (model.predict(X) == y).all()
    assert model.cues_.set_index("cue").loc["empty", "direction"] not in (">", "<=")


def test_ten_thousand_levels_are_said_and_learned() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"id": [f"k{i}" for i in range(10_000)], "x": rng.normal(size=10_000)})
    y = X["x"].to_numpy() > 0
    with pytest.warns(CueWarning, match="10000 levels"):
        model = FastFrugalTreeClassifier().fit(X, y)
    assert model.score(X, y) > 0.99


def test_copies_are_said() -> None:
    X = GOOD.assign(again=GOOD["x"] * 2, leak=Y)
    with pytest.warns(CueWarning) as said:
        FastFrugalTreeClassifier().fit(X, Y)
    text = " ".join(str(one.message) for one in said)
    assert "'leak' tells the target" in text and "'x' and 'again'" in text


@pytest.mark.parametrize(
    ("classes", "positive", "told"),
    [
        ((False, True), True, True),
        (("no", "yes"), "yes", True),
        (("Yes", "No"), "Yes", True),
        ((-1, 1), 1, True),
        (("1", "0"), "1", True),
        (("benign", "malignant"), "malignant", True),
        (("9", "10"), "10", False),
        (("10", "9"), "10", False),
        (("cat", "dog"), "dog", False),
        (("dog", "cat"), "dog", False),
    ],
)
def test_the_positive_class_is_never_an_accident(classes: tuple[Any, Any], positive: Any, told: bool) -> None:
    y = np.array([classes[i % 2] for i in range(20)], dtype=object if isinstance(classes[0], str) else None)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = FastFrugalTreeClassifier().fit(GOOD, y)
    assert model.positive_class_ == positive
    assert told == (not [one for one in said if issubclass(one.category, PositiveClassWarning)])
    # The order in which classes are met changes nothing.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert FastFrugalTreeClassifier().fit(GOOD, y[::-1]).positive_class_ == positive


def test_the_other_class_can_be_the_positive_one(real_data: Any) -> None:
    table = pd.read_csv(real_data / "tabular" / "heart.train.csv")
    X, y = table.drop(columns="diagnosis"), np.where(table["diagnosis"], "yes", "no")
    usual = FastFrugalTreeClassifier().fit(X, y)
    turned = FastFrugalTreeClassifier(positive="no").fit(X, y)
    assert usual.positive_class_ == "yes" and turned.positive_class_ == "no"
    assert turned.base_rate_ == pytest.approx(1 - usual.base_rate_)
    assert turned.tree_.scores.statistics["hi"] == (turned.predict(X)[y == "no"] == "no").sum()
    both = turned.predict_proba(X)
    assert both.sum(1) == pytest.approx(1) and list(turned.classes_) == ["no", "yes"]
    assert (turned.classes_[both.argmax(1)] == turned.predict(X)).all()
    assert "decide no, otherwise, decide yes." in turned.words()


def test_probabilities_are_laplaces(real_data: Any) -> None:
    table = pd.read_csv(real_data / "tabular" / "mushrooms.csv")
    X, y = table.drop(columns="poisonous"), table["poisonous"].to_numpy()
    model = FastFrugalTreeClassifier(proba="leaf").fit(X, y)
    exits = model._exits(model._read_again(X))
    for level in (1, 2):
        for side in (False, True):
            here = (exits.level == level) & (exits.positive == side)
            if here.any():
                share = (y[here].sum() + 1) / (here.sum() + 2)
                assert model.predict_proba(X)[here, 1] == pytest.approx(share, abs=1e-12)
    # A leaf of this tree decides "edible" over cases of which nearly all are poisonous.
    against = model.predict_proba(X)[:, 1] > 0.5
    assert (against != model.predict(X)).sum() > 400
    agreeing = FastFrugalTreeClassifier().fit(X, y).predict_proba(X)[:, 1] > 0.5
    assert (agreeing == model.predict(X)).all()


def test_an_unknown_column_is_answered_with_the_nearest() -> None:
    model = FastFrugalTreeClassifier().fit(GOOD, GOOD["x"] > 4)
    with pytest.raises(ValueError, match="xx"):
        model.predict(GOOD.rename(columns={"x": "xx"}))


def test_a_level_that_was_never_seen_does_not_fire() -> None:
    y = (GOOD["w"] == "b").to_numpy(copy=True)
    y[0] = True
    model = FastFrugalTreeClassifier().fit(GOOD[["w"]], y)
    assert not model.predict(pd.DataFrame({"w": ["c"]}))[0]


def test_more_than_two_classes_one_against_the_rest() -> None:
    X, y = load_iris(return_X_y=True)
    model = OneVsRestClassifier(FastFrugalTreeClassifier()).fit(X, y)
    assert model.score(X, y) > 0.9


def test_arrays_of_objects_hold_words_and_numbers() -> None:
    X = np.array([[1, "a"], [2, "b"], [3, "a"], [4, "b"]] * 3, dtype=object)
    y = [False, False, True, True] * 3
    model = FastFrugalTreeClassifier().fit(X, y)
    assert model.cues_.set_index("cue")["numeric"].to_dict() == {"x0": True, "x1": False}
    assert (model.predict(X) == y).all()
