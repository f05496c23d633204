"""The claim about an explainer on a white box: in a case, what the box uses outranks what it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from truescope.core.claims import Claim, ControlPlan, Prediction, Verdict
from truescope.core.evidence import ClaimType, ControlKind
from truescope.judge import control_result, decide, evidence_level
from truescope.tabular.posthoc.audits import AREA, N_EXPLAINED, Audit, random_areas
from truescope.tabular.posthoc.explainers import Explainer, Question
from truescope.tabular.posthoc.whiteboxes import WhiteBox

LEAST_AREA = 0.95
"""An explainer is faithful to a box when what is used outranks what is not in at least this share of pairs."""
N_CONTROLS = 20
CONTROL = "sets of random scores"


def faithful_claim(box: WhiteBox, explainer: Explainer, subject: str, settings: Mapping[str, Any]) -> Claim:
    """That ``explainer``'s scores of ``subject`` (the box itself, or a model that learned it) agree with what is used.

    ``settings``: the share of ones, the numbers of tables and cases, the seed, and the model if one learned the box.
    """
    where = "in a case" if explainer.per_case else "in a table"
    return Claim(
        text=f"{explainer.title} ranks the cues of {subject} above the others, {where}",
        predictions=(Prediction(AREA, ">=", LEAST_AREA),),
        control=ControlPlan(CONTROL, ("cases", "cues"), N_CONTROLS, int(settings["seed"]), ControlKind.MATCHED_RANDOM),
        target={
            "subject": f"the ranking of “{explainer.name}”",
            "object": f"the cues in the formula of {subject}",
            "explainer": explainer.name,
            "formula": box.formula,
        },
        population={"box": box.name, **settings},
        type=ClaimType.FAITHFULNESS,
        metric="outranking: P(s_used > s_unused) + 1/2 P(equal), the ROC-AUC of |score|",
        seeds={"cases": int(settings["seed"])},
        threats=() if settings["model"] is None else ("the model may have learned less, or more, than the formula",),
    )


def faithful_verdict(claim: Claim, found: Audit, box: WhiteBox, questions: Sequence[Question]) -> Verdict:
    """The judge's answer, beside random scores for the same cases and cues."""
    if found.per_case:
        truth = np.concatenate([box.truth(question.cases[:N_EXPLAINED]) for question in questions])
    else:
        truth = np.tile(box.used_cues, (len(questions), 1))
    drawn = [{AREA: area} for area in random_areas(truth, claim.control.n, claim.control.seed)]
    controls = (control_result(CONTROL, claim.predictions, drawn, found.area.n),)
    status, reasons = decide(claim.predictions, [found.area], controls)
    facts = {"expected_by_hand": found.expected, "whole_table": found.whole, "not_applicable": found.n_not_applicable}
    if found.gap is not None:
        facts["completeness_gap"] = found.gap
    return Verdict(
        claim,
        status,
        evidence_level(status, "observe", claim.predictions, {}),
        (found.area,),
        controls,
        reasons,
        facts,
    )
