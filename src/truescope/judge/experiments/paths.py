"""E5 by experiment: does an effect go from an upstream group through a downstream one to the answer?

With the upstream units set to the donor's values, everything live, the downstream ones become y. Then

    total       the effect of setting the upstream units
    carried     the effect of setting the downstream units to y, and nothing else
    left over   the effect of setting the upstream units while the downstream ones are held at their own values

    effect = mean total,  faithfulness = mean carried / mean total,  completeness = 1 − mean left over / mean total

Both are 1 where the path is all there is. A stand-in is put in the downstream group's place, and wins where it meets
all predictions. Path patching after Goldowsky-Dill et al., 2023; natural indirect effects after Pearl, 2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from truescope.core.claims import Claim, ControlResult, Score, Status, Verdict
from truescope.core.errors import ClaimError
from truescope.core.evidence import ClaimType, EvidenceLevel
from truescope.core.interventions import Intervention
from truescope.judge.experiments.bench import Bench, Group
from truescope.judge.experiments.stand_ins import draw_stand_ins
from truescope.judge.experiments.statements import check_claim, names_of
from truescope.judge.verdicts import MAX_P, control_result, decide, share_as_strong
from truescope.statistics import UnitStatistics, bootstrap_interval

SHARES = ("effect", "faithfulness", "completeness")
"""The scores of a path."""
LEAST_SHARE = 0.8
"""A path that is claimed to carry less than this share, may hold, but is no mechanism."""
NOTHING = 1e-6
"""An upstream effect below this carries nothing, and shares of it are 0."""


def judge_path(
    claim: Claim,
    bench: Bench,
    upstream: Group,
    downstream: Group,
    grounds: Sequence[Verdict] = (),
    units: UnitStatistics | None = None,
) -> Verdict:
    """Test that the upstream group acts on the answer through the downstream one.

    It is E5 where it held, no stand-in did the same, the claim predicts at least `LEAST_SHARE` of both shares, and
    ``grounds``, verdicts on the same units, hold at E3 and at E4 and are those that the claim depends on; where one of
    these lacks, the verdict says so and stays at E1.

    Raises:
        ClaimError: the claim is about another path, bench or grounds, or the downstream units are not above the others.
    """
    both = Group((*upstream.features, *downstream.features), upstream.positions, upstream.dictionary)
    check_claim(claim, bench, both, ClaimType.MECHANISM)
    path = {"from": names_of(upstream.features), "through": names_of(downstream.features)}
    if claim.target.get("path") != path or sorted(claim.depends_on) != sorted(v.claim.id for v in grounds):
        raise ClaimError(f"the claim {claim.text!r:.80} was stated for another path, or on other grounds")
    check_order(upstream, downstream)
    pairs = bench.pairs
    swapped = upstream.edits(bench.values(upstream, pairs.donors))
    total = bench.effects(swapped)
    stand_ins = draw_stand_ins(
        bench, downstream, claim.control, lambda moved: bench.values(moved, pairs.tokens, swapped), units
    )
    if stand_ins.reason:
        return Verdict(claim, Status.NOT_TESTABLE, EvidenceLevel.E0, (), (), (stand_ins.reason,))
    carried, left = _carried_and_left(bench, swapped, downstream)
    scores = _scores(total, carried, left, claim.control.seed)
    drawn = [
        _means(total, bench.effects(one.edits()), bench.effects([*swapped, *one.held()])) for one in stand_ins.drawn
    ]
    result = control_result(claim.control.name, claim.predictions, drawn, len(pairs))
    status, notes = decide(claim.predictions, scores, [result])
    values = {score.name: score.value for score in scores}
    p = {
        name: share
        for name, share in share_as_strong(claim.predictions, values, drawn, effect=">=").items()
        # The upstream effect is the same whatever stands in the downstream group's place.
        if name != "effect"
    }
    return _verdict(claim, status, scores, result, notes, p, grounds)


def check_order(upstream: Group, downstream: Group) -> None:
    """Raise ClaimError where a downstream unit is not in a later layer than every upstream one."""
    if not upstream.features or not downstream.features or max(upstream.layers) >= min(downstream.layers):
        raise ClaimError(
            "a path goes from units of some layers through units of later ones",
            why=f"it goes from layers {sorted(upstream.layers)} through layers {sorted(downstream.layers)}",
        )


def _carried_and_left(
    bench: Bench, swapped: Sequence[Intervention], downstream: Group
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    tokens = bench.pairs.tokens
    become = bench.values(downstream, tokens, swapped)
    carried = bench.effects(downstream.edits(become))
    return carried, bench.effects([*swapped, *downstream.edits(bench.values(downstream, tokens))])


def _means(
    total: Float[np.ndarray, " n"], carried: Float[np.ndarray, " n"], left: Float[np.ndarray, " n"]
) -> dict[str, float]:
    whole = float(total.mean())
    if abs(whole) < NOTHING:
        return dict.fromkeys(SHARES, 0.0) | {"effect": whole}
    return {
        "effect": whole,
        "faithfulness": float(carried.mean()) / whole,
        "completeness": 1.0 - float(left.mean()) / whole,
    }


def _scores(
    total: Float[np.ndarray, " n"], carried: Float[np.ndarray, " n"], left: Float[np.ndarray, " n"], seed: int
) -> tuple[Score, ...]:
    """Each share with its bootstrap interval over prompts, a prompt's three effects drawn together."""
    values, n = _means(total, carried, left), len(total)
    intervals = {"effect": bootstrap_interval(total, seed=seed)}
    for name, part in (("faithfulness", carried), ("completeness", left)):
        intervals[name] = _share_interval(part, total, seed, one_minus=name == "completeness")
    return tuple(Score(name, values[name], *intervals[name], n) for name in SHARES)


