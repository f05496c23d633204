"""Intervals, splits and unit statistics: thin over scipy and numpy."""

from __future__ import annotations

from truescope.statistics.intervals import FEW_OUTCOMES, bootstrap_interval, proportion_interval
from truescope.statistics.sensitivity import closed_sobol
from truescope.statistics.splits import split_half
from truescope.statistics.units import LIVE_SHARE, UnitStatistics

__all__ = [
    "FEW_OUTCOMES",
    "LIVE_SHARE",
    "UnitStatistics",
    "bootstrap_interval",
    "closed_sobol",
    "proportion_interval",
    "split_half",
]
