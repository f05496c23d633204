"""`TakeTheBestClassifier`: go through the reasons by validity, and let the first that discriminates decide."""

from __future__ import annotations

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int, Num, Shaped
from sklearn.utils.validation import check_is_fitted

from truescope.tabular.trees.cues import encode
from truescope.tabular.trees.dichotomies import Reason, find_reasons, votes
from truescope.tabular.trees.estimator import TwoClassEstimator
from truescope.tabular.trees.settings import check_goal
from truescope.tabular.trees.statistics import Counts, OutcomeCosts
from truescope.tabular.trees.thresholds import Rules


class TakeTheBestClassifier(TwoClassEstimator):
    """Lexicographic comparison (Gigerenzer & Goldstein 1996, Psychological Review 103, 650–669), also for one case.

    Take-the-best compares two cases: of the cues, in the order of their validity, the first that speaks for one of them
    and not for the other decides (`compare`). To classify one case it is compared with a reference profile; the
    reference is the profile of training cases with the best ``goal`` when all that tie or win are called positive.

    Parameters
    ----------
    goal
        "acc", "bacc", "wacc" or "dprime".
    sens_w
        The weight of sensitivity in wacc.
    positive
        The positive class, as for `FastFrugalTreeClassifier`.

    Attributes
    ----------
    reasons_
        The cues with their cuts, the most valid first; equally valid ones in the table's order.
    reference_
        The profile to compare with: +1, −1, or 0 for missing, one for each reason.
    """

    @no_type_check
    def __init__(self, goal: str = "bacc", *, sens_w: float = 0.5, positive: Any = None):
        self.goal = goal
        self.sens_w = sens_w
        self.positive = positive

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TakeTheBestClassifier:
        """Order the cues by validity and choose the reference.

        Raises:
            TableError: the table cannot be learned from, or a setting is none.
        """
        goal = check_goal(self.goal)
        rules = Rules(goal, goal, sens_w=float(self.sens_w))
        cases = self._read(X, y, sample_weight)
        reasons = find_reasons(encode(cases.columns, cases.kept), cases, rules)
        # A cue that tells no pair apart stands last.
        self.reasons_: list[Reason] = sorted(reasons, key=lambda reason: -np.nan_to_num(reason.validity, nan=-1.0))
        profiles, which = np.unique(votes(self.reasons_, cases.columns)[cases.kept], axis=0, return_inverse=True)
        found = np.bincount(2 * which.ravel() + cases.positive, weights=cases.weights, minlength=2 * len(profiles))
        # np.unique sorts rows by their first entries first: the order of take-the-best.
        wins = found.reshape(-1, 2)[::-1].cumsum(0)[::-1]
        loses = found.reshape(-1, 2).sum(0) - wins
        counts = Counts(hi=wins[:, 1], fa=wins[:, 0], mi=loses[:, 1], cr=loses[:, 0])
        self.reference_ = profiles[np.nanargmax(counts.measure(self.goal, self.sens_w, OutcomeCosts()))]
        return self

    def predict(self, X: Any) -> Shaped[np.ndarray, " cases"]:
        """Positive where the case wins against the reference, or ties."""
        check_is_fitted(self)
        found, _ = _first_difference(votes(self.reasons_, self._read_again(X)), self.reference_[None])
        return self._labels(found >= 0)

    def decision_function(self, X: Any) -> Float[np.ndarray, " cases"]:
        """How early the case wins against the reference (or loses), towards ``classes_[1]``; a tie is one half."""
        check_is_fitted(self)
        found, place = _first_difference(votes(self.reasons_, self._read_again(X)), self.reference_[None])
        return self._towards_second(np.where(found == 0, 0.5, found * (len(self.reasons_) - place.astype(float))))

    def compare(self, A: Any, B: Any) -> tuple[Int[np.ndarray, " pairs"], list[str | None]]:
        """Which case of a pair is likelier positive: 1 that of ``A``, −1 that of ``B``, 0 neither; and by which cue."""
        check_is_fitted(self)
        ours, theirs = (votes(self.reasons_, self._read_again(X)) for X in (A, B))
        found, place = _first_difference(ours, theirs)
        names = [None if side == 0 else self.reasons_[at].cue for side, at in zip(found, place, strict=True)]
        return found, names

    def words(self) -> str:
        """The order of the reasons, and the side on which each decides against the reference."""
        check_is_fitted(self)
        lines = [
            f"Go down this list; the first that differs from the reference decides ({self.positive_class_} if yes):"
        ]
        for reason, vote in zip(self.reasons_, self.reference_, strict=True):
            answer = {1: "yes", 0: "unknown", -1: "no"}[int(vote)]
            lines.append(f"  {reason.question}   reference: {answer}, validity {reason.validity:.3f}")
        lines.append(f"If none differs, decide {self.positive_class_}.")
        return "\n".join(lines)


def _first_difference(
    ours: Int[np.ndarray, "cases reasons"], theirs: Int[np.ndarray, "#cases reasons"]
) -> tuple[Num[np.ndarray, " cases"], Int[np.ndarray, " cases"]]:
    """The sign of the first difference of each row (0: none), and where it is."""
    difference = np.sign(ours.astype(np.int8) - theirs.astype(np.int8))
    place = (difference != 0).argmax(1)
    found: Bool[np.ndarray, " cases"] | Any = difference[np.arange(len(difference)), place]
    return found, place
