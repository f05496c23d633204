"""Intervals for a number measured over many cases: bootstrap, and exact where a bootstrap would be dishonest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped
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

    The interval runs between two quantiles of statistic(values*) over ``n_resamples`` draws values* of n cases with
    replacement: those of `tails`, a little outside (1−level)/2 and (1+level)/2 where cases are few. ``statistic`` is
    vectorised: it takes an ``axis``.

    A mean of outcomes 0 and 1 with fewer than `FEW_OUTCOMES` cases of either gets the exact Clopper–Pearson interval
    instead: where every outcome is the same, all resamples agree and the bootstrap would claim to know the proportion
    without error; where few differ, its upper tail is cut off.
    Other values that are all equal give the interval (v, v), as the bootstrap does.

    Raises:
        UsageError: no values, values that are not finite, or a level outside (0, 1).

    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13; Hesterberg 2015, The American
    Statistician 69 (the widened quantiles).
    """
    cases = check_values(values)
    check_level(level)
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
        confidence_level=1.0 - 2.0 * tails(level, cases.size)[0],
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
    check_level(level)
    interval = stats.binomtest(n_true, n).proportion_ci(confidence_level=level, method=method)
    return float(interval.low), float(interval.high)


def tails(level: float, n: int | float, degrees: int | None = None) -> tuple[float, float]:
    """The two quantiles of a bootstrap distribution between which an interval of ``level`` runs.

    A bootstrap over n cases is too narrow by √((n−1)/n), and knows nothing of Student's t; so the tail is
    Φ(t_{(1−level)/2, degrees} · √(n/(n−1))), with n − 1 degrees of freedom unless told. One case has no such factor.
    """
    if n < 2:
        return (1.0 - level) / 2.0, (1.0 + level) / 2.0
    quantile = stats.t.ppf((1.0 - level) / 2.0, degrees or n - 1)
    tail = float(stats.norm.cdf(quantile * np.sqrt(n / (n - 1))))
    return tail, 1.0 - tail


def check_values(values: Shaped[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The values as float64.

    Raises:
        UsageError: there are none, or one is not finite.
    """
    cases = np.asarray(values, dtype=np.float64)
    if cases.size == 0 or not np.isfinite(cases).all():
        raise UsageError(
            "an interval needs at least one value, all finite", why=f"got {cases.size}", fix="drop missing ones"
        )
    return cases


def check_level(level: float) -> None:
    """See that an interval's level lies between 0 and 1.

    Raises:
        UsageError: it does not.
    """
    if not 0.0 < level < 1.0:
        raise UsageError(f"an interval's level lies between 0 and 1, got {level}", fix="0.95 is 95 %")
