"""How much an entry may say: the evidence levels E0 to E5, and the types of claims with what each must bring.

The levels and their words follow what Saphra and Wiegreffe sort out ("Mechanistic?", BlackboxNLP 2024): causal by
intervention is *narrow-technical*, a description of internals is *broad-technical*, and neither is called by the bare
word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any


class EvidenceLevel(StrEnum):
    """How much an entry may say. E3 and above need an intervention that beats matched controls."""

    E0 = "E0"
    E1 = "E1"
    E2 = "E2"
    E3 = "E3"
    E4 = "E4"
    E5 = "E5"

    @property
    def title(self) -> str:
        """The level's name: anecdote, correlational, decodable, sufficiency, necessity, mechanism."""
        return _LEVELS[self.value][0]

    @property
    def sense(self) -> str:
        """What the level is in technical terms: a description of internals, or a causal statement about them."""
        return "causal (narrow-technical)" if self >= "E3" else "internal, descriptive (broad-technical)"

    @property
    def verbs(self) -> tuple[str, ...]:
        """The verbs that this level adds to those of the levels below."""
        return _LEVELS[self.value][1]

    @property
    def needs(self) -> str:
        """The least that an entry of this level must bring."""
        return _LEVELS[self.value][2]


_LEVELS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "E0": ("anecdote", ("goes with, in this example",), "a single example"),
    "E1": (
        "correlational",
        ("is associated with", "separates", "agrees with"),
        "an estimate on held-out cases with its interval, beside a baseline",
    ),
    "E2": ("decodable", ("can be read from",), "a probe that beats a control task, shuffled labels or a random model"),
    "E3": (
        "intervention: sufficiency",
        ("can induce", "raises"),
        "adding or clamping beats matched random controls, and the effect follows the dose",
    ),
    "E4": (
        "intervention: necessity",
        ("is needed for, on this data",),
        "taking away beats matched random controls, and what else changed is reported",
    ),
    "E5": (
        "mechanism",
        ("implements",),
        "faithfulness and completeness of the path, and held entries of E3 and E4 on the same object",
    ),
}


class ControlKind(StrEnum):
    """What a control is: the thing that would do as well if the claim were empty."""

    MATCHED_RANDOM = "matched_random"
    SHUFFLED_LABELS = "shuffled_labels"
    CONTROL_TASK = "control_task"
    RANDOM_MODEL = "random_model"
    BASELINE = "baseline"


_READERS = (ControlKind.CONTROL_TASK, ControlKind.SHUFFLED_LABELS, ControlKind.RANDOM_MODEL)


@dataclass(frozen=True)
class _TypeRule:
    """The levels that a held claim of a type can reach, the controls that it may bring, and how it is worded.

    ``held`` is the sentence where the level is the type's own, ``noun`` what was tested where it did not hold; both
    have places for the subject {x} and the object {y}.
    """

    levels: tuple[EvidenceLevel, ...]
    controls: tuple[ControlKind, ...]
    held: str
    noun: str


class ClaimType(StrEnum):
    """What a claim says, and with it which controls it must name and how far its evidence can reach."""

    ASSOCIATION = "association"
    LABEL = "label"
    COMPARISON = "comparison"
    FAITHFULNESS = "faithfulness"
    DECODABLE = "decodable"
    SUFFICIENCY = "sufficiency"
    NECESSITY = "necessity"
    RELIANCE = "reliance"
    MECHANISM = "mechanism"

    @property
    def levels(self) -> tuple[EvidenceLevel, ...]:
        """The levels above E1 that a held claim of this type can reach; none for a description."""
        return _TYPES[self].levels

    @property
    def ceiling(self) -> EvidenceLevel:
        """The highest level that a claim of this type can reach."""
        return max(self.levels, default=EvidenceLevel.E1)

    @property
    def controls(self) -> tuple[ControlKind, ...]:
        """The kinds of control that count for this type."""
        return _TYPES[self].controls

    @property
    def held(self) -> str:
        """What may be said where the claim held at its type's own level, with places {x} and {y}."""
        return _TYPES[self].held

    @property
    def noun(self) -> str:
        """What was tested, said without asserting it, with places {x} and {y}."""
        return _TYPES[self].noun


