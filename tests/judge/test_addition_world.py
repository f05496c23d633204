"""The shipped addition world, judged as the demo judges it: groups from one half, verdicts on the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from truescope.core.claims import Status
from truescope.core.features import Feature
from truescope.explain import Grouping, GroupingRule, UnitSet, digit_dependence, group_units, last_activations
from truescope.judge import NumberTask, Statement, judge_suppression, token_numbers
from truescope.models import Model
from truescope.statistics import UnitStatistics, split_half
from truescope.truth.addition import ADDITION_FOLDER, addition_prompts

World = tuple[Model, Statement, Grouping]


@pytest.fixture(scope="module")
def world() -> World:
    model = Model.from_pretrained(ADDITION_FOLDER)
    tokens, answers = addition_prompts()
    grouping_half, judging_half = split_half(10_000, seed=0)
    seen = tokens[torch.from_numpy(grouping_half)]
    values = last_activations(model, seen)
    units = UnitStatistics.measure(values, UnitSet(model).every())
    groups = group_units(
        units, digit_dependence(values, seen[:, 1].numpy(), seen[:, 3].numpy()), GroupingRule(threshold=0.62)
    )
    numbers = token_numbers(model.token_strings(range(model.n_vocab)))
    task = NumberTask(tokens[torch.from_numpy(judging_half)], answers.numpy()[judging_half], numbers)
    return model, Statement(model.hash, task, units, groups.rule.to_json(), 0, 10_000), groups


def test_both_claims_hold_and_no_random_group_does_either(world: World):
    model, stated, grouping = world
    claims = [
        stated.units_digits(grouping.groups["units digits"]),
        stated.magnitude(grouping.groups["magnitude"]),
    ]
    for verdict in judge_suppression(model, claims, stated.task, stated.units):
        assert verdict.status is Status.HELD, verdict
        (control,) = verdict.controls
        assert (control.n, control.n_won) == (100, 0)
        # The few units of layer 1 have few of their size beside them.
        assert all(0.5 < ratio < 2 for ratio in verdict.facts["control_size_ratio"].values())


def test_a_group_chosen_without_looking_at_dependence_fails(world: World):
    model, stated, _ = world
    live = [unit for unit, live in zip(stated.units.features, stated.units.live, strict=True) if live]
    chosen: list[Feature] = [live[i] for i in np.random.default_rng(1).permutation(len(live))[:140]]
    (verdict,) = judge_suppression(model, [stated.units_digits(chosen)], stated.task, stated.units)
    assert verdict.status is Status.FAILED
