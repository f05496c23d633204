"""`Claim` and `Verdict`: a prediction stated before the run, and the judge's answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from enum import StrEnum
from math import isfinite
from typing import Any

from truescope.core.errors import ClaimError, nearest
from truescope.core.evidence import ClaimType, ControlKind, EvidenceLevel, lacking
from truescope.core.ids import content_id


class Status(StrEnum):
    """The four answers a judge can give."""

    HELD = "held"
    FAILED = "failed"
    UNDECIDED = "undecided"
    NOT_TESTABLE = "not_testable"


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

    The control *wins*, and the claim falls, when a drawn control meets every prediction of the claim itself. Its
    ``kind`` need not be said: what is matched on something is a matched random control, anything else a baseline.
    """

    name: str
    matched_on: tuple[str, ...]
    n: int
    seed: int
    kind: ControlKind | None = None

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ClaimError("a claim needs at least one control", fix="no verdict is given without a control")

    @property
    def sort(self) -> ControlKind:
        """What kind of control it is."""
        return self.kind or (ControlKind.MATCHED_RANDOM if self.matched_on else ControlKind.BASELINE)


@dataclass(frozen=True)
class Claim:
    """A prediction, the population it is about, and its controls: fixed and hashed before the run.

    ``target`` says what is judged (model hash, dictionary, features; ``subject`` and ``object`` in words), and
    ``population`` on what (data hash, split, n). The ``type`` says which controls count and how far the evidence can
    reach; ``metric`` what the scores are, ``correction`` how many tests are accounted for, ``scope`` what it was tested
    on (tags such as "new templates"), ``depends_on`` the claims it presupposes, ``artefact`` the hash of the thing it
    is about.

    ``procedure`` is how it is run again: {"verb": …, "arguments": {…}}. It names places that may move, so it is no part
    of what is claimed, nor of the id.

    Raises:
        ClaimError: the control is none that counts for the type.
    """

    text: str
    predictions: tuple[Prediction, ...]
    control: ControlPlan
    target: dict[str, Any]
    population: dict[str, Any]
    type: ClaimType = ClaimType.ASSOCIATION
    metric: str = ""
    correction: str = ""
    seeds: dict[str, int] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    threats: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    artefact: str = ""
    procedure: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.control.sort not in self.type.controls:
            allowed = ", ".join(kind.value.replace("_", " ") for kind in self.type.controls)
            raise ClaimError(
                f"a claim of {self.type.value} cannot be tested beside a {self.control.sort.value.replace('_', ' ')}",
                why=f"what would do as well if it were empty is: {allowed}",
                fix="name such a control (what a random one is matched on), or state a claim of another type",
            )

    def statement(self) -> dict[str, Any]:
        """Everything that is claimed, as plain records; what was left at its default is left out.

        So claims that were stated before a field existed keep their ids.
        """
        record = asdict(self)
        record.pop("procedure")
        for one in fields(self):
            usual = one.default_factory() if one.default_factory is not MISSING else one.default
            if usual is not MISSING and record.get(one.name) == usual:
                record.pop(one.name)
        if record["control"]["kind"] is None:
            record["control"].pop("kind")
        return record

    @property
    def id(self) -> str:
        """The hash of everything the claim states; a changed claim is another claim."""
        return content_id(self.statement())

    def to_json(self) -> dict[str, Any]:
        """The statement, and how it is run again where that is known."""
        return self.statement() | ({"procedure": self.procedure} if self.procedure else {})

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Claim:
        """The claim that `to_json` wrote.

        Raises:
            ClaimError: a part is missing, unknown or of another form.
        """
        try:
            parts = dict(record)
            control = dict(parts["control"])
            kind = ControlKind(control["kind"]) if control.get("kind") else None
            parts["control"] = ControlPlan(**control | {"matched_on": tuple(control["matched_on"]), "kind": kind})
            parts["predictions"] = tuple(Prediction(**one) for one in parts["predictions"])
            parts["type"] = claim_type(parts.get("type", ClaimType.ASSOCIATION))
            for name in ("assumptions", "threats", "scope", "depends_on"):
                parts[name] = tuple(parts.get(name, ()))
            return Claim(**parts)
        except (KeyError, TypeError, ValueError) as error:
            raise ClaimError("this record is no claim", why=f"{type(error).__name__}: {error}") from error

    def with_procedure(self, verb: str, **arguments: Any) -> Claim:
        """The same claim, and how it is run again."""
        return replace(self, procedure={"verb": verb, "arguments": arguments})


