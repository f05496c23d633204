"""Every explainer by its name, called the same way: subject, nodes, seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from truescope.core.errors import UsageError, nearest
from truescope.gnn.explainers.arcs import arc_integrated_gradients, arc_saliency
from truescope.gnn.explainers.attention import attention
from truescope.gnn.explainers.attributions import Attributions
from truescope.gnn.explainers.baselines import degree_scores, random_scores
from truescope.gnn.explainers.gnn_explainer import gnn_explainer
from truescope.gnn.explainers.gradcam import grad_cam
from truescope.gnn.explainers.gradients import input_x_gradient, integrated_gradients, saliency
from truescope.gnn.explainers.graphlime import graphlime
from truescope.gnn.explainers.perturbation import occlusion, shapley
from truescope.gnn.explainers.pyg_algorithms import graphmask, pg_explainer, pgm_explainer
from truescope.gnn.explainers.rectifiers import deconvolution, guided_backpropagation
from truescope.gnn.explainers.relevance import lrp
from truescope.gnn.explainers.subgraphx import subgraphx
from truescope.gnn.explainers.walks import walk_relevance
from truescope.gnn.networks.subject import Subject


@dataclass(frozen=True)
class Explainer:
    """An explainer: how it is called, and which parts it scores."""

    name: str
    call: Callable[[Subject, Any, int], Attributions]
    scores: tuple[str, ...]


_FEATURES, _NODES, _ARCS = ("features", "by_node"), ("by_node",), ("arcs",)

EXPLAINERS: Mapping[str, Explainer] = {
    one.name: one
    for one in (
        Explainer("saliency", lambda s, v, seed: saliency(s, v), _FEATURES),
        Explainer("input_x_gradient", lambda s, v, seed: input_x_gradient(s, v), _FEATURES),
        Explainer("integrated_gradients", lambda s, v, seed: integrated_gradients(s, v), _FEATURES),
        Explainer("guided_backpropagation", lambda s, v, seed: guided_backpropagation(s, v), _FEATURES),
        Explainer("deconvolution", lambda s, v, seed: deconvolution(s, v), _FEATURES),
        Explainer("lrp_epsilon", lambda s, v, seed: lrp(s, v, rule="epsilon"), _FEATURES),
        Explainer("lrp_gamma", lambda s, v, seed: lrp(s, v, rule="gamma"), _FEATURES),
        Explainer("lrp_z_plus", lambda s, v, seed: lrp(s, v, rule="z_plus"), _FEATURES),
        Explainer("gnn_lrp", lambda s, v, seed: walk_relevance(s, v), ("by_node", "arcs")),
        Explainer("grad_cam", lambda s, v, seed: grad_cam(s, v), _NODES),
        Explainer("gnn_explainer", lambda s, v, seed: gnn_explainer(s, v, seed=seed), ("features", "arcs")),
        Explainer("arc_saliency", lambda s, v, seed: arc_saliency(s, v), _ARCS),
        Explainer("arc_integrated_gradients", lambda s, v, seed: arc_integrated_gradients(s, v), _ARCS),
        Explainer("pg_explainer", lambda s, v, seed: pg_explainer(s, v, seed=seed), _ARCS),
        Explainer("attention", lambda s, v, seed: attention(s, v), _ARCS),
        Explainer("graphmask", lambda s, v, seed: graphmask(s, v, seed=seed), _ARCS),
        Explainer("pgm_explainer", lambda s, v, seed: pgm_explainer(s, v, seed=seed), _NODES),
        Explainer("subgraphx", lambda s, v, seed: subgraphx(s, v, seed=seed), _NODES),
        Explainer("graphlime", lambda s, v, seed: graphlime(s, v), ("features",)),
        Explainer("occlusion", lambda s, v, seed: occlusion(s, v), _FEATURES),
        Explainer("shapley", lambda s, v, seed: shapley(s, v, seed=seed), ("features",)),
        Explainer("random", lambda s, v, seed: random_scores(s, v, seed=seed), ("features", "by_node", "arcs")),
        Explainer("degree", lambda s, v, seed: degree_scores(s, v), ("features", "by_node", "arcs")),
    )
}
"""The explainers by name; the walks of GNN-LRP themselves are asked for one node at a time (`gnn_lrp`)."""


def explainer(name: str) -> Explainer:
    """The explainer of that name. Raises UsageError, with the nearest names, where there is none."""
    if name not in EXPLAINERS:
        raise UsageError(f"there is no explainer {name!r}", fix=nearest(name, EXPLAINERS) or ", ".join(EXPLAINERS))
    return EXPLAINERS[name]