def _share_interval(
    part: Float[np.ndarray, " n"], total: Float[np.ndarray, " n"], seed: int, *, one_minus: bool
) -> tuple[float, float]:
    if abs(float(total.mean())) < NOTHING:
        return 0.0, 0.0

    def share(part: np.ndarray, total: np.ndarray, axis: int = -1) -> Any:
        found = part.mean(axis=axis) / total.mean(axis=axis)
        return 1.0 - found if one_minus else found

    if len(np.unique(part - share(part, total) * total)) == 1:
        exact = float(share(part, total))
        return exact, exact
    drawn = stats.bootstrap((part, total), share, paired=True, method="percentile", rng=np.random.default_rng(seed))
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def _verdict(
    claim: Claim,
    status: Status,
    scores: tuple[Score, ...],
    result: ControlResult,
    notes: tuple[str, ...],
    p: dict[str, float],
    grounds: Sequence[Verdict],
) -> Verdict:
    predicted = {p.score for p in claim.predictions if p.relation == ">=" and p.threshold >= LEAST_SHARE}
    too_little = [name for name in SHARES[1:] if name not in predicted]
    held = [one for one in grounds if one.status is Status.HELD]
    levels = {one.evidence_level for one in held}
    missing = [level.value for level in (EvidenceLevel.E3, EvidenceLevel.E4) if level not in levels]
    as_rare = bool(p) and max(p.values()) <= MAX_P
    if status is Status.HELD and not (missing or too_little) and as_rare:
        level, rests_on = EvidenceLevel.E5, tuple(one.claim.id for one in held)
    else:
        level, rests_on = EvidenceLevel.E1, ()
        if missing:
            notes = (*notes, f"no held entry of {' and '.join(missing)} on the same units: no mechanism rests on less")
        if too_little:
            notes = (*notes, f"a mechanism's claim predicts {' and '.join(too_little)} >= {LEAST_SHARE:g}")
    return Verdict(claim, status, level, scores, (result,), notes, rests_on=rests_on, p_values=p)
