"""Post-hoc explainers of opaque models, held to the same axiom as graph networks and circuits.

Read in this order: `whiteboxes` (models whose used cues are known), `explainers`, `oracles` (what each must score, by
hand), `audits` (what they do score), `axioms` (completeness, null player and the others), `claims`.
"""

from truescope.tabular.posthoc.audits import Audit, ask, audit, learn, random_areas, ranked
from truescope.tabular.posthoc.axioms import axiom_checks
from truescope.tabular.posthoc.explainers import EXPLAINERS, Explainer, Question, explainers_named
from truescope.tabular.posthoc.oracles import expected_area
from truescope.tabular.posthoc.whiteboxes import N_CUES, WHITE_BOXES, WhiteBox, white_box

__all__ = [
    "EXPLAINERS",
    "N_CUES",
    "WHITE_BOXES",
    "Audit",
    "Explainer",
    "Question",
    "WhiteBox",
    "ask",
    "audit",
    "axiom_checks",
    "expected_area",
    "explainers_named",
    "learn",
    "random_areas",
    "ranked",
    "white_box",
]
