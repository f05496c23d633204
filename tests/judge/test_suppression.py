"""Suppression on a model whose mechanism is planted: true claims hold, nulls fail, changed claims are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from planted_digits import (
    IDLE_GROUP,
    MAGNITUDE_GROUP,
    UNITS_GROUP,
    planted_model,
    planted_prompts,
    planted_statement,
)

from truescope.core.claims import Claim, EvidenceLevel, Prediction, Status, Verdict
from truescope.core.errors import ClaimError
from truescope.core.features import Feature
from truescope.core.sites import Site
from truescope.explain import UnitSet, digit_dependence, group_units, last_activations
from truescope.judge import Statement, edited_answers, judge_suppression, suppression_edits
from truescope.models import Model
from truescope.statistics import UnitStatistics, split_half


@pytest.fixture(scope="module")
def model() -> Model:
    return planted_model()


@pytest.fixture(scope="module")
def stated(model: Model) -> Statement:
    return planted_statement(model, n=1500)


def judge(model: Model, stated: Statement, *claims: Claim) -> list[Verdict]:
    return judge_suppression(model, claims, stated.task, stated.units, n_resamples=200)


def value(verdict: Verdict, score: str) -> float:
    return next(s.value for s in verdict.scores if s.name == score)


def test_the_whole_way_from_grouping_to_held_claims(model: Model):
    tokens, first, second = planted_prompts()
    grouping, _ = split_half(10_000, 0)
    values = last_activations(model, tokens[torch.from_numpy(grouping)])
    units = UnitStatistics.measure(values, UnitSet(model).every())
    groups = group_units(units, digit_dependence(values, first[grouping], second[grouping])).groups
    # Both groups read b alone; the planted neurons and those idle ones that read the same digit are found.
    assert set(UNITS_GROUP) <= set(groups["units digits"]) and set(MAGNITUDE_GROUP) <= set(groups["magnitude"])
    stated = planted_statement(model)
    calls: list[tuple[str, int, int]] = []
    verdicts = judge_suppression(
        model,
        [stated.units_digits(UNITS_GROUP), stated.magnitude(MAGNITUDE_GROUP)],
        stated.task,
        stated.units,
        n_resamples=200,
        progress=lambda *call: calls.append(call),
    )
    for verdict in verdicts:
        assert verdict.status is Status.HELD and verdict.evidence_level is EvidenceLevel.E4
        assert value(verdict, "exact") == pytest.approx(0.1, abs=0.02)  # one digit of ten is the answered one
        (control,) = verdict.controls
        assert control.n == 100 and control.n_won == 0 and {s.n for s in control.scores} == {1000}
        assert verdict.facts["unedited"]["exact"] == 1.0 and verdict.notes == ()
        assert verdict.facts["controls_as_strong"]["exact"] == pytest.approx(1 / 101)
    units_verdict, magnitude_verdict = verdicts
    assert value(units_verdict, "within_5") == 1.0 and value(magnitude_verdict, "units_digit") == 1.0
    # Units digits answered as 4 when lost: |error| is 4, 3, 2, 1, 0, 1, 2, 3, 4, 5 with equal chance.
    assert value(units_verdict, "error") == pytest.approx(2.5, abs=0.1)
    assert value(magnitude_verdict, "error") == pytest.approx(25.0, abs=1.0)
    assert units_verdict.facts["n_units_per_layer"] == {"0": 10, "1": 0}
    assert {stage for stage, _, _ in calls} == {"groups", "controls of units digits", "controls of magnitude"}
    assert all(done <= total for _, done, total in calls)


def test_a_group_that_does_nothing_fails(model: Model, stated: Statement):
    (verdict,) = judge(model, stated, stated.magnitude(IDLE_GROUP))
    assert verdict.status is Status.FAILED and verdict.evidence_level is EvidenceLevel.E1
    assert value(verdict, "exact") == 1.0
    assert verdict.notes[0].startswith("exact <= 0.45 is not met: 1 [0.99")


def test_a_claim_that_any_group_meets_falls_by_its_controls(model: Model, stated: Statement):
    easy = replace(stated.magnitude(IDLE_GROUP), predictions=(Prediction("exact", ">=", 0.0),))
    (verdict,) = judge(model, stated, easy)
    assert verdict.status is Status.FAILED and verdict.controls[0].n_won == 100
    assert "100 of 100 random groups meet every prediction too" in verdict.notes


def test_a_claim_at_its_threshold_is_undecided(model: Model, stated: Statement):
    claim = stated.magnitude(MAGNITUDE_GROUP)
    (measured,) = judge(model, stated, claim)
    exact = replace(claim, predictions=(Prediction("exact", "<=", value(measured, "exact")),))
    (verdict,) = judge(model, stated, exact)
    assert verdict.status is Status.UNDECIDED and verdict.evidence_level is EvidenceLevel.E1
    assert "is left open" in verdict.notes[0]


def test_edits_do_exactly_what_editing_the_whole_model_does(model: Model, stated: Statement):
    tokens = stated.task.tokens[:50]
    edits = suppression_edits([*UNITS_GROUP[:5], *MAGNITUDE_GROUP[3:6]], stated.units)
    assert [str(edit.site) for edit in edits] == ["mlp_neurons.0", "mlp_neurons.1"]
    got = edited_answers(model, tokens, [[], edits], batch=20)
    assert (got[0] == model.run(tokens).logits[:, -1].argmax(-1).numpy()).all()
    assert (got[1] == model.run(tokens, edit=edits).logits[:, -1].argmax(-1).numpy()).all()
    assert (got[0] != got[1]).any()


class NeuronTranscoder:
    """The MLPs as transcoders: reads mlp_in, its features are the neurons, writes mlp_out; error zero."""

    name = "transcoder"
    model_hash = ""

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def reads(self) -> tuple[Site, ...]:
        return tuple(Site("mlp_in", layer) for layer in range(self.model.n_layers))

    def n_features(self, site: Site) -> int:
        return self.model.n_neurons

    def encode(self, site: Site, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.model.parts.up(site.layer or 0)(x))

    def decode(self, site: Site, z: torch.Tensor) -> dict[Site, torch.Tensor]:
        down = self.model.parts.down(site.layer or 0).get_parameter("weight")
        return {Site("mlp_out", site.layer): z @ down}


def test_features_of_a_dictionary_are_suppressed_in_delta_form_like_the_neurons_they_are(
    model: Model, stated: Statement
):
    dictionary = NeuronTranscoder(model)
    tokens = stated.task.tokens[:200]
    for group in (UNITS_GROUP, MAGNITUDE_GROUP):
        neurons_set = edited_answers(model, tokens, [suppression_edits(group, stated.units)])
        edits = suppression_edits(group, stated.units, dictionary)
        assert edits[0].site.kind == "mlp_in" and edits[0].dictionary == "transcoder"
        assert (edited_answers(model, tokens, [edits], dictionary=dictionary) == neurons_set).all()


def test_the_seed_fixes_everything(model: Model, stated: Statement):
    claim = stated.units_digits(UNITS_GROUP)
    one, again = (judge(model, stated, claim)[0].to_json() for _ in range(2))
    assert one == again
    seeded = replace(stated, control_seed=5).units_digits(UNITS_GROUP)
    assert seeded.id != claim.id
    other = judge(model, stated, seeded)[0]
    assert other.facts["control_size_ratio"] != one["facts"]["control_size_ratio"]


def test_too_few_other_units_is_not_testable_and_says_so(model: Model, stated: Statement):
    many = [Feature(0, i) for i in range(30)]
    nothing: list[Feature] = []
    big, empty = judge(model, stated, stated.units_digits(many), stated.magnitude(nothing))
    for verdict in (big, empty):
        assert verdict.status is Status.NOT_TESTABLE and verdict.evidence_level is EvidenceLevel.E0
        assert verdict.controls == ()
    assert big.notes == ("layer 0 has 30 units in the group and only 20 other live ones to draw a control from",)
    assert big.scores and empty.scores == () and empty.notes == ("the group is empty",)


def test_changed_or_misplaced_claims_are_refused(model: Model, stated: Statement):
    claim = stated.units_digits(UNITS_GROUP)
    other_group = {**claim.target, "features": claim.target["features"][:5]}
    with pytest.raises(ClaimError, match="another values_hash"):
        judge(model, stated, replace(claim, target=other_group))
    with pytest.raises(ClaimError, match="another model_hash"):
        judge(planted_model(seed=1), stated, claim)
    with pytest.raises(ClaimError, match="another data_hash"):
        elsewhere = replace(stated, task=stated.task.rows(np.arange(1, 1500)))
        judge(model, elsewhere, claim)
    with pytest.raises(ClaimError, match="another dictionary"):
        judge(model, stated, replace(claim, target={**claim.target, "dictionary": "sae"}))
    with pytest.raises(ClaimError, match="which features"):
        judge(model, stated, replace(claim, target={}))
    with pytest.raises(ClaimError, match="was not measured"):
        stated.units_digits([Feature(7, 0)])


def test_a_claim_that_changes_while_it_is_judged_is_refused(model: Model, stated: Statement):
    claim = stated.units_digits(UNITS_GROUP)

    def tamper(stage: str, done: int, total: int) -> None:
        claim.population["note"] = "added later"

    with pytest.raises(ClaimError, match="changed while"):
        judge_suppression(model, [claim], stated.task, stated.units, n_resamples=50, progress=tamper)


def test_no_verdict_without_enough_controls_on_enough_prompts(model: Model, stated: Statement):
    claim = stated.units_digits(UNITS_GROUP)
    with pytest.raises(ClaimError, match="plans 5 controls"):
        judge(model, stated, replace(claim, control=replace(claim.control, n=5)))
    with pytest.raises(ClaimError, match="at least one control"):
        replace(claim.control, n=0)
    with pytest.raises(ClaimError, match="matched on"):
        judge(model, stated, replace(claim, control=replace(claim.control, matched_on=())))
    with pytest.raises(ClaimError, match="on which prompts"):
        judge(model, stated, replace(claim, population={**claim.population, "control_sample": None}))
    with pytest.raises(ClaimError, match="need 1000 prompts"):
        small = {**claim.population, "control_sample": {"n": 10, "seed": 0}}
        judge(model, stated, replace(claim, population=small))


def test_statements_say_what_they_stand_on(stated: Statement):
    units, magnitude = stated.units_digits(UNITS_GROUP), stated.magnitude(MAGNITUDE_GROUP)
    assert units.id != magnitude.id and units.id == stated.units_digits(UNITS_GROUP[::-1]).id
    assert [str(p) for p in units.predictions] == ["within_5 >= 0.99", "exact <= 0.6"]
    assert [str(p) for p in magnitude.predictions] == ["units_digit >= 0.99", "exact <= 0.45"]
    assert units.population["n"] == 1500 and units.population["control_sample"] == {"n": 1000, "seed": 0}
    assert units.target["grouping"] == {"rule": "planted", "n": stated.units.n}
