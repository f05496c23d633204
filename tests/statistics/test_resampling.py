"""Clustered and hierarchical bootstraps against closed forms and their own coverage."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from truescope.core.errors import UsageError
from truescope.statistics import bootstrap_interval, clustered_bootstrap_interval, hierarchical_bootstrap_interval


def _clustered_cases(rng: np.random.Generator, n_clusters: int, largest: int, between: float):
    sizes = rng.integers(1, largest + 1, size=n_clusters)
    clusters = np.repeat(np.arange(n_clusters), sizes)
    return between * rng.normal(size=n_clusters)[clusters] + rng.normal(size=len(clusters)), clusters


def test_with_many_clusters_it_is_the_cluster_robust_interval():
    values, clusters = _clustered_cases(np.random.default_rng(0), 800, 9, 1.5)
    # statsmodels' sandwich estimator of a mean's variance, clustered, is what the bootstrap estimates.
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    low, high = clustered_bootstrap_interval(values, clusters, n_resamples=6000)
    half = float(stats.norm.ppf(0.975) * fit.bse[0])
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06 * half)
    # And cases taken one by one would claim far too much.
    narrow = bootstrap_interval(values)
    assert high - low > 1.8 * (narrow[1] - narrow[0])


def test_clusters_of_one_case_are_independent_cases_and_labels_are_only_names():
    values = np.random.default_rng(1).normal(size=60)
    own = clustered_bootstrap_interval(values, np.arange(60), n_resamples=8000)
    assert own == pytest.approx(bootstrap_interval(values, n_resamples=8000), abs=0.02)
    names = np.array([f"entity {i // 3}" for i in range(60)])
    assert clustered_bootstrap_interval(values, names) == clustered_bootstrap_interval(values, np.arange(60) // 3)


def test_a_share_that_few_clusters_disturb_gets_the_exact_interval_over_clusters():
    # All 12 clusters of 50 right: the interval knows of 12 cases, not of 600 (and not of none).
    low, high = clustered_bootstrap_interval(np.ones(600), np.arange(600) // 50)
    assert (low, high) == pytest.approx((0.025 ** (1 / 12), 1.0))
    values = np.ones(600)
    values[:150] = 0.0
    low, high = clustered_bootstrap_interval(values, np.arange(600) // 50)
    assert (low, high) == pytest.approx(stats.binomtest(9, 12).proportion_ci(0.95, "exact"))


def test_a_statistic_of_ones_own():
    values, clusters = _clustered_cases(np.random.default_rng(2), 40, 6, 1.0)
    low, high = clustered_bootstrap_interval(values, clusters, statistic=np.median, n_resamples=500)
    assert low < np.median(values) < high
    assert clustered_bootstrap_interval(values, clusters, statistic=np.mean, n_resamples=4000) == pytest.approx(
        clustered_bootstrap_interval(values, clusters, n_resamples=4000), abs=0.06
    )


def test_every_group_counts_the_same_in_the_group_around_it():
    # Programs a and b; a has one prompt of 1 case and one of 3. Mean of means of means: ((1 + 3)/2 + 10)/2 = 6.
    groups = np.array([["a", "a", "a", "a", "b", "b"], ["p", "q", "q", "q", "p", "q"]])
    values = np.array([1.0, 2.0, 3.0, 4.0, 10.0, 10.0])
    low, high = hierarchical_bootstrap_interval(values, groups, n_resamples=4000)
    assert (low, high) == pytest.approx((2.0, 10.0))
    # With the programs fixed, prompts are drawn in each: b does not vary, a's mean is 1, 2 or 3.
    assert hierarchical_bootstrap_interval(values, groups, fixed=1) == pytest.approx((5.5, 6.5))


def test_fixed_groups_have_the_variance_of_a_stratified_mean():
    rng = np.random.default_rng(3)
    groups = np.array([np.repeat([0, 1], 200), np.repeat(np.arange(80), 5)])
    values = 10.0 * groups[0] + rng.normal(size=80)[groups[1]] + rng.normal(size=400)
    prompts = values.reshape(80, 5).mean(axis=1)
    error = np.sqrt(prompts[:40].var(ddof=1) / 40 + prompts[40:].var(ddof=1) / 40) / 2
    half = stats.t.ppf(0.975, 78) * error
    low, high = hierarchical_bootstrap_interval(values, groups, fixed=1, n_resamples=8000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06 * half)
    low, high = hierarchical_bootstrap_interval(values, groups[1:])
    assert high - low > 5 * half


def test_bad_input():
    with pytest.raises(UsageError, match="one cluster"):
        clustered_bootstrap_interval(np.arange(3.0), np.zeros(3))
    with pytest.raises(UsageError, match="single member"):
        hierarchical_bootstrap_interval(np.arange(4.0), np.array([[0, 0, 0, 0]]))
    with pytest.raises(UsageError, match="fixed levels"):
        hierarchical_bootstrap_interval(np.arange(4.0), np.array([[0, 0, 1, 1]]), fixed=2)


def _coverage(n_trials: int, kind: str) -> float:
    rng = np.random.default_rng(11)
    covered = 0
    for trial in range(n_trials):
        if kind == "few clusters":
            values, clusters = _clustered_cases(rng, 20, 8, 1.0)
            low, high = clustered_bootstrap_interval(values, clusters, n_resamples=600, seed=trial)
        elif kind == "few cases":
            low, high = bootstrap_interval(rng.normal(size=15), n_resamples=600, seed=trial)
        else:
            groups = np.array([np.repeat(np.arange(12), 12), np.repeat(np.arange(48), 3)])
            values = rng.normal(size=12)[groups[0]] + rng.normal(size=48)[groups[1]] + rng.normal(size=144)
            low, high = hierarchical_bootstrap_interval(values, groups, n_resamples=600, seed=trial)
        covered += low <= 0.0 <= high
    return covered / n_trials


@pytest.mark.parametrize("kind", ["few cases", "few clusters", "hierarchy"])
def test_coverage(kind: str):
    # Three standard errors of 500 trials around 95 %.
    assert 0.92 <= _coverage(500, kind) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["few cases", "few clusters", "hierarchy"])
def test_coverage_of_ten_thousand_runs_is_93_to_97_percent(kind: str):
    assert 0.93 <= _coverage(10_000, kind) <= 0.97
