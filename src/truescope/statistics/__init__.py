"""Intervals, tests, corrections, splits and unit statistics: thin over scipy, statsmodels and numpy.

Read in this order: `intervals` (independent cases), `ranks`, `resampling` (clusters, groups in groups), `permutations`
(exact tests), `corrections` (many tests), `differences` (equivalence, cross-validation), `splits`, `units`,
`sensitivity`.
"""

from __future__ import annotations

from truescope.statistics.corrections import benjamini_hochberg, holm
from truescope.statistics.differences import (
    Comparison,
    Equivalence,
    ResampledT,
    bayesian_correlated_t,
    corrected_resampled_t,
    tost,
)
from truescope.statistics.intervals import FEW_OUTCOMES, bootstrap_interval, proportion_interval
from truescope.statistics.permutations import PermutationTest, permutation_test
from truescope.statistics.ranks import area_interval
from truescope.statistics.resampling import clustered_bootstrap_interval, hierarchical_bootstrap_interval
from truescope.statistics.sensitivity import closed_sobol
from truescope.statistics.splits import split_half
from truescope.statistics.units import LIVE_SHARE, UnitStatistics

__all__ = [
    "FEW_OUTCOMES",
    "LIVE_SHARE",
    "Comparison",
    "Equivalence",
    "PermutationTest",
    "ResampledT",
    "UnitStatistics",
    "area_interval",
    "bayesian_correlated_t",
    "benjamini_hochberg",
    "bootstrap_interval",
    "closed_sobol",
    "clustered_bootstrap_interval",
    "corrected_resampled_t",
    "hierarchical_bootstrap_interval",
    "holm",
    "permutation_test",
    "proportion_interval",
    "split_half",
    "tost",
]
