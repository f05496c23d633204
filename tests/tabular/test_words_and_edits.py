"""Trees read back equal from their words and records, and edits change what they say they change."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular.test_published_trees import load
from truescope.core.errors import TableError
from truescope.tabular import FastFrugalTree, FastFrugalTreeClassifier, Node
from truescope.tabular.trees.words import from_words, to_words

names = st.one_of(st.sampled_from(["age", "cellsize.unif", "is", "in", "if"]), st.text(min_size=1, max_size=12))
levels = st.lists(
    st.text(alphabet=st.characters(exclude_characters=";"), max_size=8), min_size=1, max_size=4, unique=True
)
labels = st.one_of(
    st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)


@st.composite
def nodes(draw: st.DrawFn, exit: float) -> dict[str, Any]:
    numeric = draw(st.booleans())
    direction = draw(st.sampled_from([">", "<=", ">=", "<"] if numeric else ["=", "!="]))
    threshold = draw(st.floats(allow_nan=False, allow_infinity=False) if numeric else levels)
    return {"cue": draw(names), "direction": direction, "threshold": threshold, "exit": exit}


@st.composite
def tree_records(draw: st.DrawFn) -> dict[str, Any]:
    exits = draw(st.lists(st.sampled_from([0.0, 1.0]), max_size=5))
    two = draw(st.lists(labels, min_size=2, max_size=2, unique_by=str))
    negative, positive = [False, True] if two[0] == two[1] else two
    return {
        "nodes": [draw(nodes(exit)) for exit in [*exits, 0.5]],
        "negative": negative,
        "positive": positive,
    }


@given(tree_records(), st.sampled_from(["en", "de"]))
@settings(max_examples=300, deadline=None)
def test_every_tree_reads_back_from_its_words(record: dict[str, Any], language: str) -> None:
    tree = FastFrugalTree.from_dict(record)
    again = from_words(to_words(tree, language))
    assert again == tree
    assert type(again.positive) is type(tree.positive)


@given(tree_records())
@settings(max_examples=100, deadline=None)
def test_every_tree_reads_back_from_its_record(record: dict[str, Any]) -> None:
    tree = FastFrugalTree.from_dict(record)
    assert FastFrugalTree.from_dict(json.loads(json.dumps(tree.to_dict()))) == tree


def test_the_words_of_the_heart_tree(real_data: Path) -> None:
    model = FastFrugalTreeClassifier().fit(*load(real_data, "heart.train", "diagnosis"))
    assert model.words() == (
        "If thal = {rd,fd}, decide True.\nIf cp != {a}, decide False.\nIf ca > 0, decide True, otherwise, decide False."
    )
    assert model.words(language="de").splitlines()[0] == "Wenn thal = {rd,fd}, entscheide True."
    for tree in model.trees_:
        assert from_words(to_words(tree)) == tree


@pytest.mark.parametrize(
    "text",
    [
        "If age > 56, predict TRUE. If sex is {m}, predict False. If ca <= 0, predict false, else predict true.",
        "if age > 56 then decide True; if sex = [m], decide False; if ca <= 0, decide False. Otherwise, decide True",
    ],
)
def test_other_ways_of_saying_it(text: str) -> None:
    tree = from_words(text, positive=True)
    assert tree.nodes == (
        Node("age", ">", 56.0, 1.0),
        Node("sex", "!=", ("m",), 0.0),
        Node("ca", ">", 0.0, 0.5),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "last sentence"),
        ("If age > 56, decide True.", "last sentence"),
        ("If age > old, decide True, otherwise, decide False.", "no sentence"),
        ("If a > 1, decide x. If b > 1, decide y, otherwise, decide z.", "two labels"),
        ("If a > 1, decide x, otherwise, decide y. If b > 1, decide x, otherwise, decide y.", "last sentence"),
    ],
)
def test_words_that_make_no_tree(text: str, says: str) -> None:
    with pytest.raises(TableError, match=says):
        from_words(text)


def test_an_estimator_from_words_decides_as_the_words_say(real_data: Path) -> None:
    X, y = load(real_data, "heart.train", "diagnosis")
    text = (
        "If thal = {rd,fd}, decide True.\nIf cp != {a}, decide False.\nIf ca > 0, decide True, otherwise, decide False."
    )
    model = FastFrugalTreeClassifier.from_words(text, X, y)
    by_hand = X["thal"].isin(["rd", "fd"]) | ((X["cp"] == "a") & (X["ca"] > 0))
    assert (model.predict(X) == by_hand.to_numpy()).all()
    assert model.tree_.scores.statistics["hi"] == 54
    with pytest.raises(TableError, match="did you mean thal"):
        FastFrugalTreeClassifier.from_words(text.replace("thal", "thall"), X, y)


def test_edits_and_their_scores(real_data: Path) -> None:
    X, y = load(real_data, "heart.train", "diagnosis")
    model = FastFrugalTreeClassifier().fit(X, y)
    thal, a, ca = X["thal"].isin(["rd", "fd"]), X["cp"] == "a", X["ca"] > 0
    expected = {
        "drop": ({"drop": 2}, thal | ca),
        "drop last": ({"drop": 3}, thal | a),
        "flip": ({"flip": 1}, thal & a & ca),
        "flip last": ({"flip": 3}, thal | (a & ~ca)),
        # cp first (exit 0), then ca takes the exit of thal, which decides both ways now.
        "reorder": ({"reorder": [2, 3, 1]}, a & (ca | thal)),
    }
    for name, (change, decision) in expected.items():
        tree = model.edit(**change)
        changed = model.with_tree(tree)
        assert (changed.predict(X) == decision.to_numpy()).all(), name
        assert tree.scores.statistics["hi"] == (decision & y).sum(), name
        assert tree.scores.statistics["fa"] == (decision & ~y).sum(), name
    assert model.predict(X).sum() == (thal | (a & ca)).sum()
    for change, says in (
        ({"drop": 4}, "no level 4"),
        ({"reorder": [1, 1, 2]}, "no order"),
        ({"flip": 0}, "no level 0"),
    ):
        with pytest.raises(TableError, match=says):
            model.edit(**change)


def test_an_estimator_is_a_small_record_and_a_small_pickle(real_data: Path) -> None:
    X, y = load(real_data, "mushrooms", "poisonous")
    model = FastFrugalTreeClassifier(select=2).fit(X, y)
    again = FastFrugalTreeClassifier.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))
    unpickled = pickle.loads(pickle.dumps(model))
    assert len(pickle.dumps(model)) < 60_000
    for other in (again, unpickled):
        assert (other.predict(X) == model.predict(X)).all()
        assert np.array_equal(other.predict_proba(X), model.predict_proba(X))
        pd.testing.assert_frame_equal(other.stats_, model.stats_)
    assert unpickled.edit(drop=1).scores is None


def test_a_record_of_something_else_is_refused() -> None:
    bad: list[dict[str, Any]] = [{}, {"format": "fast-and-frugal trees 1"}]
    for record in bad:
        with pytest.raises(TableError):
            FastFrugalTreeClassifier.from_dict(record)
    with pytest.raises(TableError, match="no tree"):
        FastFrugalTree.from_dict({"nodes": [{"cue": "a"}]})
