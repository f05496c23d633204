"""Explainers of graph networks; one call explains all nodes, and the model is left as it was.

Read in this order: `subject` (a model on one graph), `untouched` (what puts it back), `chain` and `unroll` (its steps),
`attributions` (what an explainer gives), `gradients`, `relevance`.
"""

from truescope.gnn.explainers.attributions import Attributions, from_pyg
from truescope.gnn.explainers.chain import Chain, Convolution, Gate, Head, Record, Term
from truescope.gnn.explainers.gradients import input_x_gradient, integrated_gradients, saliency
from truescope.gnn.explainers.relevance import RULES, Rule, lrp, published_lrp
from truescope.gnn.explainers.subject import Subject
from truescope.gnn.explainers.unroll import NoChain, unroll
from truescope.gnn.explainers.untouched import untouched

__all__ = [
    "RULES",
    "Attributions",
    "Chain",
    "Convolution",
    "Gate",
    "Head",
    "NoChain",
    "Record",
    "Rule",
    "Subject",
    "Term",
    "from_pyg",
    "input_x_gradient",
    "integrated_gradients",
    "lrp",
    "published_lrp",
    "saliency",
    "unroll",
    "untouched",
]
