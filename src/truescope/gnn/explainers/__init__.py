"""Explainers of graph networks; one call explains all nodes, and the model is left as it was.

Read in this order: `subject` (a model on one graph), `untouched` (what puts it back), `chain` and `unroll` (its steps),
`attributions` (what an explainer gives); then the explainers: `gradients`, `rectifiers`, `relevance`, `graphlime`,
`trees` and `gnn_explainer`, `baselines`.
"""

from truescope.gnn.explainers.attributions import Attributions, from_pyg
from truescope.gnn.explainers.baselines import degree_scores, oracle_scores, random_scores
from truescope.gnn.explainers.chain import Chain, Convolution, Gate, Head, Record, Term
from truescope.gnn.explainers.gnn_explainer import VERSIONS, gnn_explainer
from truescope.gnn.explainers.gradients import input_x_gradient, integrated_gradients, saliency
from truescope.gnn.explainers.graphlime import graphlime
from truescope.gnn.explainers.rectifiers import FunctionalReLUWarning, deconvolution, guided_backpropagation
from truescope.gnn.explainers.relevance import RULES, Rule, lrp, published_lrp
from truescope.gnn.explainers.subject import Subject
from truescope.gnn.explainers.trees import Trees
from truescope.gnn.explainers.unroll import NoChain, unroll
from truescope.gnn.explainers.untouched import untouched

__all__ = [
    "RULES",
    "VERSIONS",
    "Attributions",
    "Chain",
    "Convolution",
    "FunctionalReLUWarning",
    "Gate",
    "Head",
    "NoChain",
    "Record",
    "Rule",
    "Subject",
    "Term",
    "Trees",
    "deconvolution",
    "degree_scores",
    "from_pyg",
    "gnn_explainer",
    "graphlime",
    "guided_backpropagation",
    "input_x_gradient",
    "integrated_gradients",
    "lrp",
    "oracle_scores",
    "published_lrp",
    "random_scores",
    "saliency",
    "unroll",
    "untouched",
]
