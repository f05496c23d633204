"""A ledger's lines put together again: each claim as it was stated, with the verdicts that it was given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from truescope.core.claims import Claim, Status, Verdict
from truescope.core.errors import ClaimError, UsageError, nearest
from truescope.core.evidence import EvidenceLevel
from truescope.core.ids import canonical_json, content_id
from truescope.core.wording import lint, object_of, sentence, subject

STATED = "stated"
"""The status of a claim that was written down and has no verdict yet."""


@dataclass(frozen=True)
class Entry:
    """One line: a claim as it was stated (``kind`` "claim"), or the verdict on it ("verdict").

    ``body`` is the claim's `to_json`, or the verdict's without what the claim's line already says. ``id`` is the hash
    of the line's content and of ``previous``, the id of the line before: nothing before it can be changed unseen.
    """

    kind: str
    claim_id: str
    body: dict[str, Any]
    provenance: dict[str, Any]
    at: str
    previous: str

    @property
    def id(self) -> str:
        """The hash of everything in the line."""
        return content_id(asdict(self))

    @property
    def statement(self) -> dict[str, Any]:
        """A claim's body without how it is run again, which is no part of what is claimed."""
        return {name: value for name, value in self.body.items() if name != "procedure"}


@dataclass(frozen=True)
class ClaimRecord:
    """One claim of a ledger: its line, and the lines of its verdicts in order."""

    stated: Entry
    verdicts: tuple[Entry, ...] = ()

    @property
    def id(self) -> str:
        """The claim's id."""
        return self.stated.claim_id

    @cached_property
    def claim(self) -> Claim:
        """The claim itself.

        Raises:
            ClaimError: another version wrote it in a form that this one does not read.
        """
        return Claim.from_json(self.stated.body)

    @property
    def verdict(self) -> Entry | None:
        """The last verdict; None where the claim was stated and never judged."""
        return self.verdicts[-1] if self.verdicts else None

    @property
    def status(self) -> str:
        """The last verdict's status, or `STATED`."""
        return self.verdict.body["status"] if self.verdict else STATED

    @property
    def level(self) -> EvidenceLevel:
        """The last verdict's evidence level; E0 where there is none."""
        return EvidenceLevel(self.verdict.body["evidence_level"]) if self.verdict else EvidenceLevel.E0

    @property
    def sentence(self) -> str:
        """What may be said of it now."""
        if self.verdict is None:
            return f"Stated on {self.stated.at[:10]} and not judged."
        return sentence(self.claim, self.verdict.body)

    def to_json(self) -> dict[str, Any]:
        """Everything that is known of the claim, in one flat record; one never judged has no verdict's part."""
        record: dict[str, Any] = {"id": self.id, "status": self.status, "evidence_level": self.level.value}
        record |= {"sentence": self.sentence, "type": self.claim.type.value}
        record |= {name: value for name, value in self.stated.body.items() if name != "predictions"}
        record["predictions"] = [str(prediction) for prediction in self.claim.predictions]
        record |= {"stated_at": self.stated.at, "stated_by": self.stated.provenance, "entry": self.stated.id}
        if self.verdict is not None:
            skipped = ("text", "type", "status", "evidence_level", "predictions", "sentence")
            record |= {name: value for name, value in self.verdict.body.items() if name not in skipped}
            record |= {"judged_at": self.verdict.at, "judged_by": self.verdict.provenance}
            record["history"] = [
                {"at": entry.at, "status": entry.body["status"], "rerun": "rerun_of" in entry.provenance}
                for entry in self.verdicts
            ]
        return record


def read_records(entries: Iterable[Entry]) -> list[ClaimRecord]:
    """The claims in the order in which they were stated, each with its verdicts."""
    stated: dict[str, Entry] = {}
    verdicts: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind == "claim":
            stated.setdefault(entry.claim_id, entry)
        else:
            verdicts.setdefault(entry.claim_id, []).append(entry)
    return [ClaimRecord(line, tuple(verdicts.get(name, ()))) for name, line in stated.items()]


