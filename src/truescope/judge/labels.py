"""Judging a label: does it say where a feature is active, better than the same label shuffled?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from truescope.core.claims import Claim, ControlPlan, ControlResult, Prediction, Score, Status, Verdict
from truescope.core.errors import ClaimError
from truescope.core.evidence import ClaimType, ControlKind, EvidenceLevel
from truescope.judge.verdicts import MAX_P
from truescope.statistics import area_interval, permutation_test

N_SHUFFLES = 999
"""A label is compared with this many shuffles of itself, unless told."""

LEAST_AREA = 0.6
"""A label that is claimed to fit puts an active case above an inactive one at least this often, unless told."""


@dataclass(frozen=True, eq=False)
class LabelledCases:
    """A feature's activation on each case, and whether the label says that it is active there."""

    activations: Float[np.ndarray, " n"]
    labelled: Bool[np.ndarray, " n"]

    @property
    def hash(self) -> str:
        """SHA-256, in hex, over the labels: what is claimed of which cases, before the activations are looked at."""
        return hashlib.sha256(np.packbits(self.labelled).tobytes() + str(len(self.labelled)).encode()).hexdigest()


def label_claim(
    cases: LabelledCases,
    label: str,
    target: dict[str, Any],
    *,
    least: float = LEAST_AREA,
    n_shuffles: int = N_SHUFFLES,
    seed: int = 0,
    correction: str = "none: one label of one feature",
) -> Claim:
    """The claim that ``label`` separates the cases on which a feature is active: area under the ROC curve ≥ ``least``.

    ``target`` says which feature of which model; cases are independent (one position of a text, say).
    """
    return Claim(
        text=f"The label “{label}” separates the cases where the feature is active from those where it is not",
        predictions=(Prediction("auroc", ">=", least),),
        control=ControlPlan("shuffled labels", (), n_shuffles, seed, ControlKind.SHUFFLED_LABELS),
        target={"object": f"“{label}”", **target},
        population={"data_hash": cases.hash, "n": len(cases.labelled), "n_labelled": int(cases.labelled.sum())},
        type=ClaimType.LABEL,
        metric="area under the ROC curve of the activation, with the label as the truth; ties count one half",
        correction=correction,
        seeds={"shuffles": seed},
        assumptions=("cases are independent",),
        threats=("another label may fit as well", "the label was written for cases like these"),
        scope=("in-distribution",),
    )


def judge_label(claim: Claim, cases: LabelledCases) -> Verdict:
    """Test a label claim: held when the area's whole interval meets the prediction and shuffled labels seldom do.

    p is the share of shuffled labels with as large an area, exact where all arrangements can be gone through; the claim
    fails when p > `MAX_P`. With fewer than two cases of either kind it is not testable.

    Raises:
        ClaimError: the claim was stated for other labels, or predicts something else than an area.
    """
    (prediction,) = claim.predictions if len(claim.predictions) == 1 else (None,)
    if prediction is None or prediction.score != "auroc" or claim.population.get("data_hash") != cases.hash:
        raise ClaimError(f"the claim {claim.text!r:.80} was stated for other labels, or about another score")
    active, silent = int(cases.labelled.sum()), int((~cases.labelled).sum())
    if min(active, silent) < 2:
        reason = f"the label is given to {active} of {active + silent} cases: two of each kind are needed"
        return Verdict(claim, Status.NOT_TESTABLE, EvidenceLevel.E0, (), (), (reason,))
    area, low, high = area_interval(cases.activations, cases.labelled)
    ranks = stats.rankdata(cases.activations)
    test = permutation_test(
        ranks[cases.labelled],
        ranks[~cases.labelled],
        alternative="greater",
        n_resamples=claim.control.n,
        seed=claim.control.seed,
    )
    n_won = round(test.p * test.n_arrangements) if test.exact else round(test.p * (test.n_arrangements + 1)) - 1
    score = Score("auroc", area, low, high, active + silent)
    status, notes = decide_beside(prediction, score, test.p, claim.control.name)
    result = ControlResult(claim.control.name, test.n_arrangements, n_won, ())
    return Verdict(claim, status, EvidenceLevel.E1, (score,), (result,), notes, p_values={"auroc": test.p})


def decide_beside(prediction: Prediction, score: Score, p: float, control: str) -> tuple[Status, tuple[str, ...]]:
    """The status by an interval and by a p-value: failed when either speaks against the claim, held when both are for
    it, undecided when the interval holds the threshold."""
    status, notes = prediction.verdict(score), []
    if status is not Status.HELD:
        word = "is not met" if status is Status.FAILED else "is left open"
        notes.append(f"{prediction} {word}: {score.value:.4g} [{score.low:.4g}, {score.high:.4g}]")
    if p > MAX_P:
        notes.append(f"{control} do as much with p = {p:.3g}, above {MAX_P:g}")
        status = Status.FAILED
    return status, tuple(notes)
