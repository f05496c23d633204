"""Fast-and-frugal trees, tallying and take-the-best as models of a comparison: they take every cue as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from truescope.tabular.compare.models import Complexity, Kinds, TableModel, count_words
from truescope.tabular.trees import FastFrugalTreeClassifier, TakeTheBestClassifier, TallyingClassifier

_N_INNER = 5


class VotingClassifier(ClassifierMixin, BaseEstimator):
    """A heuristic that decides by a score of its own, with probabilities beside it.

    Decisions are the heuristic's. Its score becomes a probability by p = σ(a·score + b), with a and b fitted on scores
    of training cases that the heuristic was not fitted on (Platt 1999), in five inner folds.
    """

    def __init__(self, heuristic: Any, random_state: int = 0) -> None:
        self.heuristic = heuristic
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any) -> VotingClassifier:
        """Fit the heuristic on all rows, and the sigmoid on inner folds."""
        n_inner = min(_N_INNER, int(np.bincount(np.asarray(y, dtype=int)).min()))
        inner = StratifiedKFold(max(2, n_inner), shuffle=True, random_state=self.random_state)
        scores: Any = cross_val_predict(self.heuristic, X, y, cv=inner, method="decision_function")
        self.sigmoid_ = LogisticRegression().fit(scores[:, None], y)
        self.heuristic_: Any = clone(self.heuristic).fit(X, y)
        self.classes_ = self.heuristic_.classes_
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """σ(a·score + b) for the second class."""
        return self.sigmoid_.predict_proba(self.heuristic_.decision_function(X)[:, None])

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """The heuristic's own decisions."""
        return self.heuristic_.predict(X)


def _goal(goal: str) -> str:
    return "acc" if goal == "acc" else "bacc"


def _fft(algorithm: str) -> Any:
    def build(kinds: Kinds, goal: str, seed: int) -> Any:
        # Its decisions do not come from the probabilities, so these may be the leaves' shares as they are.
        return FastFrugalTreeClassifier(algorithm, goal=_goal(goal), proba="leaf", random_state=seed)

    return build


def _tallying(kinds: Kinds, goal: str, seed: int) -> Any:
    return VotingClassifier(TallyingClassifier(_goal(goal)), seed)


def _take_the_best(kinds: Kinds, goal: str, seed: int) -> Any:
    return VotingClassifier(TakeTheBestClassifier(_goal(goal)), seed)


def _describe_fft(fitted: Any, cues: pd.DataFrame) -> tuple[str, Complexity]:
    text, tree = fitted.words(), fitted.tree_
    return text, Complexity(float(len(tree.nodes)), float(tree.scores.statistics["mcu"]), count_words(text))


def _describe_votes(fitted: Any, cues: pd.DataFrame) -> tuple[str, Complexity]:
    text, n_reasons = fitted.heuristic_.words(), float(len(fitted.heuristic_.reasons_))
    return text, Complexity(n_reasons, n_reasons, count_words(text))


def _describe_list(fitted: Any, cues: pd.DataFrame) -> tuple[str, Complexity]:
    heuristic = fitted.heuristic_
    text, n_reasons = heuristic.words(), len(heuristic.reasons_)
    # ±(n − place) where the first reason that differs decides, ½ where none does and all were asked.
    score = np.abs(heuristic.decision_function(cues))
    asked = np.where(score == 0.5, n_reasons, n_reasons - score + 1)
    return text, Complexity(float(n_reasons), float(asked.mean()), count_words(text))


MODELS = (
    TableModel("fft-ifan", "fast-and-frugal tree (ifan)", False, _fft("ifan"), _describe_fft),
    TableModel("fft-dfan", "fast-and-frugal tree (dfan)", False, _fft("dfan"), _describe_fft),
    TableModel("tallying", "tallying: reasons counted", False, _tallying, _describe_votes),
    TableModel("take-the-best", "take-the-best: one reason decides", False, _take_the_best, _describe_list),
)
