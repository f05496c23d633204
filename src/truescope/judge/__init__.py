"""The judge: claims tested by intervening on the model, with controls.

Read in this order: `answers` (what is scored), `controls` (what a group must beat), `edits` (what is done to the
model), `suppression` (the run), `verdicts` (the answer), `statements` (the claims about addition), `ledger` (what is
kept), `records` (how it is read), `conflicts`, `exports`. Beside it: `axioms/` (what every explanation is held to), and
`faithfulness` (graphs against a mechanism that is known).
"""

from __future__ import annotations

from truescope.judge.answers import SCORES, NumberTask, token_numbers
from truescope.judge.conflicts import Conflict, conflicts_of, find_conflicts
from truescope.judge.controls import MATCHED_ON, Controls, draw_controls
from truescope.judge.edits import (
    NEURONS,
    OPERATIONS,
    Progress,
    answers_without,
    edited_answers,
    suppression_edits,
    values_hash,
)
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
    "MATCHED_ON",
    "NEURONS",
    "OPERATIONS",
    "ORDER",
    "SCORES",
    "STATED",
    "ClaimRecord",
    "Conflict",
    "Controls",
    "Entry",
    "Hops",
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
    "evidence_level",
    "export",
    "failed_first",
    "find_conflicts",
    "find_record",
    "hops",
    "judge_suppression",
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
