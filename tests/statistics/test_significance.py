"""Permutations, corrections, equivalence and cross-validated t tests against published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from truescope.core.errors import UsageError
from truescope.statistics import (
    bayesian_correlated_t,
    benjamini_hochberg,
    corrected_resampled_t,
    holm,
    permutation_test,
    tost,
)

# Darwin's maize, crossed minus self-fertilised plants, in eighths of an inch (Fisher 1935, section 17).
MAIZE = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)


def test_fishers_exact_count_on_darwins_maize():
    # Fisher 1935, "The Design of Experiments", section 21: 863 of 32,768 arrangements reach the observed sum.
    found = permutation_test(MAIZE, alternative="greater", n_resamples=40_000)
    assert found.exact and found.n_arrangements == 32_768
    assert found.p == 863 / 32_768
    assert found.statistic == pytest.approx(314 / 15)
    assert permutation_test(MAIZE, n_resamples=40_000).p == 2 * 863 / 32_768


def test_the_lady_tasting_tea():
    # Fisher 1935, section 5: all four cups right has probability 1 in 70.
    found = permutation_test(np.ones(4), np.zeros(4), alternative="greater")
    assert (found.p, found.n_arrangements, found.exact) == (1 / 70, 70, True)


def test_pairs_are_enumerated_as_n_factorial_arrangements():
    found = permutation_test(np.arange(5.0), np.array([1.0, 2, 4, 8, 16]), kind="pairs", alternative="greater")
    assert (found.p, found.n_arrangements) == (1 / 120, 120)
    assert found.statistic == pytest.approx(stats.pearsonr(np.arange(5.0), [1.0, 2, 4, 8, 16]).statistic)


def test_monte_carlo_counts_the_observed_arrangement_and_is_near_the_exact_one():
    sampled = permutation_test(MAIZE, alternative="greater", n_resamples=5000, seed=3)
    assert not sampled.exact and sampled.n_arrangements == 5000
    assert sampled.p == pytest.approx(863 / 32_768, abs=4 * np.sqrt(0.026 / 5000))
    # (b + 1) / (m + 1) is never 0.
    assert permutation_test(np.arange(1.0, 41.0), n_resamples=99, alternative="greater").p == 1 / 100
    again = permutation_test(MAIZE, alternative="greater", n_resamples=5000, seed=3)
    assert again == sampled


def test_cases_of_a_cluster_change_sign_together():
    values, clusters = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 20), np.repeat(np.arange(5), 20)
    found = permutation_test(values, clusters=clusters, alternative="greater")
    assert (found.p, found.n_arrangements) == (1 / 32, 32)
    assert found.statistic == 3.0
    assert permutation_test(values, alternative="greater", n_resamples=999).p == 1 / 1000


def test_exact_p_values_are_uniform_when_nothing_is_there():
    rng = np.random.default_rng(5)
    p = np.array([permutation_test(rng.normal(size=5), rng.normal(size=5), alternative="less").p for _ in range(600)])
    # 252 arrangements: p is uniform on 1/252 … 1.
    assert set(np.round(p * 252, 9)) <= set(range(1, 253))
    assert stats.kstest(p - rng.random(600) / 252, "uniform").pvalue > 0.001
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)


def test_corrections_are_the_published_ones():
    # Benjamini and Hochberg 1995, section 4.2: their procedure rejects 4 of 15 at 0.05, Bonferroni's (and Holm's) 3.
    small = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p = np.array([*small, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0])
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4
    assert (holm(p) <= 0.05).sum() == 3
    # R's p.adjust(c(.01, .02, .03, .04), "holm") and "BH", documented identities of the two steps.
    assert holm(np.array([0.01, 0.02, 0.03, 0.04])) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert benjamini_hochberg(np.array([0.01, 0.02, 0.03, 0.04])) == pytest.approx([0.04] * 4)


def test_corrections_are_those_of_statsmodels():
    rng = np.random.default_rng(4)
    for n in (1, 2, 7, 30):
        p = rng.random(n) ** 2
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
        assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    with pytest.raises(UsageError, match="between 0 and 1"):
        holm(np.array([1.2]))


def test_equivalence_is_that_of_the_r_package():
    # R's equivalence::tost(paired differences, eps = 0.6) on statsmodels' clinic data (its test_tost.py):
    # mean 0.1646667, p 0.003166881489265175, interval (-0.0744336620516462, 0.4037669953849797).
    first = np.array([2.84, 2.51, 2.41, 2.95, 3.14, 3.79, 4.14, 3.85, 3.02, 3.45, 5.37, 3.81, 4.19, 3.16, 3.84])
    second = np.array([2.60, 2.82, 2.18, 3.46, 4.01, 3.04, 3.47, 4.06, 2.91, 3.59, 4.51, 3.16, 3.86, 3.31, 3.02])
    found = tost(first - second, -0.6, 0.6)
    assert found.mean == pytest.approx(0.1646666666666667, abs=1e-9)
    assert found.p == pytest.approx(0.003166881489265175, rel=1e-7)
    assert (found.low, found.high) == pytest.approx((-0.0744336620516462, 0.4037669953849797), rel=1e-7)


def test_equivalence_holds_exactly_when_the_interval_lies_inside():
    rng = np.random.default_rng(0)
    for _ in range(200):
        found = tost(rng.normal(rng.normal(), 1.0, size=12), -0.7, 0.9)
        assert (found.p <= 0.05) == (found.low >= -0.7 and found.high <= 0.9)
        assert found.p == max(found.p_above_lower, found.p_below_upper)
    assert tost(np.zeros(4), -0.1, 0.1).p == 0.0
    assert tost(np.ones(4), -0.1, 0.1).p == 1.0
    with pytest.raises(UsageError, match="lower < upper"):
        tost(np.zeros(4), 0.1, -0.1)


def _differences(t: float, n: int) -> np.ndarray:
    """n numbers whose uncorrected t is t."""
    noise = np.random.default_rng(0).normal(size=n)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    return noise + t / np.sqrt(n)


def test_the_corrected_t_is_scikit_learns_published_one():
    # scikit-learn's "Statistical comparison of models using grid search": 100 folds, uncorrected t 2.611,
    # corrected t 0.750, one-sided p 0.227; probability that the first is better 0.773.
    found = corrected_resampled_t(_differences(2.611, 100), n_train=9, n_test=1)
    assert found.t == pytest.approx(0.750, abs=5e-4)
    assert found.p / 2 == pytest.approx(0.227, abs=5e-4)
    assert bayesian_correlated_t(_differences(2.611, 100), 9, 1, rope=0.0).better == pytest.approx(0.773, abs=5e-4)


def test_the_bayesian_t_is_baycomps():
    # baycomp 1.0.3, two_on_single(d, 0, rope=0.01, runs=2) and runs=1, on these 20 differences.
    d = np.array([12, -4, 21, 9, 15, -11, 3, 18, 7, 11, 1, 14, -6, 20, 8, 13, -2, 5, 16, 4]) / 1000
    ten_folds = bayesian_correlated_t(d, n_train=9, n_test=1, rope=0.01)
    assert ten_folds == pytest.approx((4.516067908277854e-05, 0.7357779663706587, 0.26417687295025843), rel=1e-6)
    twenty = bayesian_correlated_t(d, n_train=19, n_test=1, rope=0.01)
    assert twenty == pytest.approx((2.9871509821255415e-06, 0.7845365138461302, 0.21546049900288772), rel=1e-6)
    assert sum(ten_folds) == pytest.approx(1.0)


def test_the_corrected_interval_and_p_agree_and_equal_folds_are_told():
    found = corrected_resampled_t(_differences(7.0, 30), 9, 1)
    assert (found.p < 0.05) == (found.low > 0)
    assert found.low == pytest.approx(found.mean - stats.t.ppf(0.975, 29) * found.standard_error)
    same = corrected_resampled_t(np.full(10, 0.2), 9, 1)
    assert (same.p, same.low, same.high) == (0.0, 0.2, 0.2)
    assert corrected_resampled_t(np.zeros(10), 9, 1).p == 1.0
    assert bayesian_correlated_t(np.full(10, 0.2), 9, 1, 0.01) == (0.0, 0.0, 1.0)
    with pytest.raises(UsageError, match="one difference a fold"):
        corrected_resampled_t(np.ones(1), 9, 1)


def test_type_one_error_when_folds_are_correlated_as_the_correction_says():
    # Ten folds with correlation ρ = n_test / (n_train + n_test): the corrected t is exactly Student's, p uniform.
    rng = np.random.default_rng(2)
    folds = np.sqrt(0.1) * rng.normal(size=(2000, 1)) + np.sqrt(0.9) * rng.normal(size=(2000, 10))
    p = np.array([corrected_resampled_t(d, 90, 10).p for d in folds])
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    assert (stats.ttest_1samp(folds, 0.0, axis=1).pvalue <= 0.05).mean() > 0.1
