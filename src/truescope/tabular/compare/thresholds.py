"""From a score to a decision: the threshold is chosen on the training rows, and never taken on trust."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV
from sklearn.utils.validation import check_is_fitted

Rule = Literal["prior", "tuned"]
GOAL_SCORING = {"bacc": "balanced_accuracy", "acc": "accuracy"}


class ThresholdedClassifier(ClassifierMixin, BaseEstimator):
    """A two-class model whose threshold is chosen on the rows that it is fitted on.

    ``rule`` "prior": decide yes above the base rate of the training rows (above 1/2 for the goal "acc"), which is the
    best threshold for balanced accuracy if the probabilities are right: sensitivity + specificity gains p(x)/π −
    (1−p(x))/(1−π) from each yes, and that is positive where p(x) > π. ``rule`` "tuned": for scores that are no
    probabilities, the threshold with the best goal over ``n_inner`` inner folds of the training rows.

    After `fit`: ``threshold_`` and ``estimator_``.
    """

    def __init__(
        self, estimator: Any, rule: Rule = "prior", goal: str = "bacc", n_inner: int = 5, random_state: int = 0
    ) -> None:
        self.estimator = estimator
        self.rule = rule
        self.goal = goal
        self.n_inner = n_inner
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> ThresholdedClassifier:
        """Fit the model and choose the threshold; ``y`` has two classes, of which the last in order is yes."""
        y = np.asarray(y)
        self.classes_ = np.unique(y)
        if self.rule == "tuned":
            inner = StratifiedKFold(self.n_inner, shuffle=True, random_state=self.random_state)
            tuned = TunedThresholdClassifierCV(
                self.estimator, scoring=GOAL_SCORING.get(self.goal, "balanced_accuracy"), cv=inner
            ).fit(X, y)
            self.estimator_: Any = tuned.estimator_
            self.threshold_ = float(tuned.best_threshold_)
        else:
            self.estimator_ = clone(self.estimator).fit(X, y)
            self.threshold_ = 0.5 if self.goal == "acc" else float((y == self.classes_[1]).mean())
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The model's own probabilities, unchanged."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict_proba(X)

    def predict(self, X: Any) -> np.ndarray:
        """Yes where the probability lies above the threshold (for tuned ones: reaches it)."""
        scores = self.predict_proba(X)[:, 1]
        yes = scores >= self.threshold_ if self.rule == "tuned" else scores > self.threshold_
        return self.classes_[yes.astype(int)]
