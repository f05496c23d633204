"""Experiments that run by themselves: a group's dose-response (E3), its necessity (E4), and a path's shares (E5).

Read in this order: `bench` (prompts with donors, groups, effects), `stand_ins` (what a group must beat), `statements`
(the claims), `dose_response` (E3 and E4), `paths` (E5).
"""

from truescope.judge.experiments.bench import POSITIONS, Bench, Group, Pairs
from truescope.judge.experiments.dose_response import judge_dose_response, judge_necessity
from truescope.judge.experiments.paths import SHARES, check_order, judge_path
from truescope.judge.experiments.stand_ins import CONTROLS
from truescope.judge.experiments.statements import Design, names_of

__all__ = [
    "CONTROLS",
    "POSITIONS",
    "SHARES",
    "Bench",
    "Design",
    "Group",
    "Pairs",
    "check_order",
    "judge_dose_response",
    "judge_necessity",
    "judge_path",
    "names_of",
]