_ANY = tuple(ControlKind)
_RANDOM = (ControlKind.MATCHED_RANDOM,)
_E = EvidenceLevel
_TYPES: dict[ClaimType, _TypeRule] = {
    ClaimType.ASSOCIATION: _TypeRule((), _ANY, "{x} is associated with {y}", "the association of {x} with {y}"),
    ClaimType.LABEL: _TypeRule((), _ANY, "the label {y} separates where {x} is active", "the label {y} of {x}"),
    ClaimType.COMPARISON: _TypeRule((), _ANY, "{x} compares with {y} as predicted", "the comparison of {x} with {y}"),
    ClaimType.FAITHFULNESS: _TypeRule((), _ANY, "{x} agrees with {y}", "the agreement of {x} with {y}"),
    ClaimType.DECODABLE: _TypeRule(
        (_E.E2,), _READERS, "{y} can be read from {x}", "whether {y} shows in {x} to a probe"
    ),
    ClaimType.SUFFICIENCY: _TypeRule((_E.E3,), _RANDOM, "{x} can induce {y}", "the sufficiency of {x} for {y}"),
    ClaimType.NECESSITY: _TypeRule(
        (_E.E4,), _RANDOM, "{x} is needed for {y}, on this data", "the necessity of {x} for {y}"
    ),
    ClaimType.RELIANCE: _TypeRule(
        (_E.E3, _E.E4), _RANDOM, "{x} is needed for {y}, on this data", "the reliance of {y} on {x}"
    ),
    ClaimType.MECHANISM: _TypeRule((_E.E5,), _RANDOM, "{x} implements {y}", "{x} as a mechanism of {y}"),
}

MIN_DOSES = 3
"""A dose-response has at least this many doses."""


def lacking(verdict: Any) -> list[str]:
    """What a verdict's evidence level asks for and the verdict does not bring; empty where it may have the level."""
    level, claim = verdict.evidence_level, verdict.claim
    if level is _E.E0:
        return []
    found = []
    if not verdict.scores:
        found.append("a score with its interval")
    if level is _E.E1:
        return found
    if verdict.status.value != "held":
        found.append(f"a claim that held, not one that is {verdict.status.value.replace('_', ' ')}")
    if level not in claim.type.levels:
        found.append(f"a claim of another type: {claim.type.value} reaches {claim.type.ceiling.value} at most")
    if any(control.n_won for control in verdict.controls):
        found.append("controls of which none does the same")
    if level is _E.E3 and not follows_dose(verdict.dose_response):
        found.append(f"an effect at {MIN_DOSES} doses or more that follows the dose")
    if level is _E.E4 and not (set(verdict.collateral) and set(verdict.collateral) <= {s.name for s in verdict.scores}):
        found.append("the measured score of what else changed (collateral)")
    if level is _E.E5:
        names = {score.name for score in verdict.scores}
        found += [f"a score named {name}" for name in ("faithfulness", "completeness") if name not in names]
        if len(verdict.rests_on) < 2:
            found.append("the entries of E3 and E4 on the same object that it rests on")
    return found


def follows_dose(points: Sequence[Any]) -> bool:
    """Whether the effect, measured at `MIN_DOSES` or more, goes one way as the dose grows, and its ends differ."""
    effects = [point.score.value for point in sorted(points, key=lambda point: point.dose)]
    if len({point.dose for point in points}) < MIN_DOSES or effects[0] == effects[-1]:
        return False
    steps = [after - before for before, after in pairwise(effects)]
    return all(step >= 0 for step in steps) or all(step <= 0 for step in steps)
