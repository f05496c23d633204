"""Explainers of graph networks; one call explains all nodes, and the model is left as it was.

Read `attributions` first (what an explainer gives); then the explainers: `gradients`, `rectifiers`, `relevance`,
`published_lrp`, `walks`, `arcs`, `attention`, `gradcam`, `perturbation`, `subgraphx`, `graphlime`, `gnn_explainer`,
`pyg_algorithms`, `baselines`; `registry` has all by name. What they explain, a model on a graph and its steps, is the
room `networks`.
"""

from truescope.gnn.explainers.arcs import arc_integrated_gradients, arc_saliency
from truescope.gnn.explainers.attention import attention
from truescope.gnn.explainers.attributions import Attributions, from_pyg
from truescope.gnn.explainers.baselines import degree_scores, oracle_scores, random_scores
from truescope.gnn.explainers.gnn_explainer import VERSIONS, gnn_explainer
from truescope.gnn.explainers.gradcam import grad_cam
from truescope.gnn.explainers.gradients import input_x_gradient, integrated_gradients, saliency
from truescope.gnn.explainers.graphlime import graphlime
from truescope.gnn.explainers.perturbation import occlusion, shapley
from truescope.gnn.explainers.published_lrp import published_lrp
from truescope.gnn.explainers.pyg_algorithms import graphmask, pg_explainer, pgm_explainer
from truescope.gnn.explainers.rectifiers import FunctionalReLUWarning, deconvolution, guided_backpropagation
from truescope.gnn.explainers.registry import EXPLAINERS, Explainer, explainer
from truescope.gnn.explainers.relevance import RULES, Rule, lrp
from truescope.gnn.explainers.subgraphx import subgraphx
from truescope.gnn.explainers.walks import Walks, gnn_lrp, walk_relevance

__all__ = [
    "EXPLAINERS",
    "RULES",
    "VERSIONS",
    "Attributions",
    "Explainer",
    "FunctionalReLUWarning",
    "Rule",
    "Walks",
    "arc_integrated_gradients",
    "arc_saliency",
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
    "subgraphx",
    "walk_relevance",
]
