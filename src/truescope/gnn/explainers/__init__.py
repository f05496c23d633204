"""Explainers of graph networks; one call explains all nodes, and the model is left as it was.

Read in this order: `subject` (a model on one graph), `untouched` (what puts it back), `chain` and `unroll` (its steps),
`attributions` (what an explainer gives); then the explainers: `gradients`, `rectifiers`, `relevance`, `graphlime`,
`trees` and `gnn_explainer`, `walks`, `gradcam`, `perturbation`, `pyg_algorithms`, `baselines`; `registry` has all by
name.
"""

from truescope.gnn.explainers.attributions import Attributions, from_pyg
from truescope.gnn.explainers.baselines import degree_scores, oracle_scores, random_scores
from truescope.gnn.explainers.chain import Chain, Convolution, Gate, Head, Record, Term
from truescope.gnn.explainers.gnn_explainer import VERSIONS, gnn_explainer
from truescope.gnn.explainers.gradcam import grad_cam
from truescope.gnn.explainers.gradients import input_x_gradient, integrated_gradients, saliency
from truescope.gnn.explainers.graphlime import graphlime
from truescope.gnn.explainers.perturbation import occlusion, shapley
from truescope.gnn.explainers.pyg_algorithms import attention, graphmask, pg_explainer, pgm_explainer
from truescope.gnn.explainers.rectifiers import FunctionalReLUWarning, deconvolution, guided_backpropagation
from truescope.gnn.explainers.registry import EXPLAINERS, Explainer, explainer
from truescope.gnn.explainers.relevance import RULES, Rule, lrp, published_lrp
from truescope.gnn.explainers.subject import Subject
from truescope.gnn.explainers.trees import Trees
from truescope.gnn.explainers.unroll import NoChain, unroll
from truescope.gnn.explainers.untouched import untouched
from truescope.gnn.explainers.walks import Walks, gnn_lrp

__all__ = [
    "EXPLAINERS",
    "RULES",
    "VERSIONS",
    "Attributions",
    "Chain",
    "Convolution",
    "Explainer",
    "FunctionalReLUWarning",
    "Gate",
    "Head",
    "NoChain",
    "Record",
    "Rule",
    "Subject",
    "Term",
    "Trees",
    "Walks",
    "attention",
    "deconvolution",
    "degree_scores",
    "explainer",
    "from_pyg",
    "gnn_explainer",
    "gnn_lrp",
    "grad_cam",
    "graphlime",
    "graphmask",
    "guided_backpropagation",
    "input_x_gradient",
    "integrated_gradients",
    "lrp",
    "occlusion",
    "oracle_scores",
    "pg_explainer",
    "pgm_explainer",
    "published_lrp",
    "random_scores",
    "saliency",
    "shapley",
    "unroll",
    "untouched",
]
