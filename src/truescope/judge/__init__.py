"""The judge: claims tested by intervening on the model, with controls.

Read in this order: `answers` (what is scored), `controls` (what a group must beat), `suppression` (the run), `verdicts`
(the answer), `statements` (the claims about addition), `ledger` (what is kept). Beside it: `axioms`, and `faithfulness`
(graphs against a mechanism that is known).
"""

from __future__ import annotations

from truescope.judge.answers import SCORES, NumberTask, token_numbers
from truescope.judge.controls import MATCHED_ON, Controls, draw_controls
from truescope.judge.faithfulness import (
    Hops,
    Retrieval,
    edge_outranking,
    hops,
    path_recall,
    retrieval,
    sign_agreement,
)
from truescope.judge.ledger import Entry, Ledger
from truescope.judge.statements import Statement
from truescope.judge.suppression import (
    NEURONS,
    Progress,
    claimed_features,
    control_sample,
    edited_answers,
    judge_suppression,
    suppression_edits,
    values_hash,
)
from truescope.judge.verdicts import control_result, decide, evidence_level, meets, share_as_strong

__all__ = [
    "MATCHED_ON",
    "NEURONS",
    "SCORES",
    "Controls",
    "Entry",
    "Hops",
    "Ledger",
    "NumberTask",
    "Progress",
    "Retrieval",
    "Statement",
    "claimed_features",
    "control_result",
    "control_sample",
    "decide",
    "draw_controls",
    "edge_outranking",
    "edited_answers",
    "evidence_level",
    "hops",
    "judge_suppression",
    "meets",
    "path_recall",
    "retrieval",
    "share_as_strong",
    "sign_agreement",
    "suppression_edits",
    "token_numbers",
    "values_hash",
]