def find_record(records: Sequence[ClaimRecord], beginning: str) -> ClaimRecord:
    """The claim whose id begins so.

    Raises:
        UsageError: none does, or several do.
    """
    found = [record for record in records if beginning and record.id.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{len(found)} claims begin with {beginning!r}", fix=f"say more: {', '.join(r.id for r in found[:5])}"
        )
    raise UsageError(
        f"there is no claim {beginning!r} in this ledger",
        why=f"it has {len(records)} claims",
        fix=nearest(beginning, [record.id for record in records]) or "truescope claims list",
    )


def select_records(
    records: Iterable[ClaimRecord],
    *,
    status: str | None = None,
    level: str | None = None,
    type: str | None = None,
    target: str | None = None,
    text: str | None = None,
) -> list[ClaimRecord]:
    """The claims that meet every condition given; ``target`` and ``text`` are looked for anywhere, in any case.

    Raises:
        UsageError: a status, level or type that there is not.
    """
    from truescope.core.evidence import ClaimType

    _check_word("status", status, [*(one.value for one in Status), STATED])
    _check_word("level", level, [one.value for one in EvidenceLevel])
    _check_word("type", type, [one.value for one in ClaimType])
    return [
        record
        for record in records
        if (status is None or record.status == status)
        and (level is None or record.level.value == level)
        and (type is None or record.claim.type.value == type)
        and (target is None or target.lower() in canonical_json(record.claim.target).lower())
        and (text is None or text.lower() in f"{record.claim.text}\n{record.sentence}".lower())
    ]


def _check_word(what: str, word: str | None, known: Sequence[str]) -> None:
    if word is not None and word not in known:
        raise UsageError(
            f"there is no {what} {word!r}",
            why=f"there are {', '.join(known)}",
            fix=nearest(word, known) or f"give one of {', '.join(known)}",
        )


OBJECT_PARTS = ("model_hash", "dictionary", "dictionary_hash", "features", "site", "direction", "artefact")
"""The parts of a target that say which thing it is; the rest says what was done to it."""


def object_key(target: Mapping[str, Any]) -> str:
    """What tells the object of a claim from every other: its model, its dictionary and its features.

    A target without any of these parts is told by everything in it.
    """
    parts = {name: target[name] for name in OBJECT_PARTS if name in target}
    if "features" in parts:
        parts["features"] = sorted(map(str, parts["features"]))
    return content_id(parts or dict(target))


def check_words(claim: Claim) -> None:
    """See that a claim's own words say no more than its type can ever show.

    Raises:
        ClaimError: they do; the words are named.
    """
    ceiling = claim.type.ceiling
    found = [f for words in (claim.text, subject(claim), object_of(claim)) for f in lint(words, ceiling)]
    if found:
        raise ClaimError(
            f"the claim {claim.text!r:.80} says more than a claim of {claim.type.value} can show",
            why="; ".join(map(str, found)),
            fix=f"such a claim reaches {ceiling.value}: say {', '.join(ceiling.verbs)}; or put names into “ ”",
        )


def check_grounds(verdict: Verdict, records: Sequence[ClaimRecord]) -> None:
    """See that a mechanism (E5) rests on held entries of E3 and E4 on the same object, in the same ledger.

    Raises:
        ClaimError: it does not; what is missing is named.
    """
    if verdict.evidence_level is not EvidenceLevel.E5:
        return
    known, here = {record.id: record for record in records}, object_key(verdict.claim.target)
    levels = set()
    for name in verdict.rests_on:
        record = known.get(name)
        if record is None or record.status != Status.HELD:
            raise ClaimError(f"a mechanism rests on the claim {name}, which is not held in this ledger")
        if object_key(record.claim.target) != here:
            raise ClaimError(f"a mechanism rests on the claim {name}, which is about another object")
        levels.add(record.level)
    if not {EvidenceLevel.E3, EvidenceLevel.E4} <= levels:
        raise ClaimError(
            "a mechanism rests on one held entry of E3 and one of E4 on the same object",
            why=f"those named have {', '.join(sorted(levels)) or 'none'}",
            fix="judge sufficiency and necessity first",
        )
