"""Entries that contradict each other, found so that they are shown together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from truescope.core.claims import Prediction, Status
from truescope.core.evidence import ClaimType
from truescope.core.wording import object_of, subject
from truescope.judge.records import ClaimRecord, object_key

READING = {ClaimType.ASSOCIATION, ClaimType.LABEL, ClaimType.DECODABLE}
"""Claims that a thing can be seen in a target."""

WRITING = {ClaimType.SUFFICIENCY, ClaimType.NECESSITY, ClaimType.RELIANCE, ClaimType.MECHANISM}
"""Claims that a target does something, tested by an intervention."""


@dataclass(frozen=True)
class Conflict:
    """Two entries on one target (or two verdicts on one claim) with outcomes that do not go together.

    ``kind`` is "detects, does not control", "acts, does not detect", "opposite outcomes" or "did not reproduce".
    """

    kind: str
    claims: tuple[str, ...]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """As a plain record."""
        return {"kind": self.kind, "claims": list(self.claims), "sentence": self.sentence}


def find_conflicts(records: Sequence[ClaimRecord]) -> list[Conflict]:
    """Every conflict among the claims, in the order of the first claim of each.

    - *detects, does not control*: a reading of the target held (E1, E2) and an intervention on it failed.
    - *acts, does not detect*: the other way round.
    - *opposite outcomes*: two claims of one type predict one score of one target, and one held where the other failed,
      or both held for thresholds that exclude each other.
    - *did not reproduce*: one claim, judged more than once, with different statuses.
    """
    found = [_unstable(record) for record in records if len({entry.body["status"] for entry in record.verdicts}) > 1]
    groups: dict[str, list[ClaimRecord]] = {}
    for record in records:
        groups.setdefault(object_key(record.claim.target), []).append(record)
    for group in groups.values():
        for first, second in combinations(group, 2):
            found += [conflict for conflict in (_apart(first, second), _opposed(first, second)) if conflict]
    order = {record.id: place for place, record in enumerate(records)}
    return sorted(found, key=lambda conflict: [order[name] for name in conflict.claims])


def conflicts_of(conflicts: Iterable[Conflict], claim_id: str) -> list[Conflict]:
    """The conflicts that a claim is part of."""
    return [conflict for conflict in conflicts if claim_id in conflict.claims]


def _unstable(record: ClaimRecord) -> Conflict:
    told = ", then ".join(f"{e.body['status'].replace('_', ' ')} ({e.at[:10]})" for e in record.verdicts)
    return Conflict("did not reproduce", (record.id,), f"The same claim was judged more than once: {told}.")


def _apart(first: ClaimRecord, second: ClaimRecord) -> Conflict | None:
    """A reading and an intervention of which one held and the other failed."""
    for reading, writing in ((first, second), (second, first)):
        if reading.claim.type not in READING or writing.claim.type not in WRITING:
            continue
        outcome = (reading.status, writing.status)
        names = (first.id, second.id)
        x, y = subject(reading.claim), object_of(reading.claim)
        if outcome == (Status.HELD, Status.FAILED):
            said = f"Detects, does not control: {x} goes with {y}, and the test of {_tested(writing)} failed."
            return Conflict("detects, does not control", names, said)
        if outcome == (Status.FAILED, Status.HELD):
            said = f"Acts, does not detect: the test of {_tested(reading)} failed, and that of {_tested(writing)} held."
            return Conflict("acts, does not detect", names, said)
    return None


def _tested(record: ClaimRecord) -> str:
    return record.claim.type.noun.format(x=subject(record.claim), y=object_of(record.claim))


def _opposed(first: ClaimRecord, second: ClaimRecord) -> Conflict | None:
    """Two claims of one type on one score, of which both cannot be right."""
    if first.claim.type is not second.claim.type:
        return None
    outcomes = {first.status, second.status}
    for one in first.claim.predictions:
        for other in second.claim.predictions:
            if one.score != other.score:
                continue
            both = f"{_tested(first)} ({one}: {first.status}) and {_tested(second)} ({other}: {second.status})"
            if outcomes == {Status.HELD, Status.FAILED} and _implied(first, one, second, other):
                return Conflict("opposite outcomes", (first.id, second.id), f"Opposite outcomes on one target: {both}.")
            if outcomes == {Status.HELD} and _exclude(one, other):
                return Conflict("opposite outcomes", (first.id, second.id), f"Both held, both cannot be: {both}.")
    return None


def _implied(first: ClaimRecord, one: Prediction, second: ClaimRecord, other: Prediction) -> bool:
    """Whether what held says at least as much as what failed: then the two cannot both be so."""
    if one.relation != other.relation:
        return False
    held, failed = (one, other) if first.status == Status.HELD else (other, one)
    return held.threshold >= failed.threshold if held.relation == ">=" else held.threshold <= failed.threshold


def _exclude(one: Prediction, other: Prediction) -> bool:
    """Whether no value meets both."""
    if one.relation == other.relation:
        return False
    floor, ceiling = (one, other) if one.relation == ">=" else (other, one)
    return floor.threshold > ceiling.threshold
