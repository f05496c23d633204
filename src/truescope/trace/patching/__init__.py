"""Scores of nodes and edges by patching: how much an answer hangs on a head, a neuron, a feature, at a position.

Read in this order: `metric` (what is measured), `nodes` (on what), `gradients` (saliency, gradient × input, attribution
patching, integrated gradients), `interventions` (activation patching and ablations), `edges` (the same for edges),
`live` (what taking out a source does to every target), `replaced` (what a dictionary in the MLPs' place says).
"""

from truescope.trace.patching.edges import EdgeScores, SourceBaseline, unit_nodes
from truescope.trace.patching.gradients import NodeGradients, integrated_gradients, node_gradients
from truescope.trace.patching.interventions import replacement_effects, restoration_effects
from truescope.trace.patching.live import live_effects
from truescope.trace.patching.metric import LogitMetric
from truescope.trace.patching.nodes import Nodes, node_values
from truescope.trace.patching.replaced import replaced_logits

__all__ = [
    "EdgeScores",
    "LogitMetric",
    "NodeGradients",
    "Nodes",
    "SourceBaseline",
    "integrated_gradients",
    "live_effects",
    "node_gradients",
    "node_values",
    "replaced_logits",
    "replacement_effects",
    "restoration_effects",
    "unit_nodes",
]
