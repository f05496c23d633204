"""Attention as an explanation: the model's own coefficients, read once for all nodes and cut to what can reach each.

    score of arc j→i = reduce over layers and heads of α_ij,     0 where no walk of ``n_hops`` arcs takes it to the node

A layer that adds self-loops puts them last and drops those of the graph: its coefficients are put back to the arcs.
Veličković et al. (2018), arXiv:1710.10903; whether attention explains is another question: Jain and Wallace (2019).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import k_hop_subgraph

from truescope.core.errors import ModelError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.networks import Subject
from truescope.gnn.networks.subject import message_places


def attention(
    subject: Subject, nodes: Any = None, *, reduce: Literal["max", "mean", "min"] = "max", n_hops: int | None = None
) -> Attributions:
    """Arc scores that are the model's own attention, over heads and layers by ``reduce``, within reach of a node.

    Reach is ``n_hops`` arcs, the number of attention layers that ran unless told.

    Raises:
        ModelError: the model has no attention.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)
    found: list[Tensor] = []

    def keep(layer: MessagePassing, given: tuple[Any, ...], _: Tensor) -> None:
        alpha = given[0].get("alpha")
        alpha = getattr(layer, "_alpha", None) if alpha is None else alpha
        if alpha is not None:
            found.append(by_arc(alpha.detach(), layer, subject.edge_index))

    with subject.running() as run, torch.no_grad():
        for layer in run.model.modules():
            if isinstance(layer, MessagePassing):
                layer.register_message_forward_hook(keep)
        run(subject.x)
    if not found:
        raise ModelError(
            f"attention needs a model that has some, and {type(subject.model).__name__} has none",
            why="no layer put out attention coefficients",
            fix="use another explainer of arcs: gnn_explainer, arc_saliency",
        )
    over = {"max": torch.amax, "mean": torch.mean, "min": torch.amin}[reduce]
    scores = over(torch.stack([over(alpha, dim=1) for alpha in found]), dim=0).double().numpy()
    reach = n_hops or len(found)
    arcs = np.stack([scores * reaching(subject, int(node), reach) for node in chosen])
    return Attributions("attention", chosen, subject.classes(chosen), arcs=arcs)


def by_arc(
    alpha: Float[Tensor, "n_messages ..."], layer: MessagePassing, edge_index: Int[Tensor, "2 n_arcs"]
) -> Float[Tensor, "n_arcs n_heads"]:
    """A layer's coefficients in the order of the graph's arcs."""
    alpha, places = alpha.reshape(len(alpha), -1), message_places(layer, edge_index)
    return alpha if places is None else alpha[places]


def reaching(subject: Subject, node: int, n_hops: int) -> Float[np.ndarray, " n_arcs"]:
    """1 for an arc that lies on a walk of up to ``n_hops`` arcs into ``node``."""
    heads = k_hop_subgraph(node, n_hops - 1, subject.edge_index, num_nodes=subject.n_nodes)[0] if n_hops > 1 else None
    inside = torch.zeros(subject.n_nodes, dtype=torch.bool)
    inside[heads if heads is not None else node] = True
    return inside[subject.edge_index[1]].numpy().astype(np.float64)
