"""Graph networks whose mechanism is known: which features and arcs they use is true by construction.

Read in this order: `layers`, `published` (the three published classifiers), `generate` (the published instances),
`closed_forms` (what the benchmark's numbers must be).
"""

from truescope.gnn.whiteboxes.closed_forms import expected_outranking
from truescope.gnn.whiteboxes.generate import GRAPH_KINDS, Instance, Setting, both_ways, draw_truth, generate
from truescope.gnn.whiteboxes.published import WHITE_BOXES, WhiteBox, important_mean

__all__ = [
    "GRAPH_KINDS",
    "WHITE_BOXES",
    "Instance",
    "Setting",
    "WhiteBox",
    "both_ways",
    "draw_truth",
    "expected_outranking",
    "generate",
    "important_mean",
]
