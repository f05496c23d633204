"""Fast-and-frugal trees, and the other heuristics of one reason or of counted reasons.

Read in this order: `cues` (a table into cues), `statistics` (what a two-by-two table says), `thresholds` (the best
split of a cue), `tree` (questions with exits), `growing` (the fan), `scores` and `scoring`, `words`, `edits`, `labels`
(which class is positive), `settings`, `cases`, `classifier` (the estimator), `reports`, `records`.
"""

from truescope.tabular.trees.classifier import FastFrugalTreeClassifier
from truescope.tabular.trees.labels import PositiveClassWarning
from truescope.tabular.trees.reports import CueWarning
from truescope.tabular.trees.tree import FastFrugalTree, Node

__all__ = ["CueWarning", "FastFrugalTree", "FastFrugalTreeClassifier", "Node", "PositiveClassWarning"]
