"""Explainable boosting machines (interpret-core): a sum of curves, one for each cue; the extra ``interpretable``."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from truescope.tabular.columns import Kind
from truescope.tabular.compare.models import Complexity, Kinds, TableModel
from truescope.tabular.compare.thresholds import ThresholdedClassifier


class _Boosting(ClassifierMixin, BaseEstimator):
    """`ExplainableBoostingClassifier` on cues of known kinds, with one thread.

    It warns that it does not draw what it learned of missing values; here nothing is drawn.
    """

    def __init__(self, kinds: Kinds, interactions: int | str = 0, random_state: int = 0) -> None:
        self.kinds = kinds
        self.interactions = interactions
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any) -> _Boosting:
        types = ["continuous" if kind is Kind.NUMERIC else "nominal" for kind in self.kinds.values()]
        self.model_ = import_module("interpret.glassbox").ExplainableBoostingClassifier(
            feature_types=types, interactions=self.interactions, random_state=self.random_state, n_jobs=1
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Missing values detected")
            self.model_.fit(X[list(self.kinds)], y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X: pd.DataFrame) -> Any:
        return self.model_.predict_proba(X[list(self.kinds)])

    def predict(self, X: pd.DataFrame) -> Any:
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]


def _curves(kinds: Kinds, goal: str, seed: int) -> Any:
    return ThresholdedClassifier(_Boosting(kinds, 0, seed), goal=goal)


def _curves_and_pairs(kinds: Kinds, goal: str, seed: int) -> Any:
    return ThresholdedClassifier(_Boosting(kinds, 10, seed), goal=goal)


def _describe(fitted: Any, cues: pd.DataFrame) -> tuple[str, Complexity]:
    # Curves are read, not said.
    terms = fitted.estimator_.model_.term_names_
    return "", Complexity(float(len(terms)), float(cues.shape[1]), None)


MODELS = (
    TableModel("ebm", "explainable boosting machine, one curve a cue", False, _curves, _describe, ("interpret",)),
    TableModel(
        "ebm-pairs",
        "explainable boosting machine with ten pairs of cues",
        False,
        _curves_and_pairs,
        _describe,
        ("interpret",),
    ),
)
