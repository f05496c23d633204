"""Post-hoc explainers of any function of a table: occlusion, permutation, association, Shapley values, and chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import permutation_importance

from truescope.core.errors import UsageError, nearest

Function = Callable[[Float[np.ndarray, "cases cues"]], Float[np.ndarray, " cases"]]
Scores = Float[np.ndarray, "cases cues"]


@dataclass(frozen=True)
class Question:
    """What is explained: a function, the cases, and the rows that stand for "the cue is not known"."""

    function: Function
    cases: Float[np.ndarray, "cases cues"]
    background: Float[np.ndarray, "rows cues"]
    seed: int = 0


@dataclass(frozen=True)
class Explainer:
    """``scores`` gives one number for each case and cue, or one row for all cases where ``per_case`` is False.

    ``nothing`` computes f(nothing known) where the scores promise to sum to f(x) − f(nothing known). ``baseline``: what
    stands for "not known" is read from the background alone, so that any one point can be put there.
    """

    name: str
    title: str
    scores: Callable[[Question], Scores]
    per_case: bool = True
    package: str = ""
    nothing: Callable[[Question], float] | None = None
    baseline: bool = False


def _occlude(question: Question, stand_ins: Float[np.ndarray, "rows cues"]) -> Scores:
    """f(x) − mean over rows r of f(x with cue j from r), for each cue j."""
    x, function = question.cases, question.function
    whole, scores = function(x), np.empty(x.shape)
    for cue in range(x.shape[1]):
        without = np.zeros(len(x))
        values, counts = np.unique(stand_ins[:, cue], return_counts=True)
        for value, count in zip(values, counts, strict=True):
            changed = x.copy()
            changed[:, cue] = value
            without += count / len(stand_ins) * function(changed)
        scores[:, cue] = whole - without
    return scores


def occlude_by_zero(question: Question) -> Scores:
    """f(x) − f(x with xⱼ = 0)."""
    return _occlude(question, np.zeros((1, question.cases.shape[1])))


def occlude_by_mean(question: Question) -> Scores:
    """f(x) − f(x with xⱼ = the background's mean): a value that no case may ever have."""
    return _occlude(question, question.background.mean(axis=0, keepdims=True))


def occlude_by_marginal(question: Question) -> Scores:
    """f(x) − E f(x with xⱼ drawn from the background)."""
    return _occlude(question, question.background)


class _Fixed(RegressorMixin, BaseEstimator):
    """A function as an estimator that is fitted already, for scikit-learn's permutation importance."""

    def __init__(self, function: Function) -> None:
        self.function = function

    def fit(self, X: Any, y: Any) -> _Fixed:
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.function(np.asarray(X, dtype=np.float64))

    def __sklearn_is_fitted__(self) -> bool:
        return True


def permute(question: Question) -> Scores:
    """Breiman's permutation importance against the function's own answers: how much R² falls (scikit-learn's)."""
    found: Any = permutation_importance(
        _Fixed(question.function),
        question.cases,
        question.function(question.cases),
        n_repeats=5,
        random_state=question.seed,
    )
    return np.asarray(found.importances_mean, dtype=np.float64)[None, :]


def associate(question: Question) -> Scores:
    """|correlation| of each cue with the function's answers: what goes with them, which is not what is used."""
    x, y = question.cases, question.function(question.cases)
    x, y = x - x.mean(axis=0), y - y.mean()
    spread = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
    return (np.abs(x.T @ y) / np.where(spread > 0, spread, 1.0))[None, :]


def guess(question: Question) -> Scores:
    """A score drawn at random for each cue: the baseline that every explainer must beat."""
    return np.random.default_rng(question.seed).random(question.cases.shape)


def _shapley(question: Question, background: Float[np.ndarray, "rows cues"]) -> Scores:
    """Exact Shapley values by the shap package: all 2^cues sets of known cues, others from the background.

    A case that equals a background of one row has nothing to share, and shap 0.51 fails on it: its values are 0.
    """
    shap = import_module("shap")
    scores = np.zeros(question.cases.shape)
    differing = (question.cases != background[0]).any(axis=1) if len(background) == 1 else np.ones(len(scores), bool)
    if differing.any():
        masker = shap.maskers.Independent(background, max_samples=len(background))
        explain: Any = shap.explainers.Exact(question.function, masker)
        scores[differing] = explain(question.cases[differing], silent=True).values
    return scores


def shapley_zero(question: Question) -> Scores:
    """Shapley values where a cue that is not known is 0."""
    return _shapley(question, np.zeros((1, question.cases.shape[1])))


def shapley_marginal(question: Question) -> Scores:
    """Shapley values where a cue that is not known is drawn from the background."""
    return _shapley(question, question.background)


def _value_at_zero(question: Question) -> float:
    return float(question.function(np.zeros((1, question.cases.shape[1])))[0])


def _mean_value(question: Question) -> float:
    return float(question.function(question.background).mean())


EXPLAINERS = {
    explainer.name: explainer
    for explainer in (
        Explainer("occlusion-zero", "occlusion by 0", occlude_by_zero),
        Explainer("occlusion-mean", "occlusion by the mean", occlude_by_mean),
        Explainer("occlusion-marginal", "occlusion by other rows' values", occlude_by_marginal, baseline=True),
        Explainer("shap-zero", "Shapley values, unknown is 0", shapley_zero, True, "shap", _value_at_zero),
        Explainer(
            "shap-marginal", "Shapley values, unknown is drawn", shapley_marginal, True, "shap", _mean_value, True
        ),
        Explainer("permutation", "permutation importance", permute, per_case=False),
        Explainer("association", "correlation with the answer", associate, per_case=False),
        Explainer("random", "random scores", guess, baseline=True),
    )
}
"""The explainers by name."""


def explainers_named(names: list[str] | None, notes: list[str]) -> list[Explainer]:
    """The explainers of these names; without names all whose package is installed, and what is left out is noted.

    Raises:
        UsageError: an unknown name, with the nearest ones, or a package that is missing.
    """
    from importlib.util import find_spec

    chosen = []
    for name in names or list(EXPLAINERS):
        if name not in EXPLAINERS:
            raise UsageError(
                f"there is no explainer {name!r}",
                why=f"there are {', '.join(EXPLAINERS)}",
                fix=nearest(name, EXPLAINERS),
            )
        explainer = EXPLAINERS[name]
        if explainer.package and find_spec(explainer.package) is None:
            fix = "pip install 'truescope[interpretable]'"
            if names:
                raise UsageError(f"{name} needs {explainer.package}", fix=fix)
            notes.append(f"{name} is left out: it needs {explainer.package} ({fix})")
        else:
            chosen.append(explainer)
    return chosen
