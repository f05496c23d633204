"""Intervals against published numbers, closed forms and their own coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from truescope.core.errors import UsageError
from truescope.statistics import area_interval, bootstrap_interval, proportion_interval, split_half


def test_proportion_intervals_are_the_published_ones():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 and 15 of 148, methods 3 (Wilson) and 5 (exact).
    assert proportion_interval(81, 263, method="wilson") == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert proportion_interval(81, 263) == pytest.approx((0.2527, 0.3676), abs=5e-5)
    assert proportion_interval(15, 148, method="wilson") == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert proportion_interval(15, 148) == pytest.approx((0.0578, 0.1617), abs=5e-5)
    assert proportion_interval(0, 20) == pytest.approx((0.0, 0.1684), abs=5e-5)


@given(n=st.integers(1, 10_000), level=st.floats(0.5, 0.999))
def test_all_cases_right_gives_the_closed_form(n: int, level: float):
    # P(n of n right) = p^n = (1 - level) / 2 at the lower end.
    low, high = bootstrap_interval(np.ones(n), level=level)
    assert (low, high) == pytest.approx((((1 - level) / 2) ** (1 / n), 1.0))
    assert bootstrap_interval(np.zeros(n), level=level) == pytest.approx((0.0, 1.0 - low))


def test_bootstrap_of_a_mean_is_the_normal_interval_when_cases_are_many():
    values = np.random.default_rng(0).exponential(3.0, size=4000)
    low, high = bootstrap_interval(values, seed=1)
    half = stats.norm.ppf(0.975) * values.std() / np.sqrt(values.size)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_bootstrap_of_a_proportion_has_the_quantiles_of_the_binomial():
    values = np.repeat([0.0, 1.0], [300, 700])
    expected = stats.binom.ppf([0.025, 0.975], 1000, 0.7) / 1000
    assert bootstrap_interval(values, n_resamples=4000) == pytest.approx(tuple(expected), abs=0.003)


def test_other_statistics_are_taken():
    values = np.arange(101.0)
    low, high = bootstrap_interval(values, statistic=np.median)
    assert 30 < low < 50 < high < 70


@pytest.mark.parametrize("p", [0.5, 0.9, 0.999])
def test_the_interval_covers_the_truth_as_often_as_it_says(p: float):
    rng = np.random.default_rng(7)
    covered = 0
    for trial in range(300):
        low, high = bootstrap_interval((rng.random(400) < p).astype(float), n_resamples=400, seed=trial)
        covered += low <= p <= high
    # 95 % nominal; 0.91 is four standard errors of 300 trials below it.
    assert covered / 300 >= 0.91


def test_the_seed_fixes_the_interval():
    values = np.random.default_rng(3).normal(size=50)
    assert bootstrap_interval(values, seed=4) == bootstrap_interval(values, seed=4)
    assert bootstrap_interval(values, seed=4) != bootstrap_interval(values, seed=5)


def test_equal_values_and_bad_input():
    assert bootstrap_interval(np.full(5, 2.5)) == (2.5, 2.5)
    with pytest.raises(UsageError, match="finite"):
        bootstrap_interval(np.array([1.0, np.nan]))
    with pytest.raises(UsageError, match="at least one"):
        bootstrap_interval(np.array([]))
    with pytest.raises(UsageError, match="level"):
        bootstrap_interval(np.ones(3), level=95.0)
    with pytest.raises(UsageError, match="no proportion"):
        proportion_interval(3, 2)


@given(n=st.integers(2, 500), seed=st.integers(0, 100))
def test_halves_are_a_partition_fixed_by_the_seed(n: int, seed: int):
    first, second = split_half(n, seed)
    assert sorted([*first, *second]) == list(range(n))
    assert len(first) == n // 2
    again, _ = split_half(n, seed)
    assert (first == again).all()


def test_halves_differ_between_seeds_and_need_two_cases():
    assert (split_half(1000, 0)[0] != split_half(1000, 1)[0]).any()
    with pytest.raises(UsageError, match="two"):
        split_half(1, 0)


def test_the_area_is_hanley_and_mcneils_example_and_its_interval_delongs():
    # Hanley and McNeil 1982, Radiology 143, table I: CT images rated 1–5; area 0.893, standard error 0.032.
    normal, abnormal = np.repeat([1, 2, 3, 4, 5], [33, 6, 6, 11, 2]), np.repeat([1, 2, 3, 4, 5], [3, 2, 2, 11, 33])
    scores = np.concatenate([normal, abnormal]).astype(float)
    area, low, high = area_interval(scores, np.arange(len(scores)) >= len(normal))
    assert area == pytest.approx(0.893, abs=5e-4)
    assert 0.80 < low < 0.83 and 0.93 < high < 0.95
    perfect = area_interval(np.arange(12.0), np.arange(12) >= 8)
    assert perfect == pytest.approx((1.0, 0.025 ** (1 / 4), 1.0))
    assert area_interval(np.zeros(20), np.arange(20) < 10)[0] == 0.5
    with pytest.raises(UsageError, match="two or more"):
        area_interval(np.arange(3.0), np.array([True, False, False]))


def test_the_areas_interval_covers_the_truth():
    rng = np.random.default_rng(3)
    truth = stats.norm.cdf(1.0 / np.sqrt(2.0))
    positive = np.arange(60) < 20
    covered = 0
    for _ in range(500):
        _, low, high = area_interval(rng.normal(size=60) + positive, positive)
        covered += low <= truth <= high
    assert 0.92 <= covered / 500 <= 0.98
