"""Claims and verdicts of every type, status and level, made by hand for the tests of words, records and conflicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from truescope.core.claims import Claim, ControlPlan, ControlResult, DosePoint, Prediction, Score, Status, Verdict
from truescope.core.evidence import ClaimType, ControlKind, EvidenceLevel

PREDICTIONS = (Prediction("effect", ">=", 0.6), Prediction("kept", ">=", 0.9))


def some_claim(kind: ClaimType = ClaimType.ASSOCIATION, **changes: Any) -> Claim:
    """A claim of the type, with a control that counts for it."""
    matched = ("layer", "count") if ControlKind.MATCHED_RANDOM in kind.controls else ()
    control = ControlPlan("random groups", matched, 100, 0, None if matched else kind.controls[0])
    parts: dict[str, Any] = {
        "text": "The group goes with the digit",
        "predictions": PREDICTIONS,
        "control": control,
        "target": {"subject": "feature 3/17", "object": "the digit", "model_hash": "m", "features": ["3/17"]},
        "population": {"data_hash": "d", "n": 1000},
        "type": kind,
    }
    return Claim(**parts | changes)


def some_verdict(
    claim: Claim, status: Status = Status.HELD, level: EvidenceLevel | None = None, **changes: Any
) -> Verdict:
    """A verdict with everything that its level asks for."""
    held = status is Status.HELD
    if level is None:
        level = EvidenceLevel.E0 if status is Status.NOT_TESTABLE else EvidenceLevel.E1
        level = claim.type.ceiling if held else level
    value = 0.8 if held else 0.3
    scores = [Score("effect", value, value - 0.05, value + 0.05, 1000), Score("kept", 0.95, 0.92, 0.97, 1000)]
    if level is EvidenceLevel.E5:
        scores += [Score("faithfulness", 0.9, 0.88, 0.92, 1000), Score("completeness", 0.9, 0.88, 0.92, 1000)]
    parts: dict[str, Any] = {
        "claim": claim,
        "status": status,
        "evidence_level": level,
        "scores": tuple(scores),
        "controls": () if status is Status.NOT_TESTABLE else (ControlResult("random groups", 100, 0, ()),),
        "collateral": ("kept",),
        "dose_response": tuple(DosePoint(d, replace(scores[0], value=d / 4)) for d in (1.0, 2.0, 3.0)),
        "rests_on": ("a", "b"),
    }
    return Verdict(**parts | changes)
