"""The verbs on tables: `tree`, `compare` and `explainers`, and `distil`, which makes a tree of a model's behaviour.

Read `reading` first: what a person may mean by a table. All stand on the extra `tabular`, imported when it is needed.
"""

from truescope.pipelines.tables.compare import CompareReport, compare
from truescope.pipelines.tables.distil import DistilReport, distil
from truescope.pipelines.tables.explainers import ExplainersReport, explainers
from truescope.pipelines.tables.tree import TreeReport, tree

__all__ = [
    "CompareReport",
    "DistilReport",
    "ExplainersReport",
    "TreeReport",
    "compare",
    "distil",
    "explainers",
    "tree",
]
