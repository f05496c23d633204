"""Dependence on digits of functions whose indices are known, and the groups that follow."""

from __future__ import annotations

import json

import numpy as np
import pytest

from truescope.core.errors import UsageError
from truescope.core.features import Feature
from truescope.core.ids import content_id
from truescope.explain import DIGIT_PARTS, GroupingRule, digit_dependence, group_units
from truescope.statistics import UnitStatistics, split_half

FIRST, SECOND = (grid.ravel() for grid in np.meshgrid(np.arange(100), np.arange(100), indexing="ij"))

# Name, function of the operands, expected group. The sum's carry and a parity of tens ⊕ units are mixtures.
PLANTED = {
    "sum mod 10": ((FIRST + SECOND) % 10, "units digits"),
    "product of units": ((FIRST % 10) * (SECOND % 10), "units digits"),
    "first units only": (FIRST % 10 == 3, "units digits"),
    "tens sum": (FIRST // 10 + SECOND // 10, "magnitude"),
    "near 90": (np.maximum(0, 20 - abs(FIRST + SECOND - 90)), "magnitude"),
    "first": (np.sin(FIRST * 2.0), "first operand"),
    "second": (np.sin(SECOND * 2.0), "second operand"),
    "mixture": ((FIRST // 10 + FIRST % 10 + SECOND // 10 + SECOND % 10) % 2, "unassigned"),
    "dead": (np.zeros(10_000), "silent"),
}


def activations() -> np.ndarray:
    return np.stack([np.asarray(values, dtype=float) for values, _ in PLANTED.values()], axis=1)


def test_known_indices_on_the_whole_domain():
    columns = np.stack(
        [
            FIRST + SECOND,  # tens have 100 times the variance of units
            (FIRST % 10 - 4.5) * (SECOND // 10 - 4.5),  # interaction across the parts
            (FIRST + SECOND) % 10,
            np.ones(10_000),
        ],
        axis=1,
    ).astype(float)
    got = digit_dependence(columns, FIRST, SECOND)
    assert got["units digits"] == pytest.approx([1 / 101, 0, 1, 0], abs=1e-12)
    assert got["magnitude"] == pytest.approx([100 / 101, 0, 0, 0], abs=1e-12)
    assert got["first operand"] == pytest.approx([0.5, 0, 0, 0], abs=1e-12)
    assert got["second operand"] == pytest.approx([0.5, 0, 0, 0], abs=1e-12)


def test_half_of_the_prompts_agree_with_the_whole_and_noise_is_near_zero():
    half, _ = split_half(10_000, seed=0)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(10_000, 50))
    columns = np.concatenate([activations(), noise], axis=1)
    whole = digit_dependence(columns, FIRST, SECOND)
    part = digit_dependence(columns[half], FIRST[half], SECOND[half])
    for name in DIGIT_PARTS:
        assert part[name] == pytest.approx(whole[name], abs=0.03)
        # The whole domain is the truth here: a fixed noise field explains 99/9999 of itself by chance.
        assert part[name][-50:].mean() == pytest.approx(99 / 9999, abs=0.002)


def test_every_planted_unit_lands_in_its_group_from_either_half():
    features = [Feature(i % 2, i) for i in range(len(PLANTED))]
    expected = {name: set() for name in [*DIGIT_PARTS, "unassigned", "silent"]}
    for feature, (_, group) in zip(features, PLANTED.values(), strict=True):
        expected[group].add(feature)
    for half in split_half(10_000, seed=3):
        values = activations()[half]
        units = UnitStatistics.measure(values, features)
        grouping = group_units(units, digit_dependence(values, FIRST[half], SECOND[half]))
        assert {name: set(members) for name, members in grouping.groups.items()} == expected
        assert grouping.n == 5000 and grouping.n_live == len(PLANTED) - 1
        assert grouping.per_layer()["units digits"] == {0: 2, 1: 1}


def test_below_one_half_a_unit_goes_where_more_of_it_is_explained():
    # Variances: units 8.25 each, tens as a number 8.25 times the square of their weight.
    tens, units = FIRST // 10 + SECOND // 10, FIRST % 10 + SECOND % 10
    columns = np.stack([tens + 2 * units, 2 * tens + units, (FIRST % 10 - 4.5) * (SECOND // 10 - 4.5)], axis=1).astype(
        float
    )
    features = [Feature(0, i) for i in range(3)]
    statistics, dependence = UnitStatistics.measure(columns, features), digit_dependence(columns, FIRST, SECOND)
    assert dependence["units digits"][:2] == pytest.approx([0.8, 0.2], abs=1e-9)
    low = group_units(statistics, dependence, GroupingRule(threshold=0.15)).groups
    assert low["units digits"] == (features[0],) and low["magnitude"] == (features[1],)
    assert low["unassigned"] == (features[2],)
    high = group_units(statistics, dependence, GroupingRule(threshold=0.85)).groups
    assert high["unassigned"] == tuple(features)


def test_the_rule_is_serialisable_and_its_hash_follows_it():
    one, other = GroupingRule(), GroupingRule(threshold=0.6)
    assert json.loads(json.dumps(one.to_json())) == one.to_json()
    assert content_id(one.to_json()) != content_id(other.to_json())
    values = activations()
    units = UnitStatistics.measure(values, [Feature(0, i) for i in range(values.shape[1])])
    grouping = group_units(units, digit_dependence(values, FIRST, SECOND), other)
    assert json.loads(json.dumps(grouping.to_json()))["groups"]["silent"] == ["0/8"]


def test_bad_input_is_refused():
    with pytest.raises(UsageError, match="0 to 99"):
        digit_dependence(np.ones((1, 1)), np.array([100]), np.array([0]))
    with pytest.raises(UsageError, match="sampled cases"):
        digit_dependence(np.ones((200, 1)), np.zeros(200, dtype=int), np.zeros(200, dtype=int))
    with pytest.raises(UsageError, match="share of variance"):
        GroupingRule(threshold=0.0)
    with pytest.raises(UsageError, match="no part"):
        GroupingRule(pairs=(("sum", "magnitude"),))
    units = UnitStatistics.measure(np.eye(2), [Feature(0, 0), Feature(0, 1)])
    with pytest.raises(UsageError, match="not measured"):
        group_units(units, {"units digits": np.zeros(2)})
