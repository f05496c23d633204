"""Rules and small trees of imodels: FIGS, RuleFit, hierarchical shrinkage, Skope rules; the extra ``interpretable``."""

from __future__ import annotations

import re
import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from truescope.tabular.compare.models import Complexity, Kinds, TableModel, count_words
from truescope.tabular.compare.plain import parts
from truescope.tabular.compare.preparing import cue_of, indicators
from truescope.tabular.compare.thresholds import Rule, ThresholdedClassifier

N_RULES = 12


class ImodelsClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of imodels by the name of its class, told the names of the columns that it is fitted on.

    imodels takes one second to import, and some of its classes use options that scikit-learn is about to drop; they
    warn of them at every fit.
    """

    def __init__(self, kind: str, options: tuple[tuple[str, Any], ...] = ()) -> None:
        self.kind = kind
        self.options = options

    def fit(self, X: Any, y: Any) -> ImodelsClassifier:
        """Fit the model on 0 and 1."""
        self.classes_ = np.unique(y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.filterwarnings("ignore", message="Inconsistent values: penalty")
            self.model_ = getattr(import_module("imodels"), self.kind)(**dict(self.options))
            names = [f"X{i}" for i in range(np.shape(X)[1])]
            self.model_.fit(
                np.asarray(X, dtype=float), (np.asarray(y) == self.classes_[1]).astype(int), feature_names=names
            )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The model's own probabilities or scores."""
        return np.asarray(self.model_.predict_proba(np.asarray(X, dtype=float)), dtype=float)

    def predict(self, X: Any) -> np.ndarray:
        """The model's own decisions, by its own threshold: for one of these models that is chance."""
        return self.classes_[np.asarray(self.model_.predict(np.asarray(X, dtype=float))).astype(int)]


def _build(kind: str, rule: Rule, **options: Any) -> Any:
    def build(kinds: Kinds, goal: str, seed: int) -> Any:
        # FIGS and shrinkage draw nothing at random once the columns are fixed; they take the seed where they have one.
        model = ImodelsClassifier(kind, tuple({**options, "random_state": seed}.items()))
        pipeline = Pipeline([("prepare", indicators(kinds)), ("model", model)])
        return ThresholdedClassifier(pipeline, rule=rule, goal=goal, random_state=seed)

    return build


def _describe(fitted: Any, cues: pd.DataFrame) -> tuple[str, Complexity]:
    _, model, names = parts(fitted)
    text = re.sub(r"\bX(\d+)\b", lambda found: names[int(found[1])], str(model.model_))
    used = {int(number) for number in re.findall(r"\bX(\d+)\b", str(model.model_))}
    asked = {cue_of(names[column], list(cues)) for column in used}
    return text, Complexity(float(model.model_.complexity_), float(len(asked)), count_words(text))


def _rules(name: str, title: str, kind: str, rule: Rule = "prior", **options: Any) -> TableModel:
    return TableModel(name, title, False, _build(kind, rule, **options), _describe, ("imodels", "six"))


MODELS = (
    _rules("figs", f"sum of small trees (FIGS), {N_RULES} splits", "FIGSClassifier", max_rules=N_RULES),
    _rules("hs-tree", f"shrunken tree of {N_RULES} leaves", "HSTreeClassifier", max_leaf_nodes=N_RULES),
    _rules("rulefit", "weighted rules (RuleFit)", "RuleFitClassifier"),
    # Its scores are shares of rules that fire and rarely reach one half: by its own threshold it never says yes.
    _rules("skope-rules", "precise rules (Skope)", "SkopeRulesClassifier", "tuned"),
)
