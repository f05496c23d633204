"""Permutation tests: every arrangement where they are few, a seeded sample of them otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb, factorial
from typing import Any, Literal

import numpy as np
from jaxtyping import Shaped
from scipy import stats

from truescope.core.errors import UsageError
from truescope.statistics.intervals import check_values
from truescope.statistics.resampling import numbered

_BATCH_ELEMENTS = 2_000_000


@dataclass(frozen=True)
class PermutationTest:
    """A statistic, its p-value, and over how many arrangements: ``exact`` when that is all of them.

    Exact: p = b / m over all m arrangements, b of them at least as extreme, the observed one among them. Otherwise
    p = (b + 1) / (m + 1) over m random ones, which is never 0 (Phipson and Smyth 2010).
    """

    statistic: float
    p: float
    n_arrangements: int
    exact: bool


def permutation_test(
    first: Shaped[np.ndarray, " n"],
    second: Shaped[np.ndarray, " m"] | None = None,
    *,
    kind: Literal["signs", "groups", "pairs"] | None = None,
    statistic: Callable[..., Any] | None = None,
    clusters: Shaped[np.ndarray, " n"] | None = None,
    alternative: Literal["two-sided", "less", "greater"] = "two-sided",
    n_resamples: int = 9999,
    seed: int = 0,
) -> PermutationTest:
    """How often chance alone gives a statistic as extreme as the observed one.

    - ``signs`` (one sample): differences whose signs are exchangeable; the mean. With ``clusters`` the cases of a
      cluster change sign together, and the statistic is their sum over all, divided by n.
    - ``groups`` (two samples): cases exchangeable between the two; mean(first) − mean(second).
    - ``pairs`` (two samples of one length): ``first`` in any order beside ``second``; Pearson's correlation.

    Unless told, ``kind`` is ``signs`` for one sample and ``groups`` for two. ``statistic`` is vectorised (it takes an
    ``axis``). All arrangements are enumerated when there are at most ``n_resamples`` + 1 of them.

    Raises:
        UsageError: values that are not finite, too few of them, or samples that do not fit the kind.

    Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9.
    """
    chosen = kind or ("signs" if second is None else "groups")
    samples, n_all = _arranged(chosen, first, second, clusters)
    if statistic is None:
        statistic = _default_statistic(chosen, len(first))
    if chosen == "pairs":
        # One side alone is rearranged: which pairs arise is all that matters, and there are n! of those, not n!².
        samples, statistic = samples[:1], _beside(samples[1], statistic)
    found = stats.permutation_test(
        samples,
        statistic,
        permutation_type={"signs": "samples", "groups": "independent", "pairs": "pairings"}[chosen],
        vectorized=True,
        alternative=alternative,
        n_resamples=n_all if (exact := n_all <= n_resamples + 1) else n_resamples,
        batch=max(1, _BATCH_ELEMENTS // sum(len(sample) for sample in samples)),
        rng=np.random.default_rng(seed),
    )
    return PermutationTest(float(found.statistic), float(found.pvalue), n_all if exact else n_resamples, exact)


def _arranged(
    kind: str, first: np.ndarray, second: np.ndarray | None, clusters: np.ndarray | None
) -> tuple[tuple[np.ndarray, ...], int]:
    """The samples to be rearranged, and in how many ways they can be."""
    cases = check_values(first)
    if kind == "signs":
        if second is not None:
            raise UsageError("a test of signs takes one sample", fix="give the differences, or kind='groups'")
        if clusters is not None:
            cases = np.bincount(numbered(clusters), cases)
        return (cases,), 2 ** len(cases)
    if second is None or clusters is not None:
        raise UsageError(f"a test of {kind} takes two samples and no clusters", fix="clusters go with kind='signs'")
    others = check_values(second)
    if len(cases) + len(others) < 3 or (kind == "pairs" and len(cases) != len(others)):
        raise UsageError(
            f"{len(cases)} and {len(others)} values cannot be rearranged as {kind}",
            fix="give three or more; pairs have one length",
        )
    if kind == "pairs":
        return (cases, others), factorial(len(cases))
    return (cases, others), comb(len(cases) + len(others), len(cases))


def _default_statistic(kind: str, n: int) -> Callable[..., Any]:
    if kind == "signs":
        return lambda x, axis=-1: np.sum(x, axis=axis) / n
    if kind == "groups":
        return lambda x, y, axis=-1: np.mean(x, axis=axis) - np.mean(y, axis=axis)
    return _correlation


def _beside(second: np.ndarray, statistic: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis=-1: statistic(x, second, axis=axis)


def _correlation(x: Any, y: Any, axis: int = -1) -> Any:
    """Pearson's r along an axis, 0 where a sample does not vary."""
    x, y = x - np.mean(x, axis=axis, keepdims=True), y - np.mean(y, axis=axis, keepdims=True)
    size = np.sqrt(np.sum(x * x, axis=axis) * np.sum(y * y, axis=axis))
    return np.sum(x * y, axis=axis) / np.where(size > 0, size, 1.0)