def claim_type(name: str) -> ClaimType:
    """The type of that name.

    Raises:
        ClaimError: there is none; the nearest ones are named.
    """
    known = [one.value for one in ClaimType]
    if name not in known:
        raise ClaimError(
            f"there is no type of claim {name!r}", why=f"the types are {', '.join(known)}", fix=nearest(name, known)
        )
    return ClaimType(name)


@dataclass(frozen=True)
class ControlResult:
    """What the drawn controls did: each score's smallest, mean and largest over ``n`` draws, and how many won."""

    name: str
    n: int
    n_won: int
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class DosePoint:
    """The score at one strength of an intervention."""

    dose: float
    score: Score


@dataclass(frozen=True)
class Verdict:
    """The judge's answer to one claim.

    ``dose_response`` is the effect at several strengths (E3), ``collateral`` names the scores that say what else
    changed (E4), ``rests_on`` the ids of the claims that a mechanism stands on (E5), ``p_values`` what was tested.

    Raises:
        ClaimError: no control was run, or the evidence level asks for more than the verdict brings.
    """

    claim: Claim
    status: Status
    evidence_level: EvidenceLevel
    scores: tuple[Score, ...]
    controls: tuple[ControlResult, ...]
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    dose_response: tuple[DosePoint, ...] = ()
    collateral: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    p_values: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status is not Status.NOT_TESTABLE and not self.controls:
            raise ClaimError("no verdict without a control", fix="run the control that the claim names")
        missing = lacking(self)
        if missing:
            raise ClaimError(
                f"this verdict cannot be {self.evidence_level.value} ({self.evidence_level.title})",
                why=f"it lacks {'; '.join(missing)}",
                fix="give it the level that it has the content for",
            )

    @property
    def sentence(self) -> str:
        """What may be said of it, in one sentence, with the verbs that its level allows."""
        from truescope.core.wording import sentence

        return sentence(self.claim, self.to_json(worded=False))

    def to_json(self, *, worded: bool = True) -> dict[str, Any]:
        """The form that ``--json`` prints and the ledger keeps."""
        extras = {
            "facts": self.facts,
            "dose_response": [asdict(point) for point in self.dose_response],
            "collateral": list(self.collateral),
            "rests_on": list(self.rests_on),
            "p_values": self.p_values,
        }
        return {
            "id": self.claim.id,
            "text": self.claim.text,
            "type": self.claim.type.value,
            "status": self.status.value,
            "evidence_level": self.evidence_level.value,
            "predictions": [str(p) for p in self.claim.predictions],
            "scores": [asdict(s) for s in self.scores],
            "controls": [asdict(c) for c in self.controls],
            "target": self.claim.target,
            "population": self.claim.population,
            "notes": list(self.notes),
            **({"sentence": self.sentence} if worded else {}),
            **{name: value for name, value in extras.items() if value},
        }

    def __repr__(self) -> str:
        scores = ", ".join(f"{s.name} {s.value:.4g} [{s.low:.4g}, {s.high:.4g}]" for s in self.scores)
        return f"Verdict({self.status.value}, {self.evidence_level.value}, {self.claim.text!r}: {scores})"

    def _repr_html_(self) -> str:
        from truescope.core.render import verdict_html

        return verdict_html(self)
