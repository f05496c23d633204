"""E3 and E4 by experiment: a group moved towards a donor's values at several doses, and set to its means.

*Sufficiency*: x ← x + d · (x_donor − x), the effect at dose 1 beside that of stand-ins, and at every dose; it must go
one way as the dose grows. *Necessity*: x ← the mean of the grouping half's prompts, position by position; what else
changed is reported as ``other_logits``, the mean |change| of the demeaned logits of all tokens that are neither
prompt's answer, in the same units as the effect.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from truescope.core.claims import Claim, DosePoint, Score, Status, Verdict
from truescope.core.errors import ClaimError
from truescope.core.evidence import MIN_DOSES, ClaimType, EvidenceLevel
from truescope.judge.effects import judge_effect
from truescope.judge.experiments.bench import Bench, Group, Values, towards
from truescope.judge.experiments.stand_ins import StandIns, draw_stand_ins, stand_in_effects
from truescope.judge.experiments.statements import check_claim
from truescope.statistics import UnitStatistics, bootstrap_interval

OTHER_LOGITS = "other_logits"


def judge_dose_response(
    claim: Claim, bench: Bench, group: Group, doses: Sequence[float], units: UnitStatistics | None = None
) -> Verdict:
    """Test that a group, set to a donor's values, moves the answer towards the donor's; E3 where the effect follows
    the dose and no stand-in has as large an effect.

    Raises:
        ClaimError: the claim is not about this group, bench or these doses; fewer than three doses, or none of them 1.
    """
    check_claim(claim, bench, group, ClaimType.SUFFICIENCY)
    if len(set(doses)) < MIN_DOSES or 1.0 not in doses or min(doses) < 0:
        raise ClaimError(
            f"{', '.join(f'{dose:g}' for dose in doses)} are no doses of a dose-response",
            fix=f"give {MIN_DOSES} or more from 0 up, 1 (the donor's own values) among them",
        )
    if list(claim.target.get("doses", ())) != list(doses):
        raise ClaimError("the claim was stated for other doses", fix="judge it with those that it states")
    tokens, donors = bench.pairs.tokens, bench.pairs.donors

    def at(dose: float, moved: Group) -> Values:
        return towards(bench.values(moved, tokens), bench.values(moved, donors), dose)

    stand_ins = draw_stand_ins(bench, group, claim.control, lambda moved: at(1.0, moved), units)
    if stand_ins.reason:
        return _no_stand_ins(claim, stand_ins)
    found = {dose: bench.effects(group.edits(at(dose, group))) for dose in sorted(set(doses))}
    points = [DosePoint(dose, _score("effect", effects, claim)) for dose, effects in found.items()]
    return judge_effect(claim, found[1.0], stand_in_effects(bench, stand_ins), dose_response=points)


def judge_necessity(
    claim: Claim,
    bench: Bench,
    group: Group,
    grouping: Int[torch.Tensor, "n_grouping pos"],
    units: UnitStatistics | None = None,
) -> Verdict:
    """Test that a group, set to its means over the ``grouping`` prompts, leaves the own answer; E4 where no stand-in
    has as large an effect, with what else changed.

    Raises:
        ClaimError: the claim is not about this group or bench.
    """
    check_claim(claim, bench, group, ClaimType.NECESSITY)

    def means(moved: Group) -> Values:
        return {layer: x.mean(0, keepdim=True) for layer, x in bench.values(moved, grouping).items()}

    stand_ins = draw_stand_ins(bench, group, claim.control, means, units)
    if stand_ins.reason:
        return _no_stand_ins(claim, stand_ins)
    edits = group.edits(means(group))
    other = _score(OTHER_LOGITS, _other_logits(bench, bench.logits(edits)), claim)
    return judge_effect(claim, bench.effects(edits), stand_in_effects(bench, stand_ins), collateral=[other])


def _other_logits(bench: Bench, edited: Float[torch.Tensor, "n vocab"]) -> Float[np.ndarray, " n"]:
    """How far each prompt's other logits moved."""
    before = bench.logits()
    moved = ((edited - edited.mean(1, keepdim=True)) - (before - before.mean(1, keepdim=True))).abs()
    rows = torch.arange(len(moved), device=moved.device)
    kept = torch.ones_like(moved, dtype=torch.bool)
    for ids in (bench.pairs.answers, bench.pairs.donor_answers):
        kept[rows, ids.to(moved.device)] = False
    return ((moved * kept).sum(1) / kept.sum(1).clamp(min=1)).double().cpu().numpy() / bench.gap


def _score(name: str, values: Float[np.ndarray, " n"], claim: Claim) -> Score:
    low, high = bootstrap_interval(values, seed=claim.control.seed)
    return Score(name, float(values.mean()), low, high, len(values))


def _no_stand_ins(claim: Claim, stand_ins: StandIns) -> Verdict:
    return Verdict(claim, Status.NOT_TESTABLE, EvidenceLevel.E0, (), (), (stand_ins.reason,))
