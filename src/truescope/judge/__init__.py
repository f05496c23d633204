"""The judge: claims tested by intervening on the model, with controls.

Read in this order: `answers` (what is scored), `controls` (what a group must beat), `suppression` (the run), `verdicts`
(the answer), `statements` (the claims about addition), `ledger` (what is kept).
"""

from __future__ import annotations

from truescope.judge.answers import SCORES, NumberTask, token_numbers
from truescope.judge.controls import MATCHED_ON, Controls, draw_controls
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
    "Ledger",
    "NumberTask",
    "Progress",
    "Statement",
    "claimed_features",
    "control_result",
    "control_sample",
    "decide",
    "draw_controls",
    "edited_answers",
    "evidence_level",
    "judge_suppression",
    "meets",
    "share_as_strong",
    "suppression_edits",
    "token_numbers",
    "values_hash",
]
