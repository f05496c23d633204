"""The judge: claims tested by intervening on the model, with controls.

Read in this order: `answers` (what is scored), `controls` (what a group must beat), `edits` (what is done to the
model), `suppression` (the run), `verdicts` (the answer), `statements` (the claims about addition), `labels` and
`effects` (claims of other kinds), `ledger` (what is kept), `records` (how it is read), `conflicts`, `exports`. Beside
it: `experiments/` (dose-responses and paths, run on the model), `axioms/` (what every explanation is held to),
`discovery` (how often the judge is fooled) and `faithfulness` (graphs against a mechanism that is known).
"""

from __future__ import annotations

from truescope.judge.answers import SCORES, NumberTask, token_numbers
from truescope.judge.conflicts import Conflict, conflicts_of, find_conflicts
from truescope.judge.controls import MATCHED_ON, Controls, draw_controls
from truescope.judge.discovery import MOST_FALSE, WORLDS, Discovery, false_discovery
from truescope.judge.edits import (
    NEURONS,
    OPERATIONS,
    Progress,
    answers_without,
    edited_answers,
    suppression_edits,
    values_hash,
)
from truescope.judge.effects import N_CONTROLS, effect_claim, judge_effect
from truescope.judge.exports import FORMATS, ORDER, export, failed_first
from truescope.judge.faithfulness import (
    Hops,
    Retrieval,
    edge_outranking,
    hops,
    path_recall,
    retrieval,
    sign_agreement,
)
from truescope.judge.labels import LEAST_AREA, N_SHUFFLES, LabelledCases, judge_label, label_claim
from truescope.judge.ledger import Ledger
from truescope.judge.records import (
    STATED,
    ClaimRecord,
    Entry,
    check_words,
    find_record,
    object_key,
    read_records,
    select_records,
)
from truescope.judge.statements import Statement
from truescope.judge.suppression import claimed_features, control_sample, judge_suppression
from truescope.judge.verdicts import collateral, control_result, decide, evidence_level, meets, share_as_strong

__all__ = [
    "FORMATS",
    "LEAST_AREA",
    "MATCHED_ON",
    "MOST_FALSE",
    "NEURONS",
    "N_CONTROLS",
    "N_SHUFFLES",
    "OPERATIONS",
    "ORDER",
    "SCORES",
    "STATED",
    "WORLDS",
    "ClaimRecord",
    "Conflict",
    "Controls",
    "Discovery",
    "Entry",
    "Hops",
    "LabelledCases",
    "Ledger",
    "NumberTask",
    "Progress",
    "Retrieval",
    "Statement",
    "answers_without",
    "check_words",
    "claimed_features",
    "collateral",
    "conflicts_of",
    "control_result",
    "control_sample",
    "decide",
    "draw_controls",
    "edge_outranking",
    "edited_answers",
    "effect_claim",
    "evidence_level",
    "export",
    "failed_first",
    "false_discovery",
    "find_conflicts",
    "find_record",
    "hops",
    "judge_effect",
    "judge_label",
    "judge_suppression",
    "label_claim",
    "meets",
    "object_key",
    "path_recall",
    "read_records",
    "retrieval",
    "select_records",
    "share_as_strong",
    "sign_agreement",
    "suppression_edits",
    "token_numbers",
    "values_hash",
]
