"""Judging an effect that was measured case by case: is it there, and is it more than what random controls do?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from truescope.core.claims import Claim, ControlPlan, ControlResult, DosePoint, Prediction, Score, Status, Verdict
from truescope.core.errors import ClaimError
from truescope.core.evidence import ClaimType, EvidenceLevel, follows_dose
from truescope.judge.labels import decide_beside
from truescope.statistics import bootstrap_interval, clustered_bootstrap_interval

N_CONTROLS = 100
"""An effect is compared with that of this many random controls, unless told."""


def effect_claim(
    text: str,
    target: dict[str, Any],
    population: dict[str, Any],
    *,
    matched_on: Sequence[str],
    type: ClaimType = ClaimType.RELIANCE,
    least: float = 0.0,
    n_controls: int = N_CONTROLS,
    seed: int = 0,
    **parts: Any,
) -> Claim:
    """The claim that an intervention's mean effect is ≥ ``least``, and more than that of random controls ``matched_on``
    something; ``parts`` are further fields of a `Claim`."""
    return Claim(
        text=text,
        predictions=(Prediction("effect", ">=", least),),
        control=ControlPlan("random controls", tuple(matched_on), n_controls, seed),
        target=target,
        population=population,
        type=type,
        **{"metric": "mean effect of the intervention over cases", "seeds": {"bootstrap": seed}} | parts,
    )


def judge_effect(
    claim: Claim,
    effects: Float[np.ndarray, " n"],
    controls: Float[np.ndarray, "n_controls n"],
    *,
    clusters: Shaped[np.ndarray, " n"] | None = None,
    collateral: Sequence[Score] = (),
    dose_response: Sequence[DosePoint] = (),
) -> Verdict:
    """Test an effect claim on one effect a case, beside the effects of each control on the same cases.

    Held when the whole interval of the mean effect meets the prediction and p = (b + 1) / (m + 1) ≤ `MAX_P`, where b of
    m controls have a mean effect as large. The level is E4 where ``collateral`` was measured, E3 where the effect
    follows the dose, if the claim's type reaches them and no control had as large an effect; else E1.

    Raises:
        ClaimError: the claim predicts something else than an effect, or plans another number of controls.
    """
    (prediction,) = claim.predictions if len(claim.predictions) == 1 else (None,)
    if prediction is None or prediction.score != "effect" or prediction.relation != ">=":
        raise ClaimError(f"the claim {claim.text!r:.80} does not predict one effect (effect >= …)")
    if len(controls) != claim.control.n:
        raise ClaimError(f"{len(controls)} controls were run, the claim plans {claim.control.n}")
    if clusters is None:
        low, high = bootstrap_interval(effects, seed=claim.control.seed)
    else:
        low, high = clustered_bootstrap_interval(effects, clusters, seed=claim.control.seed)
    mean, drawn = float(effects.mean()), controls.mean(axis=1)
    n_as_large = int((drawn >= mean - 1e-12).sum())
    p = (n_as_large + 1) / (len(drawn) + 1)
    score = Score("effect", mean, low, high, len(effects))
    status, notes = decide_beside(prediction, score, p, claim.control.name)
    spread = Score("effect", float(drawn.mean()), float(drawn.min()), float(drawn.max()), len(effects))
    result = ControlResult(claim.control.name, len(drawn), n_as_large, (spread,))
    return Verdict(
        claim,
        status,
        _level(claim, status, n_as_large, collateral, dose_response),
        (score, *collateral),
        (result,),
        notes,
        collateral=tuple(one.name for one in collateral),
        dose_response=tuple(dose_response),
        p_values={"effect": p},
    )


def _level(
    claim: Claim, status: Status, n_as_large: int, collateral: Sequence[Score], dose_response: Sequence[DosePoint]
) -> EvidenceLevel:
    """The highest level that the claim's type reaches and that there is the content for."""
    if status is not Status.HELD or n_as_large:
        return EvidenceLevel.E1
    if collateral and EvidenceLevel.E4 in claim.type.levels:
        return EvidenceLevel.E4
    if follows_dose(dose_response) and EvidenceLevel.E3 in claim.type.levels:
        return EvidenceLevel.E3
    return EvidenceLevel.E1
