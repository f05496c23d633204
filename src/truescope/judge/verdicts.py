"""From measured scores and controls to a status and an evidence level."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from truescope.core.claims import Claim, ControlResult, DosePoint, Prediction, Score, Status
from truescope.core.errors import ClaimError, nearest
from truescope.core.evidence import EvidenceLevel, follows_dose

Operation = Literal["observe", "suppress", "induce"]
"""What was done to the model: nothing; units taken away (set to zero or their mean); units added or clamped up."""

MAX_P = 0.05
"""An effect beats matched random groups when at most this share of them does as much, counted as (b + 1) / (m + 1)."""


def refuse_another(claim: Claim, here: Mapping[str, tuple[Any, Any]]) -> None:
    """Refuse to judge a claim with another part than it was stated with; ``here`` has (stated, found) by part.

    Raises:
        ClaimError: a part differs; it is named.
    """
    for name, (stated, found) in here.items():
        if stated != found:
            raise ClaimError(
                f"the claim {claim.text!r:.80} was stated with another {name}",
                why=f"it says {str(stated)[:40]}, here it is {str(found)[:40]}",
                fix="judge a claim with exactly what it was stated for, or state another claim",
            )


def meets(predictions: Iterable[Prediction], values: Mapping[str, float]) -> bool:
    """Whether the values alone, without intervals, meet every prediction: the measure by which a control wins."""
    return all(
        values[p.score] >= p.threshold if p.relation == ">=" else values[p.score] <= p.threshold for p in predictions
    )


def control_result(
    name: str, predictions: Sequence[Prediction], drawn: Sequence[Mapping[str, float]], n_cases: int
) -> ControlResult:
    """Each score's mean over the drawn controls, with the smallest and largest as its ``low`` and ``high``.

    Here a score's ``n`` is the number of cases that each control was run on, and the result's the number of controls.

    Raises:
        ClaimError: no control was drawn.
    """
    if not drawn:
        raise ClaimError("no control was run", fix="no verdict is given without a control")
    scores = []
    for score in drawn[0]:
        values = [control[score] for control in drawn]
        scores.append(Score(score, sum(values) / len(values), min(values), max(values), n_cases))
    n_won = sum(meets(predictions, control) for control in drawn)
    return ControlResult(name, len(drawn), n_won, tuple(scores))


def decide(
    predictions: Sequence[Prediction], scores: Sequence[Score], controls: Sequence[ControlResult]
) -> tuple[Status, tuple[str, ...]]:
    """The status of a claim and the reasons for it.

    ``failed`` when a control won or the whole interval of any score lies on the wrong side of its threshold; ``held``
    when every score's whole interval lies on the right side; ``undecided`` when an interval holds its threshold.

    Raises:
        ClaimError: a prediction is about a score that was not measured, or there is none, or no control was run.
    """
    if not predictions:
        raise ClaimError("the claim predicts nothing", fix="state what a score must do")
    if not controls:
        raise ClaimError("no verdict without a control", fix="run the control that the claim names")
    measured = {score.name: score for score in scores}
    reasons, answers = [], []
    for prediction in predictions:
        if prediction.score not in measured:
            raise ClaimError(
                f"the claim is about a score {prediction.score!r} that was not measured",
                why=f"the scores are {', '.join(measured)}",
                fix=nearest(prediction.score, measured),
            )
        score = measured[prediction.score]
        answers.append(prediction.verdict(score))
        if answers[-1] is not Status.HELD:
            word = "is not met" if answers[-1] is Status.FAILED else "is left open"
            reasons.append(f"{prediction} {word}: {score.value:.4g} [{score.low:.4g}, {score.high:.4g}]")
    for control in controls:
        if control.n_won:
            reasons.append(f"{control.n_won} of {control.n} {control.name} meet every prediction too")
    if Status.FAILED in answers or any(control.n_won for control in controls):
        return Status.FAILED, tuple(reasons)
    return (Status.UNDECIDED if reasons else Status.HELD), tuple(reasons)


def share_as_strong(
    predictions: Iterable[Prediction],
    group: Mapping[str, float],
    drawn: Sequence[Mapping[str, float]],
    *,
    effect: Literal["<=", ">="] = "<=",
    spread: float = 1.0,
) -> dict[str, float]:
    """For each predicted effect, (b + 1) / (m + 1), where b of m controls have a score as extreme as the group's.

    What is taken away lowers a score ("<="), what is added raises one (">="). Each control's distance from their mean
    counts ``spread`` times (`Controls.spread`): controls that never overlap with the group vary too little among
    themselves, and an ordinary group would look extreme beside them.
    """
    sign = 1.0 if effect == "<=" else -1.0
    found = {}
    for name in (p.score for p in predictions if p.relation == effect):
        mean = sum(control[name] for control in drawn) / max(len(drawn), 1)
        reach = sign * (group[name] - mean)
        n_as_strong = sum(math.isinf(spread) or spread * sign * (c[name] - mean) <= reach + 1e-12 for c in drawn)
        found[name] = (n_as_strong + 1) / (len(drawn) + 1)
    return found


def collateral(predictions: Iterable[Prediction]) -> tuple[str, ...]:
    """The scores that a suppression's claim says are kept (">="): what else changed, and had to be measured."""
    return tuple(p.score for p in predictions if p.relation == ">=")


def evidence_level(
    status: Status,
    operation: Operation,
    predictions: Sequence[Prediction],
    as_strong: Mapping[str, float],
    dose_response: Sequence[DosePoint] = (),
) -> EvidenceLevel:
    """How much an entry may say, from what was run and how it ended.

    - E0: nothing could be tested.
    - E1: measured on cases held out from the grouping, with intervals and controls, but the intervention did not hold,
      or nothing was intervened on: only association is left.
    - E3: it held, units that were added or clamped had an effect (">=") that matched random groups have not
      (`MAX_P`), and the effect was measured at several doses and follows them.
    - E4: it held, units that were taken away had an effect ("<=") that matched random groups have not
      (`MAX_P`), and what the claim says is kept (">="), the collateral, was kept.

    A suppression whose claim names no effect or no collateral stays at E1, and so does an induction without its
    dose-response: they say less than necessity and sufficiency. E2 (probes) and E5 (mediation) are never given here.
    """
    if status is Status.NOT_TESTABLE:
        return EvidenceLevel.E0
    if status is not Status.HELD or not as_strong or max(as_strong.values()) > MAX_P:
        return EvidenceLevel.E1
    if operation == "suppress" and {p.relation for p in predictions} == {">=", "<="}:
        return EvidenceLevel.E4
    if operation == "induce" and follows_dose(dose_response):
        return EvidenceLevel.E3
    return EvidenceLevel.E1
