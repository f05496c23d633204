"""Cases: files with prompts, answers, and claims or experiments about groups of units.

Read in this order: `parts` (how a part is read and checked), `experiments` (what an experiment says), `case` (the
file), `runs` (experiments stated, run and judged).
"""

from truescope.pipelines.cases.case import Case, ClaimEntry, addition_task, with_procedures
from truescope.pipelines.cases.experiments import ExperimentEntry
from truescope.pipelines.cases.runs import Experiments, run_experiments

__all__ = [
    "Case",
    "ClaimEntry",
    "ExperimentEntry",
    "Experiments",
    "addition_task",
    "run_experiments",
    "with_procedures",
]
