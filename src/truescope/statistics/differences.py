"""Differences between two things measured on the same cases: equivalence, and cross-validation's dependent folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from truescope.core.errors import UsageError
from truescope.statistics.intervals import check_level, check_values


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests: the mean, its interval of level 1 − 2α, and the larger of the two p-values."""

    mean: float
    low: float
    high: float
    p: float

    p_above_lower: float
    p_below_upper: float


def tost(differences: Float[np.ndarray, " n"], lower: float, upper: float, *, alpha: float = 0.05) -> Equivalence:
    """Whether a mean difference lies between two bounds: two one-sided t tests, H₀: mean ≤ ``lower`` or ≥ ``upper``.

    p = max of both; p ≤ α exactly when the interval [low, high] of level 1 − 2α lies inside the bounds. This is how
    "no effect" is shown rather than not refuted. Differences that are all equal have p 0 inside the bounds, 1 outside.

    Raises:
        UsageError: fewer than two differences, values that are not finite, or bounds that enclose nothing.

    Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15.
    """
    from statsmodels.stats.weightstats import DescrStatsW  # a second to import; few callers need it

    cases = check_values(differences)
    check_level(1.0 - 2.0 * alpha)
    if len(cases) < 2 or not lower < upper:
        raise UsageError(
            f"{len(cases)} differences between the bounds {lower:g} and {upper:g} test nothing",
            fix="give two or more, and lower < upper",
        )
    mean = float(cases.mean())
    if np.ptp(cases) == 0:
        p_low, p_high = float(mean <= lower), float(mean >= upper)
        return Equivalence(mean, mean, mean, max(p_low, p_high), p_low, p_high)
    sample = DescrStatsW(cases)
    p, (_, p_low, _), (_, p_high, _) = sample.ttost_mean(lower, upper)
    low, high = sample.tconfint_mean(alpha=2.0 * alpha)
    return Equivalence(mean, float(low), float(high), float(p), float(p_low), float(p_high))


@dataclass(frozen=True)
class ResampledT:
    """A mean difference over folds, its corrected standard error, t, degrees of freedom, p (two-sided), interval."""

    mean: float
    standard_error: float
    t: float
    degrees: int
    p: float
    low: float
    high: float


def corrected_resampled_t(
    differences: Float[np.ndarray, " n"], n_train: int, n_test: int, *, level: float = 0.95
) -> ResampledT:
    """The t test of a mean difference over the folds of a (repeated) cross-validation, whose training sets overlap.

    With J differences of variance s², the standard error is √((1/J + n_test / n_train) s²), not √(s²/J), and
    t has J − 1 degrees of freedom. Differences that are all equal have t = ±∞ and p 0, or t = 0 and p 1.

    Raises:
        UsageError: fewer than two differences, values that are not finite, sizes below 1, or a level outside (0, 1).

    Nadeau and Bengio 2003, Machine Learning 52; Bouckaert and Frank 2004, PAKDD.
    """
    check_level(level)
    mean, error, degrees = _corrected(differences, n_train, n_test)
    if error == 0.0:
        t = float(np.sign(mean) * np.inf) if mean else 0.0
        return ResampledT(mean, 0.0, t, degrees, 0.0 if mean else 1.0, mean, mean)
    t = mean / error
    half = float(stats.t.ppf((1.0 + level) / 2.0, degrees)) * error
    return ResampledT(mean, error, t, degrees, float(2.0 * stats.t.sf(abs(t), degrees)), mean - half, mean + half)


class Comparison(NamedTuple):
    """The probabilities that a mean difference is below, inside and above the region of practical equivalence."""

    worse: float
    equal: float
    better: float


def bayesian_correlated_t(
    differences: Float[np.ndarray, " n"], n_train: int, n_test: int, rope: float = 0.01
) -> Comparison:
    """The posterior probabilities that the mean difference is < −rope, within ±rope, and > rope.

    Under the noninformative prior the posterior of the mean is Student's t with J − 1 degrees of freedom, centred on
    the mean of the J differences with scale √((1/J + n_test / n_train) s²). Differences that are all equal put all
    probability where they lie.

    Raises:
        UsageError: a negative rope, fewer than two differences, values that are not finite, or sizes below 1.

    Corani and Benavoli 2015, Machine Learning 100; Benavoli, Corani, Demšar and Zaffalon 2017, JMLR 18.
    """
    if rope < 0:
        raise UsageError(f"a region of practical equivalence is at least 0 wide, got {rope:g}", fix="0.01 is one point")
    mean, error, degrees = _corrected(differences, n_train, n_test)
    if error == 0.0:
        return Comparison(float(mean < -rope), float(abs(mean) <= rope), float(mean > rope))
    posterior = stats.t(degrees, loc=mean, scale=error)
    worse, better = float(posterior.cdf(-rope)), float(posterior.sf(rope))
    return Comparison(worse, max(0.0, 1.0 - worse - better), better)


def _corrected(differences: np.ndarray, n_train: int, n_test: int) -> tuple[float, float, int]:
    """Mean, corrected standard error and degrees of freedom."""
    cases = check_values(differences)
    if len(cases) < 2 or n_train < 1 or n_test < 1:
        raise UsageError(
            f"{len(cases)} differences with {n_train} training and {n_test} test cases a fold make no test",
            fix="give one difference a fold, two folds or more",
        )
    spread = 0.0 if np.ptp(cases) == 0 else float(cases.std(ddof=1))
    return float(cases.mean()), spread * float(np.sqrt(1.0 / len(cases) + n_test / n_train)), len(cases) - 1
