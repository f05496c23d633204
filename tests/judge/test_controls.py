"""Random groups: matched in layer, count and size, disjoint, different, and refused where they cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truescope.core.claims import ControlPlan
from truescope.core.errors import ClaimError
from truescope.core.features import Feature
from truescope.judge import MATCHED_ON, draw_controls
from truescope.statistics import UnitStatistics

PLAN = ControlPlan("random groups", MATCHED_ON, 100, seed=0)


def units_of_sizes(sizes: np.ndarray, n_layers: int = 2, n_dead: int = 0) -> UnitStatistics:
    """Units in ``n_layers`` layers by turns, with these activation sizes; the last ``n_dead`` are not live."""
    n = len(sizes)
    features = tuple(Feature(i % n_layers, i // n_layers) for i in range(n))
    live = np.arange(n) < n - n_dead
    return UnitStatistics(features, sizes, sizes, sizes, live, n=100)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n_group=st.integers(5, 40))
def test_controls_are_matched_disjoint_and_different(seed: int, n_group: int):
    rng = np.random.default_rng(seed)
    # Spread so little that even the largest unit has others of about its size.
    units = units_of_sizes(rng.lognormal(0.0, 0.3, size=240), n_dead=20)
    group = [units.features[i] for i in rng.permutation(220)[:n_group]]
    controls = draw_controls(group, units, PLAN)
    assert controls.reason == "" and len(controls.groups) == 100
    dead = {f for f, live in zip(units.features, units.live, strict=True) if not live}
    for control in controls.groups:
        assert len(set(control)) == n_group
        assert not set(control) & (set(group) | dead)
        assert sorted(f.layer for f in control) == sorted(f.layer for f in group)
    assert len({frozenset(control) for control in controls.groups}) == 100


def test_sizes_are_matched_far_better_than_by_chance():
    rng = np.random.default_rng(0)
    sizes = rng.lognormal(0.0, 1.5, size=400)
    units = units_of_sizes(sizes, n_layers=1)
    group = [units.features[i] for i in np.argsort(sizes)[100:400:4]]  # larger ones than the average
    controls = draw_controls(group, units, PLAN)
    ((_, ratio),) = controls.size_ratio
    assert ratio == pytest.approx(1.0, abs=0.1)
    column = units.index
    own = np.sort([np.log(sizes[column[f]]) for f in group])
    for control in controls.groups[:10]:
        drawn = np.sort([np.log(sizes[column[f]]) for f in control])
        assert np.abs(own - drawn).mean() < 0.15


def test_the_seed_fixes_the_draw():
    units = units_of_sizes(np.linspace(1, 2, 60))
    group = units.features[:10]
    assert draw_controls(group, units, PLAN) == draw_controls(group, units, PLAN)
    other = ControlPlan("random groups", MATCHED_ON, 100, seed=1)
    assert draw_controls(group, units, PLAN) != draw_controls(group, units, other)


def test_reasons_why_no_control_can_be_drawn():
    even = units_of_sizes(np.ones(40), n_dead=20)
    few = draw_controls(even.features[:12], even, PLAN)
    assert few.reason == "layer 0 has 6 units in the group and only 4 other live ones to draw a control from"
    assert "only 8 different" in draw_controls(even.features[:1], units_of_sizes(np.ones(18)), PLAN).reason
    assert draw_controls([], even, PLAN).reason == "the group is empty"
    uneven = units_of_sizes(np.r_[np.full(10, 100.0), np.ones(90)], n_layers=1)
    controls = draw_controls(uneven.features[:10], uneven, PLAN)
    assert "0.01 times as active" in controls.reason and controls.groups == ()


def test_units_that_were_not_measured_are_refused():
    with pytest.raises(ClaimError, match="was not measured"):
        draw_controls([Feature(3, 3)], units_of_sizes(np.ones(10)), PLAN)
