"""`TallyingClassifier`: count the reasons for and against, all with the same weight, and decide by their balance."""

from __future__ import annotations

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float, Int, Shaped
from sklearn.utils.validation import check_is_fitted

from truescope.core.errors import TableError
from truescope.tabular.trees.cues import encode
from truescope.tabular.trees.dichotomies import Reason, find_reasons, votes
from truescope.tabular.trees.estimator import TwoClassEstimator
from truescope.tabular.trees.settings import check_goal
from truescope.tabular.trees.statistics import Counts, OutcomeCosts
from truescope.tabular.trees.thresholds import Rules


class TallyingClassifier(TwoClassEstimator):
    """Unit weights (Dawes 1979, American Psychologist 34, 571–582): decide "positive" if Σ votes ≥ ``cutoff_``.

    Each cue is cut in two by its best split for ``goal`` and votes +1 or −1; a missing number has no vote. The cutoff
    is the balance of a training case that has the best ``goal``; of equally good ones the smallest.

    Parameters
    ----------
    goal
        "acc", "bacc", "wacc" or "dprime".
    n_cues
        Count only this many of the best cues; None counts all.
    sens_w
        The weight of sensitivity in wacc.
    positive
        The positive class, as for `FastFrugalTreeClassifier`.

    Attributes
    ----------
    reasons_
        The cues with their cuts, in the table's order.
    cutoff_
        The smallest balance that is decided "positive".
    """

    @no_type_check
    def __init__(self, goal: str = "bacc", *, n_cues: int | None = None, sens_w: float = 0.5, positive: Any = None):
        self.goal = goal
        self.n_cues = n_cues
        self.sens_w = sens_w
        self.positive = positive

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TallyingClassifier:
        """Cut every cue and set the cutoff.

        Raises:
            TableError: the table cannot be learned from, or a setting is none.
        """
        goal = check_goal(self.goal)
        rules = Rules(goal, goal, sens_w=float(self.sens_w))
        if self.n_cues is not None and self.n_cues < 1:
            raise TableError(f"n_cues is a number from 1 up, not {self.n_cues!r}")
        cases = self._read(X, y, sample_weight)
        reasons = find_reasons(encode(cases.columns, cases.kept), cases, rules)
        best = sorted(range(len(reasons)), key=lambda place: -reasons[place].chase)[: self.n_cues]
        self.reasons_: list[Reason] = [reasons[place] for place in sorted(best)]
        balance = self._balance(cases.columns)[cases.kept]
        places = 2 * (balance + len(self.reasons_)) + cases.positive
        found = np.bincount(places, weights=cases.weights, minlength=4 * len(self.reasons_) + 2).reshape(-1, 2)
        at_least = found[::-1].cumsum(0)[::-1]
        below = found.sum(0) - at_least
        counts = Counts(hi=at_least[:, 1], fa=at_least[:, 0], mi=below[:, 1], cr=below[:, 0])
        values = counts.measure(self.goal, self.sens_w, OutcomeCosts())
        values[found.sum(1) == 0] = np.nan
        self.cutoff_ = int(np.nanargmax(values)) - len(self.reasons_)
        return self

    def predict(self, X: Any) -> Shaped[np.ndarray, " cases"]:
        """The class on whose side the balance falls."""
        check_is_fitted(self)
        return self._labels(self._balance(self._read_again(X)) >= self.cutoff_)

    def decision_function(self, X: Any) -> Float[np.ndarray, " cases"]:
        """How far the balance of reasons lies from the cutoff, towards ``classes_[1]``."""
        check_is_fitted(self)
        return self._towards_second(self._balance(self._read_again(X)) - self.cutoff_ + 0.5)

    def words(self) -> str:
        """The rule in words."""
        check_is_fitted(self)
        reasons = "\n".join(f"  {reason.question}" for reason in self.reasons_)
        for_ = (self.cutoff_ + len(self.reasons_) + 1) // 2
        return (
            f"Of these {len(self.reasons_)} questions, if {for_} or more are answered yes, decide "
            f"{self.positive_class_}, otherwise, decide {self.negative_class_}:\n{reasons}"
        )

    def _balance(self, columns: Any) -> Int[np.ndarray, " cases"]:
        return votes(self.reasons_, columns).sum(1, dtype=np.int64)
