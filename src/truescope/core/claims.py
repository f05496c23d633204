"""`Claim` and `Verdict`: a prediction stated before the run, and the judge's answer to it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any

from truescope.core.errors import ClaimError
from truescope.core.ids import content_id


class Status(StrEnum):
    """The four answers a judge can give."""

    HELD = "held"
    FAILED = "failed"
    UNDECIDED = "undecided"
    NOT_TESTABLE = "not_testable"


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
        """The level's name: anecdote, correlational, decodable, sufficient, necessary, mechanism."""
        return {
            "E0": "anecdote",
            "E1": "correlational",
            "E2": "decodable",
            "E3": "intervention: sufficiency",
            "E4": "intervention: necessity",
            "E5": "mechanism",
        }[self.value]


@dataclass(frozen=True)
class Score:
    """One measured number with its interval (``low``, ``high``; 95 % unless told) over ``n`` cases."""

    name: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Prediction:
    """What a score must do for the claim to hold: ``score`` ``relation`` ``threshold`` (relation is ">=" or "<=")."""

    score: str
    relation: str
    threshold: float

    def __post_init__(self) -> None:
        if self.relation not in (">=", "<="):
            raise ClaimError(f"a prediction's relation is >= or <=, not {self.relation!r}")
        if not isfinite(self.threshold):
            raise ClaimError(f"a prediction's threshold is a number, not {self.threshold}")

    def verdict(self, score: Score) -> Status:
        """Held or failed when the whole interval lies on one side of the threshold, else undecided."""
        above, below = score.low >= self.threshold, score.high <= self.threshold
        held, failed = (
            (above, score.high < self.threshold) if self.relation == ">=" else (below, score.low > self.threshold)
        )
        return Status.HELD if held else Status.FAILED if failed else Status.UNDECIDED

    def __str__(self) -> str:
        return f"{self.score} {self.relation} {self.threshold:g}"


@dataclass(frozen=True)
class ControlPlan:
    """The control that a claim names before it is run: what is drawn, how it is matched, how many, how it could win.

    The control *wins*, and the claim falls, when a drawn control meets every prediction of the claim itself.
    """

    name: str
    matched_on: tuple[str, ...]
    n: int
    seed: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ClaimError("a claim needs at least one control", fix="no verdict is given without a control")


@dataclass(frozen=True)
class Claim:
    """A prediction, the population it is about, and its controls: fixed and hashed before the run.

    ``target`` says what is judged (model hash, dictionary, features), ``population`` on what (data hash, split, n).
    """

    text: str
    predictions: tuple[Prediction, ...]
    control: ControlPlan
    target: dict[str, Any]
    population: dict[str, Any]

    @property
    def id(self) -> str:
        """The hash of everything the claim states; a changed claim is another claim."""
        return content_id(asdict(self))


@dataclass(frozen=True)
class ControlResult:
    """What the drawn controls did: each score's smallest, mean and largest over ``n`` draws, and how many won."""

    name: str
    n: int
    n_won: int
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Verdict:
    """The judge's answer to one claim."""

    claim: Claim
    status: Status
    evidence_level: EvidenceLevel
    scores: tuple[Score, ...]
    controls: tuple[ControlResult, ...]
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status is not Status.NOT_TESTABLE and not self.controls:
            raise ClaimError("no verdict without a control", fix="run the control that the claim names")

    def to_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints and the ledger keeps."""
        return {
            "id": self.claim.id,
            "text": self.claim.text,
            "status": self.status.value,
            "evidence_level": self.evidence_level.value,
            "predictions": [str(p) for p in self.claim.predictions],
            "scores": [asdict(s) for s in self.scores],
            "controls": [asdict(c) for c in self.controls],
            "target": self.claim.target,
            "population": self.claim.population,
            "notes": list(self.notes),
            **({"facts": self.facts} if self.facts else {}),
        }

    def __repr__(self) -> str:
        scores = ", ".join(f"{s.name} {s.value:.4g} [{s.low:.4g}, {s.high:.4g}]" for s in self.scores)
        return f"Verdict({self.status.value}, {self.evidence_level.value}, {self.claim.text!r}: {scores})"

    def _repr_html_(self) -> str:
        from truescope.core.render import verdict_html

        return verdict_html(self)
