"""Tallying and take-the-best against their definitions, counted pair by pair and case by case."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from tabular.test_published_trees import load
from truescope.core.errors import TableError
from truescope.tabular import TakeTheBestClassifier, TallyingClassifier


def test_tallying_finds_the_best_balance(real_data: Path) -> None:
    X, y = load(real_data, "heart.train", "diagnosis")
    model = TallyingClassifier().fit(X, y)
    yes = np.zeros(len(X), dtype=int)
    for reason in model.reasons_:
        column = X[reason.cue]
        if isinstance(reason.threshold, tuple):
            fired = column.isin(reason.threshold)
        else:
            fired = column > reason.threshold if reason.direction == ">" else column <= reason.threshold
        yes += fired.to_numpy().astype(int)
    best = max(balanced_accuracy_score(y, yes >= k) for k in range(len(model.reasons_) + 1))
    assert balanced_accuracy_score(y, model.predict(X)) == pytest.approx(best, abs=1e-12)
    least = next(k for k in range(14) if (model.predict(X) == (yes >= k)).all())
    assert f"if {least} or more" in model.words()


def test_tallying_of_one_cue_is_that_cue(real_data: Path) -> None:
    X, y = load(real_data, "heart.train", "diagnosis")
    model = TallyingClassifier(n_cues=1).fit(X, y)
    assert [reason.cue for reason in model.reasons_] == ["thal"]
    assert (model.predict(X) == X["thal"].isin(["rd", "fd"]).to_numpy()).all()


def test_majority_of_votes_is_found_where_it_is_the_truth() -> None:
    X = pd.DataFrame(list(product([0, 1], repeat=5)), columns=list("abcde"))
    y = X.sum(axis=1).to_numpy() >= 3
    model = TallyingClassifier().fit(X, y)
    assert (model.predict(X) == y).all() and model.cutoff_ == 1
    lacking = X.astype(float)
    lacking.loc[31] = np.nan
    # Without any known cue the balance is 0, below the cutoff.
    assert not model.predict(lacking)[31]


def test_validities_are_shares_of_pairs(real_data: Path) -> None:
    X, y = load(real_data, "heart.train", "diagnosis")
    model = TakeTheBestClassifier().fit(X, y)
    cue = next(reason for reason in model.reasons_ if reason.cue == "ca")
    fired = (X["ca"] > cue.threshold).to_numpy()
    pairs = [(fired[i], fired[j]) for i in np.flatnonzero(y) for j in np.flatnonzero(~y)]
    right, wrong = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    assert cue.validity == pytest.approx(right / (right + wrong), abs=1e-12)
    validities = [reason.validity for reason in model.reasons_]
    assert validities == sorted(validities, reverse=True)


def test_take_the_best_compares_by_the_first_cue_that_discriminates() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 2, (200, 4)), columns=list("abcd"))
    y = X["c"].to_numpy() * 4 + X["a"].to_numpy() * 2 + X["b"].to_numpy() + rng.normal(size=200) > 3
    model = TakeTheBestClassifier().fit(X, y)
    A, B = X.iloc[:100].reset_index(drop=True), X.iloc[100:].reset_index(drop=True)
    found, by = model.compare(A, B)
    for i in range(100):
        expected, name = 0, None
        for reason in model.reasons_:
            sign = 1 if reason.direction == ">" else -1
            difference = sign * (int(A[reason.cue][i]) - int(B[reason.cue][i]))
            if difference:
                expected, name = difference, reason.cue
                break
        assert (found[i], by[i]) == (expected, name)


def test_take_the_best_classifies_by_the_best_cut_of_its_order(real_data: Path) -> None:
    X, y = load(real_data, "heart.train", "diagnosis")
    model = TakeTheBestClassifier().fit(X, y)
    beaten = [int((model.compare(X, X.iloc[[i] * len(X)])[0] >= 0).sum()) for i in range(0, len(X), 15)]
    assert min(beaten) >= 1
    scores = [balanced_accuracy_score(y, model.compare(X, X.iloc[[i] * len(X)])[0] >= 0) for i in range(len(X))]
    assert balanced_accuracy_score(y, model.predict(X)) == pytest.approx(max(scores), abs=1e-12)
    assert "validity" in model.words()


def test_unknown_goals_are_answered_with_the_nearest() -> None:
    with pytest.raises(TableError, match="did you mean bacc"):
        TallyingClassifier(goal="bac").fit([[1], [2]], [0, 1])
    with pytest.raises(TableError, match="from 1 up"):
        TallyingClassifier(n_cues=0).fit([[1], [2]], [0, 1])
