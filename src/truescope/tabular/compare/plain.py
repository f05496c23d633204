"""Models of scikit-learn: logistic regression, a decision tree, boosted trees and a random forest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, export_text

from truescope.tabular.compare.models import Complexity, Kinds, TableModel, count_words
from truescope.tabular.compare.preparing import codes, indicators, n_numeric
from truescope.tabular.compare.thresholds import ThresholdedClassifier

TREE_DEPTH = 3


def _logistic(kinds: Kinds, goal: str, seed: int) -> Any:
    model = LogisticRegression(max_iter=1000, random_state=seed)
    return ThresholdedClassifier(Pipeline([("prepare", indicators(kinds, scale=True)), ("model", model)]), goal=goal)


def _tree(kinds: Kinds, goal: str, seed: int) -> Any:
    model = DecisionTreeClassifier(max_depth=TREE_DEPTH, min_samples_leaf=5, random_state=seed)
    return ThresholdedClassifier(Pipeline([("prepare", indicators(kinds, fill=False)), ("model", model)]), goal=goal)


def _boosting(kinds: Kinds, goal: str, seed: int) -> Any:
    words: Any = list(range(n_numeric(kinds), len(kinds))) or None
    model = HistGradientBoostingClassifier(categorical_features=words, random_state=seed)
    return ThresholdedClassifier(Pipeline([("prepare", codes(kinds)), ("model", model)]), goal=goal)


def _forest(kinds: Kinds, goal: str, seed: int) -> Any:
    model = RandomForestClassifier(n_estimators=100, min_samples_leaf=2, random_state=seed, n_jobs=1)
    return ThresholdedClassifier(Pipeline([("prepare", indicators(kinds, fill=False)), ("model", model)]), goal=goal)


def parts(fitted: ThresholdedClassifier) -> tuple[Any, Any, list[str]]:
    """The preparation, the model, and the names of the columns between them."""
    steps = fitted.estimator_.named_steps
    names = [str(name) for name in steps["prepare"].get_feature_names_out()]
    return steps["prepare"], steps["model"], names


def _describe_logistic(fitted: Any, cues: pd.DataFrame) -> tuple[str, Complexity]:
    _, model, names = parts(fitted)
    weights = model.coef_[0]
    order = np.argsort(-np.abs(weights))
    lines = [f"{names[i]} {weights[i]:+.3g}" for i in order if weights[i] != 0]
    text = "\n".join([f"intercept {model.intercept_[0]:+.3g}", *lines])
    return text, Complexity(float(len(lines)), float(cues.shape[1]), count_words(text))


def _describe_tree(fitted: Any, cues: pd.DataFrame) -> tuple[str, Complexity]:
    prepare, model, names = parts(fitted)
    text = export_text(model, feature_names=names).strip()
    asked = np.asarray(model.decision_path(prepare.transform(cues)).sum(axis=1)).ravel() - 1
    questions = int((model.tree_.children_left >= 0).sum())
    return text, Complexity(
        float(questions), float(asked.mean()), count_words(text.replace("|", " ").replace("---", " "))
    )


def _describe_forest(fitted: Any, cues: pd.DataFrame) -> tuple[str, Complexity]:
    _, model, _ = parts(fitted)
    questions = sum(int((tree.tree_.children_left >= 0).sum()) for tree in model.estimators_)
    return "", Complexity(float(questions), float(cues.shape[1]), None)


def _describe_boosting(fitted: Any, cues: pd.DataFrame) -> tuple[str, Complexity]:
    _, model, _ = parts(fitted)
    # At most: what grew smaller stopped for want of cases.
    return "", Complexity(float(model.n_iter_ * (model.max_leaf_nodes - 1)), float(cues.shape[1]), None)


INTERPRETABLE = (
    TableModel("logistic", "logistic regression", False, _logistic, _describe_logistic),
    TableModel("tree", f"decision tree of depth {TREE_DEPTH}", False, _tree, _describe_tree),
)
OPAQUE = (
    TableModel("hist-gradient-boosting", "gradient boosted trees", True, _boosting, _describe_boosting),
    TableModel("random-forest", "random forest", True, _forest, _describe_forest),
)
