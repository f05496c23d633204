"""Graph networks whose mechanism is known: which features and arcs they use is true by construction.

Read in this order: `layers`, `published` (the three published classifiers), `generate` (the published instances),
`closed_forms` (what the benchmark's numbers must be), `nonlinear` (rules compiled to weights), `planted` (a known
dependence in any model).
"""

from truescope.gnn.whiteboxes.closed_forms import expected_outranking
from truescope.gnn.whiteboxes.generate import GRAPH_KINDS, Instance, Setting, both_ways, draw_truth, generate
from truescope.gnn.whiteboxes.nonlinear import RULE_BOXES, RuleBox
from truescope.gnn.whiteboxes.planted import Planted
from truescope.gnn.whiteboxes.published import WHITE_BOXES, WhiteBox, important_mean

__all__ = [
    "GRAPH_KINDS",
    "RULE_BOXES",
    "WHITE_BOXES",
    "Instance",
    "Planted",
    "RuleBox",
    "Setting",
    "WhiteBox",
    "both_ways",
    "draw_truth",
    "expected_outranking",
    "generate",
    "important_mean",
]
