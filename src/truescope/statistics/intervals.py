"""Intervals for a number measured over many cases: bootstrap, and exact where a bootstrap would be dishonest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from jaxtyping import Shaped
from scipy import stats

from truescope.core.errors import UsageError

FEW_OUTCOMES = 10
"""With fewer than this many cases of the rarer of two outcomes a bootstrap is too narrow; `bootstrap_interval` says."""

_MAX_DRAWS_HELD = 2_000_000


def bootstrap_interval(
    values: Shaped[np.ndarray, " n"],
    *,
    statistic: Callable[..., Any] = np.mean,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval (low, high) of ``statistic`` over independent cases.

    The interval runs from the (1−level)/2 to the (1+level)/2 quantile of statistic(values*) over ``n_resamples`` draws
    values* of n cases with replacement. ``statistic`` is vectorised: it takes an ``axis``.

    A mean of outcomes 0 and 1 with fewer than `FEW_OUTCOMES` cases of either gets the exact Clopper–Pearson interval
    instead: where every outcome is the same, all resamples agree and the bootstrap would claim to know the proportion
    without error; where few differ, its upper tail is cut off.
    Other values that are all equal give the interval (v, v), as the bootstrap does.

    Raises:
        UsageError: no values, values that are not finite, or a level outside (0, 1).

    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
    """
    cases = np.asarray(values, dtype=np.float64)
    if cases.size == 0 or not np.isfinite(cases).all():
        raise UsageError(
            "an interval needs at least one value, all finite", why=f"got {cases.size}", fix="drop missing ones"
        )
    _check_level(level)
    if statistic is np.mean and np.isin(cases, (0.0, 1.0)).all():
        n_true = int(cases.sum())
        if min(n_true, cases.size - n_true) < FEW_OUTCOMES:
            return proportion_interval(n_true, cases.size, level=level)
    if (cases == cases[0]).all():
        value = float(statistic(cases, axis=-1))
        return value, value
    result = stats.bootstrap(
        (cases,),
        statistic,
        n_resamples=n_resamples,
        batch=max(1, _MAX_DRAWS_HELD // cases.size),
        confidence_level=level,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def proportion_interval(
    n_true: int, n: int, *, level: float = 0.95, method: Literal["exact", "wilson"] = "exact"
) -> tuple[float, float]:
    """The interval (low, high) of a proportion of which ``n_true`` of ``n`` cases were seen.

    ``exact`` (Clopper and Pearson 1934): low and high are the proportions p at which seeing at least, and at most,
    ``n_true`` cases has probability (1−level)/2. Its coverage is never below ``level``. ``wilson`` (1927) inverts the
    score test, is shorter, and covers ``level`` on average only.

    Raises:
        UsageError: not 0 ≤ n_true ≤ n with n ≥ 1, or a level outside (0, 1).
    """
    if n < 1 or not 0 <= n_true <= n:
        raise UsageError(f"{n_true} of {n} cases is no proportion", fix="0 <= n_true <= n, and n at least 1")
    _check_level(level)
    interval = stats.binomtest(n_true, n).proportion_ci(confidence_level=level, method=method)
    return float(interval.low), float(interval.high)


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise UsageError(f"an interval's level lies between 0 and 1, got {level}", fix="0.95 is 95 %")
