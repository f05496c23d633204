"""Claims and verdicts: what a level asks for, how a ledger is read, and which entries contradict each other."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from some_claims import PREDICTIONS, some_claim, some_verdict

from truescope.core import (
    Claim,
    ClaimError,
    ClaimType,
    ControlKind,
    ControlPlan,
    ControlResult,
    EvidenceLevel,
    Prediction,
    Status,
    UsageError,
    content_id,
)
from truescope.judge import (
    Ledger,
    conflicts_of,
    find_conflicts,
    find_record,
    object_key,
    read_records,
    select_records,
)

E = EvidenceLevel


@pytest.mark.parametrize(
    ("kind", "level", "without", "says"),
    [
        (ClaimType.SUFFICIENCY, E.E3, {"dose_response": ()}, "follows the dose"),
        (ClaimType.NECESSITY, E.E4, {"collateral": ()}, "collateral"),
        (ClaimType.NECESSITY, E.E4, {"collateral": ("other",)}, "collateral"),
        (ClaimType.MECHANISM, E.E5, {"rests_on": ("a",)}, "rests on"),
        (ClaimType.NECESSITY, E.E4, {"controls": (ControlResult("random", 100, 1, ()),)}, "none does the same"),
        (ClaimType.NECESSITY, E.E4, {"status": Status.FAILED}, "that held"),
        (ClaimType.NECESSITY, E.E3, {}, "another type"),
        (ClaimType.ASSOCIATION, E.E2, {}, "another type"),
        (ClaimType.ASSOCIATION, E.E1, {"scores": ()}, "a score"),
    ],
)
def test_a_level_needs_its_content(kind: ClaimType, level: EvidenceLevel, without: dict, says: str):
    claim = some_claim(kind)
    if level in (E.E1, *kind.levels):
        assert some_verdict(claim, Status.HELD, level).evidence_level is level
    with pytest.raises(ClaimError, match="cannot be") as error:
        some_verdict(claim, **{"status": Status.HELD, "level": level} | without)
    assert says in error.value.why


def test_a_mechanism_needs_faithfulness_and_completeness():
    claim = some_claim(ClaimType.MECHANISM)
    whole = some_verdict(claim, Status.HELD, E.E5)
    with pytest.raises(ClaimError) as error:
        replace(whole, scores=whole.scores[:2])
    assert "faithfulness" in error.value.why and "completeness" in error.value.why


def test_an_effect_that_does_not_follow_the_dose_is_no_sufficiency():
    claim = some_claim(ClaimType.SUFFICIENCY)
    points = some_verdict(claim).dose_response
    bumpy = (points[0], replace(points[1], score=replace(points[1].score, value=0.9)), points[2])
    with pytest.raises(ClaimError, match="cannot be E3"):
        some_verdict(claim, dose_response=bumpy)
    with pytest.raises(ClaimError, match="cannot be E3"):
        some_verdict(claim, dose_response=points[:2])


def test_controls_are_part_of_the_type():
    baseline = ControlPlan("a baseline", (), 10, 0)
    for kind in ClaimType:
        if ControlKind.BASELINE in kind.controls:
            assert some_claim(kind, control=baseline)
        else:
            with pytest.raises(ClaimError, match=f"claim of {kind.value} cannot be tested beside a baseline"):
                some_claim(kind, control=baseline)
    shuffled = ControlPlan("shuffled labels", (), 100, 0, ControlKind.SHUFFLED_LABELS)
    assert some_claim(ClaimType.DECODABLE, control=shuffled).control.sort is ControlKind.SHUFFLED_LABELS


def test_claims_from_before_keep_their_ids_and_read_back():
    old = some_claim(metric="", text="t")
    before = {"text": "t", "predictions": [asdict(p) for p in PREDICTIONS]}
    before |= {"control": {"name": "random groups", "matched_on": ["layer", "count"], "n": 100, "seed": 0}}
    assert old.id == content_id(before | {"target": old.target, "population": old.population})
    full = some_claim(
        ClaimType.NECESSITY, metric="share", correction="holm", seeds={"split": 1}, assumptions=("a",), threats=("b",),
        scope=("in-distribution",), depends_on=("x",), artefact="h",
    )  # fmt: skip
    for claim in (old, full, full.with_procedure("judge", model="somewhere")):
        assert Claim.from_json(json.loads(json.dumps(claim.to_json()))) == claim
    assert full.with_procedure("judge", model="elsewhere").id == full.id  # a place that moves changes no claim
    changes = {"metric": "x", "threats": (), "artefact": "i", "scope": (), "correction": ""}
    assert len({replace(full, **{name: value}).id for name, value in changes.items()} | {full.id}) == 6
    with pytest.raises(ClaimError, match="no claim"):
        Claim.from_json({"text": "only"})
    with pytest.raises(ClaimError, match="did you mean necessity"):
        Claim.from_json(full.to_json() | {"type": "necesity"})


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def judge(ledger: Ledger, claim: Claim, *statuses: Status, **changes) -> Claim:
    ledger.state(claim)
    for status in statuses:
        ledger.append(some_verdict(claim, status, **changes))
    return claim


def test_a_mechanism_rests_on_held_entries_on_the_same_object(ledger: Ledger):
    sufficient = judge(ledger, some_claim(ClaimType.SUFFICIENCY), Status.HELD)
    necessary = judge(ledger, some_claim(ClaimType.NECESSITY), Status.HELD)
    other = judge(ledger, some_claim(ClaimType.NECESSITY, target={"model_hash": "m", "features": ["9/9"]}), Status.HELD)
    failed = judge(ledger, some_claim(ClaimType.NECESSITY, population={"n": 2}), Status.FAILED)
    claim = some_claim(ClaimType.MECHANISM)
    ledger.state(claim)
    for rests_on, says in [
        ((sufficient.id, other.id), "another object"),
        ((sufficient.id, failed.id), "not held"),
        ((sufficient.id, "nowhere"), "not held"),
        ((sufficient.id, sufficient.id), "one of E4"),
    ]:
        with pytest.raises(ClaimError, match=says):
            ledger.append(some_verdict(claim, rests_on=rests_on))
    assert ledger.append(some_verdict(claim, rests_on=(sufficient.id, necessary.id))).body["rests_on"]


def test_records_are_found_and_chosen(ledger: Ledger):
    held = judge(ledger, some_claim(ClaimType.NECESSITY), Status.HELD)
    failed = judge(ledger, some_claim(text="Another word"), Status.UNDECIDED, Status.FAILED)
    stated = judge(ledger, some_claim(target={"model_hash": "Nowhere"}))
    records = read_records(ledger.entries())
    assert [r.id for r in records] == [held.id, failed.id, stated.id]
    assert [r.status for r in records] == ["held", "failed", "stated"]

    def ids(**conditions):
        return [r.id for r in select_records(records, **conditions)]

    assert ids(status="held") == ids(level="E4") == ids(type="necessity") == [held.id]
    assert ids(text="ANOTHER") == ids(status="failed") == [failed.id]
    assert ids(target="nowhere") == ids(status="stated") == [stated.id]
    assert ids() == [r.id for r in records] and ids(status="held", text="another") == []
    for condition, meant in ({"status": "heldd"}, "held"), ({"type": "necesity"}, "necessity"), ({"level": "E9"}, "E"):
        with pytest.raises(UsageError, match=meant):
            ids(**condition)
    assert find_record(records, held.id[:6]).id == held.id
    with pytest.raises(UsageError, match="no claim"):
        find_record(records, "zz")
    with pytest.raises(UsageError, match="no claim"):
        find_record(records, "")

    whole = records[1].to_json()
    assert [h["status"] for h in whole["history"]] == ["undecided", "failed"]
    for part in ("target", "population", "predictions", "scores", "controls", "control", "stated_by", "sentence"):
        assert whole[part], part
    assert "scores" not in records[2].to_json()
    assert records[2].sentence.startswith("Stated on")


def test_detection_without_control_is_said_and_shown_together(ledger: Ledger):
    seen = judge(ledger, some_claim(ClaimType.LABEL), Status.HELD)
    moved = judge(ledger, some_claim(ClaimType.NECESSITY), Status.FAILED)
    judge(ledger, some_claim(ClaimType.NECESSITY, target={"model_hash": "m", "features": ["1/1"]}), Status.FAILED)
    (conflict,) = find_conflicts(read_records(ledger.entries()))
    assert conflict.kind == "detects, does not control" and conflict.claims == (seen.id, moved.id)
    assert conflict.sentence.startswith("Detects, does not control: feature 3/17 goes with the digit")
    assert conflicts_of([conflict], moved.id) == [conflict] and conflicts_of([conflict], "x") == []


def test_control_without_detection_is_said_too(ledger: Ledger):
    judge(ledger, some_claim(ClaimType.NECESSITY), Status.HELD)
    judge(ledger, some_claim(ClaimType.DECODABLE), Status.FAILED)
    (conflict,) = find_conflicts(read_records(ledger.entries()))
    assert conflict.kind == "acts, does not detect"


def test_opposite_outcomes_and_thresholds_that_exclude_each_other(ledger: Ledger):
    judge(ledger, some_claim(predictions=(Prediction("auc", ">=", 0.9),)), Status.HELD)
    judge(ledger, some_claim(predictions=(Prediction("auc", ">=", 0.8),), population={"n": 7}), Status.FAILED)
    judge(ledger, some_claim(predictions=(Prediction("auc", "<=", 0.6),), population={"n": 8}), Status.HELD)
    # To fail at a higher bar than the one that held is no contradiction.
    judge(ledger, some_claim(predictions=(Prediction("auc", ">=", 0.95),), population={"n": 9}), Status.FAILED)
    conflicts = find_conflicts(read_records(ledger.entries()))
    assert [c.kind for c in conflicts] == ["opposite outcomes"] * 2
    assert "Opposite outcomes on one target" in conflicts[0].sentence and "both cannot be" in conflicts[1].sentence


def test_a_claim_that_came_out_otherwise_did_not_reproduce(ledger: Ledger):
    claim = judge(ledger, some_claim(), Status.HELD, Status.FAILED)
    (conflict,) = find_conflicts(read_records(ledger.entries()))
    assert conflict.kind == "did not reproduce" and conflict.claims == (claim.id,)
    assert "held" in conflict.sentence and "then failed" in conflict.sentence


def test_an_object_is_told_by_model_dictionary_and_features():
    one = {"model_hash": "m", "features": ["1/2", "0/3"], "group": "units", "operation": "suppress"}
    assert object_key(one) == object_key({"features": ["0/3", "1/2"], "model_hash": "m", "subject": "it"})
    assert object_key(one) != object_key(one | {"model_hash": "n"}) != object_key(one | {"features": ["0/3"]})
    assert object_key({"a": 1}) != object_key({"a": 2})
