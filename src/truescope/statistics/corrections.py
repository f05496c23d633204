"""Many tests at once: p-values adjusted so that the error over all of them is kept."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import stats

from truescope.core.errors import UsageError


def holm(p_values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Holm's adjusted p-values: rejecting those ≤ α keeps the chance of any false rejection ≤ α, however dependent.

    With p sorted, p̃₍ᵢ₎ = max over j ≤ i of min(1, (n − j + 1) p₍ⱼ₎).

    Raises:
        UsageError: no p-values, or one outside 0 … 1.

    Holm 1979, Scandinavian Journal of Statistics 6.
    """
    # Not statsmodels' multipletests: it collects garbage on every call, a tenth of a second beside a large model.
    given = _checked(p_values)
    order = np.argsort(given)
    adjusted = np.empty(len(given))
    steps = (len(given) - np.arange(len(given))) * given[order]
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def benjamini_hochberg(p_values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Benjamini and Hochberg's adjusted p-values: rejecting those ≤ q keeps the expected share of false ones ≤ q.

    With p sorted, p̃₍ᵢ₎ = min over j ≥ i of min(1, n p₍ⱼ₎ / j); for independent or positively dependent tests.

    Raises:
        UsageError: no p-values, or one outside 0 … 1.

    Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57.
    """
    return np.asarray(stats.false_discovery_control(_checked(p_values), method="bh"))


def _checked(p_values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    given = np.asarray(p_values, dtype=np.float64)
    if given.size == 0 or not ((given >= 0.0) & (given <= 1.0)).all():
        raise UsageError("p-values lie between 0 and 1, one or more", fix="leave out tests that were not run")
    return given
