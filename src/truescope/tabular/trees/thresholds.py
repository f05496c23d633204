"""The best split of a cue: which threshold, direction or set of levels decides best for a goal.

A cue is counted once, as a histogram of its values by class; every threshold's two-by-two table is then a cumulative
sum. Ties go to the first candidate: all ``>`` before all ``<=``, small thresholds before large ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from truescope.tabular.trees.cues import Cue
from truescope.tabular.trees.statistics import Counts, OutcomeCosts


@dataclass(frozen=True)
class Rules:
    """What a split is chosen by."""

    goal_threshold: str = "bacc"
    goal_chase: str = "bacc"
    numthresh_method: str = "optimise"
    numthresh_n: int = 10
    sens_w: float = 0.5
    costs: OutcomeCosts = field(default_factory=OutcomeCosts)


@dataclass(frozen=True, eq=False)
class Split:
    """A cue cut in two: which of its values fire, what that gives on the cases it was chosen on.

    ``fires`` [n_values + 1] is 1 or 0 for each value of the cue, and −1 for a missing number.
    """

    direction: str
    threshold: float | tuple[str, ...]
    fires: Int[np.ndarray, " values_and_missing"]
    counts: Counts
    chase: float


def best_split(
    cue: Cue,
    histogram: Num[np.ndarray, "values 2"],
    first_seen: Int[np.ndarray, " cases"],
    rules: Rules,
    cue_cost: float,
) -> Split | None:
    """The cue's best split for ``goal_threshold``; None where no split has a defined value.

    ``histogram`` counts each value's cases (negative, positive); ``first_seen`` are the codes of the counted cases in
    their order, which only the median method asks for.
    """
    present = np.flatnonzero(histogram.sum(1) > 0)
    if not len(present):
        return None
    histogram = histogram[present]
    chosen = _numeric if cue.numeric else _categorical
    return chosen(cue, present, histogram, first_seen, rules, cue_cost)


def _numeric(
    cue: Cue,
    present: Int[np.ndarray, " present"],
    histogram: Num[np.ndarray, "present 2"],
    first_seen: Int[np.ndarray, " cases"],
    rules: Rules,
    cue_cost: float,
) -> Split | None:
    values = cue.values[present]
    if rules.numthresh_method == "median":
        thresholds = _median_thresholds(cue, values, histogram, first_seen)
    else:
        thresholds = values[_spread(len(values), rules.numthresh_n)]
    below = np.cumsum(histogram, axis=0)[np.searchsorted(values, thresholds, side="right") - 1]
    total = histogram.sum(0)
    above = np.maximum(total - below, 0)
    # Fires above the threshold, then fires at or below it.
    counts = Counts(
        hi=np.concatenate([above[:, 1], below[:, 1]]),
        fa=np.concatenate([above[:, 0], below[:, 0]]),
        mi=np.concatenate([below[:, 1], above[:, 1]]),
        cr=np.concatenate([below[:, 0], above[:, 0]]),
    )
    best = _first_best(counts, rules, cue_cost)
    if best is None:
        return None
    threshold, upper = float(thresholds[best % len(thresholds)]), best < len(thresholds)
    fires = np.append((cue.values > threshold) == upper, -1).astype(np.int8)
    return _split(">" if upper else "<=", threshold, fires, counts, best, rules, cue_cost)


def _spread(n: int, most: int) -> Int[np.ndarray, " kept"]:
    """At most ``most`` of ``n`` places, evenly spread from the first to the last; halves go to the even place."""
    if n <= most:
        return np.arange(n)
    return np.unique(np.rint(np.linspace(1, n, most)).astype(int)) - 1


def _median_thresholds(
    cue: Cue, values: np.ndarray, histogram: Num[np.ndarray, "present 2"], first_seen: Int[np.ndarray, " cases"]
) -> Float[np.ndarray, " thresholds"]:
    """The median; of a cue with two values both, in the order in which they are met."""
    if len(values) == 2:
        first = cue.values[first_seen[first_seen < cue.n_values][0]]
        return values if values[0] == first else values[::-1]
    weights = np.cumsum(histogram.sum(1))
    low = values[np.searchsorted(weights, weights[-1] / 2, side="left")]
    high = values[min(int(np.searchsorted(weights, weights[-1] / 2, side="right")), len(values) - 1)]
    return np.array([(low + high) / 2])


def _categorical(
    cue: Cue,
    present: Int[np.ndarray, " present"],
    histogram: Num[np.ndarray, "present 2"],
    first_seen: Int[np.ndarray, " cases"],
    rules: Rules,
    cue_cost: float,
) -> Split | None:
    total = histogram.sum(0)
    alone = _fired(histogram, total).measure(rules.goal_threshold, rules.sens_w, rules.costs, cue_cost)
    order = np.argsort(-alone, kind="stable")
    counts = _fired(np.cumsum(histogram[order], axis=0), total)
    best = _first_best(counts, rules, cue_cost)
    if best is None:
        return None
    chosen = present[order[: best + 1]]
    fires = np.zeros(cue.n_values + 1, dtype=np.int8)
    fires[chosen] = 1
    levels = tuple(str(level) for level in cue.values[chosen])
    return _split("=", levels, fires, counts, best, rules, cue_cost)


def _fired(fired: Num[np.ndarray, "rows 2"], total: Num[np.ndarray, 2]) -> Counts:
    rest = np.maximum(total - fired, 0)
    return Counts(hi=fired[:, 1], fa=fired[:, 0], mi=rest[:, 1], cr=rest[:, 0])


def _first_best(counts: Counts, rules: Rules, cue_cost: float) -> int | None:
    values = counts.measure(rules.goal_threshold, rules.sens_w, rules.costs, cue_cost)
    if np.isnan(values).all():
        return None
    return int(np.nanargmax(values))


def _split(
    direction: str,
    threshold: float | tuple[str, ...],
    fires: Int[np.ndarray, " values_and_missing"],
    counts: Counts,
    best: int,
    rules: Rules,
    cue_cost: float,
) -> Split:
    one = counts.row(best)
    chase = float(one.measure(rules.goal_chase, rules.sens_w, rules.costs, cue_cost))
    return Split(direction, threshold, fires, one, chase)


def count(
    codes: Int[np.ndarray, " cases"],
    positive: Bool[np.ndarray, " cases"],
    n_values: int,
    weights: Float[np.ndarray, " cases"] | None,
) -> Num[np.ndarray, "values 2"]:
    """Each value's negative and positive cases (weighted where weights are given); missing numbers are left out."""
    counted = np.bincount(2 * codes + positive, weights=weights, minlength=2 * (n_values + 1))
    return counted.reshape(-1, 2)[:n_values]
