"""Interpretable against opaque models on one table: the same folds for all, everything learned inside them.

Read in this order: `splits`, `preparing` (cues for each kind of model), `thresholds` (from score to decision),
`models` (the register) with `fast_and_frugal`, `plain`, `boosted` and `rules`, `measures`, `cells` (one model on one
fold), `results`, `differences` (better, equal or worse, with probabilities), `parity` (the best of each kind),
`comparison`, `alternatives`, `charts`, `page`; and `claims`, imported by itself: the judge brings torch, which the
processes that fit models need not load.
"""

from truescope.tabular.compare.alternatives import Alternatives, alternative_trees
from truescope.tabular.compare.cells import Job, Plan, make_jobs, run_cell, run_cells
from truescope.tabular.compare.comparison import Comparison
from truescope.tabular.compare.differences import Difference, best_without_looking, difference
from truescope.tabular.compare.measures import MEASURES, Calibration, measure_named
from truescope.tabular.compare.models import DEFAULT, SETS, Complexity, TableModel, models_named, registry
from truescope.tabular.compare.page import comparison_page
from truescope.tabular.compare.parity import Parity
from truescope.tabular.compare.results import Cells, Result
from truescope.tabular.compare.splits import SPLITS, Split, make_splits
from truescope.tabular.compare.thresholds import ThresholdedClassifier

__all__ = [
    "DEFAULT",
    "MEASURES",
    "SETS",
    "SPLITS",
    "Alternatives",
    "Calibration",
    "Cells",
    "Comparison",
    "Complexity",
    "Difference",
    "Job",
    "Parity",
    "Plan",
    "Result",
    "Split",
    "TableModel",
    "ThresholdedClassifier",
    "alternative_trees",
    "best_without_looking",
    "comparison_page",
    "difference",
    "make_jobs",
    "make_splits",
    "measure_named",
    "models_named",
    "registry",
    "run_cell",
    "run_cells",
]
