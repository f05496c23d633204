"""Fast-and-frugal trees, and the other heuristics of one reason or of counted reasons.

Read in this order: `cues` (a table into cues), `statistics` (what a two-by-two table says), `thresholds` (the best
split of a cue), `tree` (questions with exits), `growing` (the fan), `scores` and `scoring`, `words`, `edits`, `labels`
(which class is positive), `settings`, `cases`, `estimator`, `classifier` (the trees as an estimator), `reports`,
`records`; then `dichotomies`, `tallying`, `take_the_best`.
"""

from truescope.tabular.trees.classifier import FastFrugalTreeClassifier
from truescope.tabular.trees.labels import PositiveClassWarning
from truescope.tabular.trees.reports import CueWarning
from truescope.tabular.trees.take_the_best import TakeTheBestClassifier
from truescope.tabular.trees.tallying import TallyingClassifier
from truescope.tabular.trees.tree import FastFrugalTree, Node

__all__ = [
    "CueWarning",
    "FastFrugalTree",
    "FastFrugalTreeClassifier",
    "Node",
    "PositiveClassWarning",
    "TakeTheBestClassifier",
    "TallyingClassifier",
]
