"""Two models on the same splits: how much they differ, and with what probability that matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from truescope.statistics import bayesian_correlated_t, corrected_resampled_t
from truescope.tabular.compare.measures import Measure

SURE = 0.95
"""A verdict needs this posterior probability; below it the sentence says what is most likely, and that it is open."""


@dataclass(frozen=True)
class Difference:
    """``model`` minus ``reference`` on one measure, turned so that more is better, in points (hundredths).

    ``low`` and ``high``: 95 % interval of the corrected resampled t (Nadeau and Bengio 2003), ``p`` its two-sided p.
    ``worse``, ``equal``, ``better``: posterior probabilities of the correlated t (Corani and Benavoli 2015) that the
    difference lies below, in and above the region of practical equivalence ±``rope`` points.
    """

    model: str
    reference: str
    measure: str
    points: float
    low: float
    high: float
    p: float
    worse: float
    equal: float
    better: float
    rope: float
    n: int

    @property
    def verdict(self) -> str:
        """ "worse", "practically equal" or "better" where that is 95 % sure, else "undecided"."""
        word, probability = self._most_likely()
        return word if probability >= SURE else "undecided"

    def _most_likely(self) -> tuple[str, float]:
        options = {"worse": self.worse, "practically equal": self.equal, "better": self.better}
        return max(options.items(), key=lambda item: item[1])

    def sentence(self, measure: Measure) -> str:
        """The verdict with its probabilities, as a sentence."""
        word, _ = self._most_likely()
        how = "" if self.verdict != "undecided" else "undecided, most likely "
        relation = {"worse": "worse than", "practically equal": "practically equal to", "better": "better than"}[word]
        return (
            f"{self.model} is {how}{relation} {self.reference}: {self.points:+.1f} points of {measure.title} "
            f"[{self.low:+.1f}, {self.high:+.1f}] (worse {self.worse:.2f}, practically equal {self.equal:.2f}, "
            f"better {self.better:.2f})"
        )

    def to_json(self) -> dict[str, Any]:
        """Every number, and the verdict."""
        return {**self.__dict__, "verdict": self.verdict}


def difference(
    model: str,
    reference: str,
    scores: Mapping[str, Float[np.ndarray, " cells"]],
    measure: Measure,
    *,
    n_train: int,
    n_test: int,
    rope: float,
) -> Difference:
    """Compare two models over the cells that both were run in; ``rope`` in points."""
    gaps = measure.sign * 100.0 * (scores[model] - scores[reference])
    test = corrected_resampled_t(gaps, n_train, n_test)
    posterior = bayesian_correlated_t(gaps, n_train, n_test, rope=rope)
    return Difference(
        model,
        reference,
        measure.name,
        test.mean,
        test.low,
        test.high,
        test.p,
        posterior.worse,
        posterior.equal,
        posterior.better,
        rope,
        len(gaps),
    )


def best_without_looking(
    scores: Mapping[str, Float[np.ndarray, " cells"]], repeats: Sequence[int], measure: Measure
) -> tuple[Float[np.ndarray, " cells"], dict[str, int]]:
    """The score, in each cell, of the model that does best in the *other* folds of the cell's repeat.

    The best of several by their mean would be flattered by its luck in the very cells that are reported; so would be
    the comparison of two such winners. Also: how often each model was the one. Ties go to the model named first.
    """
    names = list(scores)
    table = np.stack([scores[name] for name in names]) * measure.sign
    which = np.asarray(repeats)
    chosen = np.empty(table.shape[1], dtype=int)
    for cell in range(table.shape[1]):
        others = (which == which[cell]) & (np.arange(len(which)) != cell)
        chosen[cell] = int(np.argmax(table[:, others].mean(axis=1).round(12)))
    picked = np.array([scores[names[model]][cell] for cell, model in enumerate(chosen)])
    return picked, {name: int((chosen == i).sum()) for i, name in enumerate(names) if (chosen == i).any()}
