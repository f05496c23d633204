"""How well decisions and probabilities do: balanced accuracy, AUC, log loss, Brier score, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, roc_curve

from truescope.core.errors import UsageError, nearest

CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1 in the log loss: who is sure and wrong pays 13.8, not infinity."""


@dataclass(frozen=True)
class Measure:
    """A measure's name, what it is called in sentences, and whether more of it is better."""

    name: str
    title: str
    higher_is_better: bool = True

    @property
    def sign(self) -> float:
        """+1 where more is better, −1 where less is."""
        return 1.0 if self.higher_is_better else -1.0


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("bacc", "balanced accuracy"),
        Measure("acc", "accuracy"),
        Measure("auc", "area under the ROC curve"),
        Measure("log_loss", "log loss", False),
        Measure("brier", "Brier score", False),
    )
}
"""What models can be compared by; every one is measured in every fold."""


def measure_named(name: str) -> Measure:
    """The measure of that name. Raises UsageError, naming the nearest, where there is none."""
    if name not in MEASURES:
        raise UsageError(
            f"there is no measure {name!r}", why=f"there are {', '.join(MEASURES)}", fix=nearest(name, MEASURES)
        )
    return MEASURES[name]


def measured(
    positive: Bool[np.ndarray, " n"], decided: Bool[np.ndarray, " n"], probability: Float[np.ndarray, " n"]
) -> dict[str, float]:
    """Every measure of `MEASURES`, with the sensitivity and specificity that the balanced accuracy is the mean of."""
    sensitivity = float(decided[positive].mean())
    specificity = float((~decided[~positive]).mean())
    return {
        "bacc": (sensitivity + specificity) / 2,
        "acc": float((decided == positive).mean()),
        "auc": float(roc_auc_score(positive, probability)),
        "log_loss": float(log_loss(positive, np.clip(probability, CLIP, 1 - CLIP), labels=[False, True])),
        "brier": float(brier_score_loss(positive, probability)),
        "sensitivity": sensitivity,
        "specificity": specificity,
    }


def best_bacc(positive: Bool[np.ndarray, " n"], probability: Float[np.ndarray, " n"]) -> float:
    """The balanced accuracy that the best threshold, chosen in hindsight on these very rows, would have."""
    false_rate, true_rate, _ = roc_curve(positive, probability)
    return float((true_rate - false_rate).max() + 1) / 2


@dataclass(frozen=True)
class Calibration:
    """Bins of about equally many cases in order of probability: what was said, and how often it came true.

    ``error`` is the expected calibration error Σ (n_b / n) |said_b − true_b|.
    """

    said: tuple[float, ...]
    came_true: tuple[float, ...]
    n: tuple[int, ...]

    @staticmethod
    def of(positive: Bool[np.ndarray, " n"], probability: Float[np.ndarray, " n"], n_bins: int = 10) -> Calibration:
        """Bin the cases; cases of one probability are never parted, so coarse models have fewer bins."""
        order = np.argsort(probability, kind="stable")
        ordered = probability[order]
        cuts = np.unique(np.searchsorted(ordered, ordered[(np.arange(1, n_bins) * len(order)) // n_bins], side="left"))
        parts = [part for part in np.split(order, cuts) if len(part)]
        return Calibration(
            tuple(float(probability[part].mean()) for part in parts),
            tuple(float(positive[part].mean()) for part in parts),
            tuple(len(part) for part in parts),
        )

    @property
    def error(self) -> float:
        """The expected calibration error, from 0 to 1."""
        said, true, n = (np.asarray(part, dtype=float) for part in (self.said, self.came_true, self.n))
        return float(np.average(np.abs(said - true), weights=n))
