"""The area under the ROC curve of one score, and its interval."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from truescope.core.errors import UsageError
from truescope.statistics.intervals import check_level, check_values, proportion_interval


def area_interval(
    scores: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"], *, level: float = 0.95
) -> tuple[float, float, float]:
    """The area P(s₊ > s₋) + ½ P(s₊ = s₋) of independent cases, and its interval: (area, low, high).

    The variance is that of the placements, Var(A) = s²(V₊)/n₊ + s²(V₋)/n₋ with V₊ the share of negatives that each
    positive lies above; the interval is Student's with min(n₊, n₋) − 1 degrees of freedom, on the scale of the logit so
    that it stays inside 0 … 1. Where all placements agree (perfect separation, or nothing but ties) that variance is 0
    and the interval is that of a share of min(n₊, n₋) cases instead.

    Raises:
        UsageError: fewer than two positives or negatives, or values that are not finite.

    DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44.
    """
    values = check_values(scores)
    check_level(level)
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if min(n_positive, n_negative) < 2:
        raise UsageError(
            f"{n_positive} positive and {n_negative} negative cases have no area with an interval",
            fix="give two or more of each",
        )
    ranks = stats.rankdata(values)
    above = (ranks[positive] - stats.rankdata(values[positive])) / n_negative
    below = 1.0 - (ranks[~positive] - stats.rankdata(values[~positive])) / n_positive
    area = float(above.mean())
    error = float(np.sqrt(above.var(ddof=1) / n_positive + below.var(ddof=1) / n_negative))
    fewer = min(n_positive, n_negative)
    if error < 1e-12 or area in (0.0, 1.0):
        low, high = proportion_interval(round(area * fewer), fewer, level=level)
        return area, min(low, area), max(high, area)
    half = float(stats.t.ppf((1.0 + level) / 2.0, fewer - 1)) * error / (area * (1.0 - area))
    centre = np.log(area / (1.0 - area))
    return area, float(1.0 / (1.0 + np.exp(-(centre - half)))), float(1.0 / (1.0 + np.exp(-(centre + half))))
