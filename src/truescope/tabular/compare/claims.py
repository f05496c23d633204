"""The claim of every comparison, stated before a model is fitted: what can be read costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from typing import Any

from truescope.core.claims import Claim, ControlPlan, Prediction, Verdict
from truescope.core.evidence import ClaimType, ControlKind
from truescope.judge import control_result, decide, evidence_level
from truescope.tabular.compare.measures import Measure
from truescope.tabular.compare.parity import ABOVE_CHANCE, OPAQUE, READABLE, SHORTFALL, Parity
from truescope.tabular.tables import Table

LEAST_MARGIN = 0.05
"""A model counts as one when it lies this far above chance (½) …"""
CHANCE_ERRORS = 5.0
"""… and this many standard errors of guessing: on shuffled labels of a small table some model looks good by luck."""
CONTROL = "tables with shuffled labels"
CHOSEN = "in each fold by the other folds of its repeat"


def parity_claim(table: Table, models: Sequence[str], measure: Measure, design: Mapping[str, Any]) -> Claim:
    """That the best interpretable model is within ``rope`` points of the best opaque one, and well above chance.

    ``design`` holds rope, n_shuffles, seed and what else decides the numbers. ``shortfall`` is opaque minus
    interpretable in hundredths of the measure's unit, so 0.01 is one point. The control is the same procedure on
    shuffled labels: there the two are equal too, but neither is above chance.
    """
    rope = float(design["rope"])
    margin = chance_margin(table)
    ranked = "AUC" if measure.name == "auc" else "balanced accuracy"
    return Claim(
        text=(
            f"On {table.name}, the best interpretable model is within {rope:g} point of {measure.title} of the best "
            f"opaque one, and its {ranked} is at least {100 * margin:g} points above chance"
        ),
        predictions=(Prediction(SHORTFALL, "<=", rope / 100), Prediction(ABOVE_CHANCE, ">=", margin)),
        control=ControlPlan(
            CONTROL,
            ("cues", "base rate", "folds"),
            int(design["n_shuffles"]),
            int(design["seed"]),
            ControlKind.SHUFFLED_LABELS,
        ),
        target={"subject": READABLE, "object": OPAQUE, "models": list(models), "chosen": CHOSEN},
        population={
            "table": table.name,
            "hash": table.hash,
            "n": len(table),
            "target": table.target,
            "positive": table.class_names[1],
            "design": dict(design),
        },
        type=ClaimType.COMPARISON,
        metric=f"{SHORTFALL}: {measure.title} lost, in hundredths of its unit / 100; {ABOVE_CHANCE}: {ranked} − 1/2",
        correction="one test; intervals are those of the corrected resampled t, for training sets that overlap",
        seeds={"folds, models, shuffles": int(design["seed"])},
        assumptions=("later cases are drawn like the table's rows",),
        threats=("the models were not tuned", "rows that depend on each other need grouped or temporal splits"),
    )


def chance_margin(table: Table) -> float:
    """How far above ½ guessing hardly ever comes: 5 · √(1/n₊ + 1/n₋) / 4, in whole points, at least 5.

    Guessing with probability ½ has a sensitivity of variance 1/(4n₊) and a specificity of variance 1/(4n₋), and
    balanced accuracy is their mean.
    """
    n_positive = int(table.positive.sum())
    error = sqrt(1 / n_positive + 1 / (len(table) - n_positive)) / 4
    return min(0.5, max(LEAST_MARGIN, ceil(100 * CHANCE_ERRORS * error) / 100))


def parity_verdict(claim: Claim, found: Parity, shuffled: Sequence[Parity], table: Table, headline: str) -> Verdict:
    """The judge's answer, from the two kinds' best on the table and on its shuffled copies."""
    scores = found.scores()
    drawn = [{score.name: score.value for score in control.scores()} for control in shuffled]
    controls = (control_result(CONTROL, claim.predictions, drawn, len(table)),)
    status, reasons = decide(claim.predictions, scores, controls)
    return Verdict(
        claim,
        status,
        evidence_level(status, "observe", claim.predictions, {}),
        scores,
        controls,
        notes=(headline, *reasons),
        facts={"chosen": {kind: dict(counts) for kind, counts in found.chosen.items()}},
    )
