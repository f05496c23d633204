"""Explainers that PyTorch Geometric has, run for many nodes on a model that is put back afterwards.

PGExplainer is trained here first, on the nodes that are explained. Attention coefficients are the same for every node,
so they are read once and cut to what can reach each node. GraphMask is trained a node at a time. PGM-Explainer needs
the package pgmpy. SubgraphX has no library that runs beside this PyTorch Geometric (DIG stopped at 2.2).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch_geometric.explain import AttentionExplainer, Explainer, GraphMaskExplainer, PGExplainer
from torch_geometric.explain.algorithm import ExplainerAlgorithm
from torch_geometric.utils import k_hop_subgraph

from truescope.core.errors import ModelError, TruescopeError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes, from_pyg
from truescope.gnn.explainers.gnn_explainer import are_probabilities
from truescope.gnn.networks.subject import Subject


def pg_explainer(
    subject: Subject, nodes: Any = None, *, epochs: int = 30, lr: float = 0.003, seed: int = 0
) -> Attributions:
    """Arc scores by an MLP on the embeddings of an arc's ends, trained on the explained nodes. Luo et al. (2020).

    Raises:
        ModelError: PyTorch Geometric cannot run it on the model.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)

    def run(explainer: Explainer) -> list[Any]:
        target, algorithm = subject.outputs.argmax(1), cast(PGExplainer, explainer.algorithm)
        for epoch in range(epochs):
            for node in chosen:
                algorithm.train(epoch, subject.model, subject.x, subject.edge_index, target=target, index=int(node))
        return [explainer(subject.x, subject.edge_index, target=target, index=int(node)) for node in chosen]

    return _run(subject, "pg_explainer", lambda: PGExplainer(epochs=epochs, lr=lr), chosen, run, seed, arcs_only=True)


def graphmask(subject: Subject, nodes: Any = None, *, epochs: int = 50, seed: int = 0) -> Attributions:
    """Arc and feature scores by gates on every layer's messages. Schlichtkrull et al. (2021).

    Raises:
        ModelError: PyTorch Geometric cannot run it on the model.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)
    n_layers = sum(1 for m in subject.model.modules() if hasattr(m, "propagate"))
    return _run(
        subject, "graphmask", lambda: GraphMaskExplainer(n_layers, epochs=epochs, log=False), chosen, None, seed
    )


def pgm_explainer(subject: Subject, nodes: Any = None, *, n_samples: int = 100, seed: int = 0) -> Attributions:
    """Node scores by random perturbation and tests of independence. Vu and Thai (2020).

    Raises:
        ModelError: pgmpy is not installed, or PyTorch Geometric cannot run it on the model.
    """
    if find_spec("pgmpy") is None:
        raise ModelError("pgm_explainer needs pgmpy", why="it is not installed", fix="pip install pgmpy")
    from torch_geometric.contrib.explain import PGMExplainer

    chosen = chosen_nodes(nodes, subject.n_nodes)
    return _run(subject, "pgm_explainer", lambda: PGMExplainer(num_samples=n_samples), chosen, None, seed)


def attention(
    subject: Subject, nodes: Any = None, *, reduce: Literal["max", "mean", "min"] = "max", n_hops: int = 2
) -> Attributions:
    """Arc scores that are the model's own attention, over heads and layers by ``reduce``, within ``n_hops`` of a node.

    Raises:
        ModelError: the model has no attention.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)

    def run(explainer: Explainer) -> list[Any]:
        return [explainer(subject.x, subject.edge_index, index=int(chosen[0]), **subject.arguments)]

    once = _run(subject, "attention", lambda: AttentionExplainer(reduce=reduce), chosen[:1], run, 0, arcs_only=True)
    assert once.arcs is not None
    arcs = np.stack([once.arcs[0] * _near(subject, int(node), n_hops) for node in chosen])
    return Attributions("attention", chosen, subject.classes(chosen), arcs=arcs)


def _run(
    subject: Subject,
    name: str,
    make: Callable[[], ExplainerAlgorithm],
    chosen: Int[np.ndarray, " n_targets"],
    run: Callable[[Explainer], list[Any]] | None,
    seed: int,
    arcs_only: bool = False,
) -> Attributions:
    """Run one of PyG's algorithms; whatever it leaves on the model is taken away."""
    probabilities = are_probabilities(subject.outputs)
    config = {
        "mode": "multiclass_classification",
        "task_level": "node",
        "return_type": "probs" if probabilities else "raw",
    }
    with subject.running() as running, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        try:
            explainer = Explainer(
                running.model,
                make(),
                "phenomenon" if name == "pg_explainer" else "model",
                config,
                node_mask_type=None if arcs_only else "attributes" if name == "graphmask" else "object",
                edge_mask_type=None if name == "pgm_explainer" else "object",
            )
            found = (
                run(explainer)
                if run is not None
                else [explainer(subject.x, subject.edge_index, index=int(node), **subject.arguments) for node in chosen]
            )
        except TruescopeError:
            raise
        except Exception as error:  # a library's algorithm on a stranger's model
            raise ModelError(
                f"{name} of PyTorch Geometric failed on {type(subject.model).__name__}",
                why=f"{type(error).__name__}: {error}",
                fix="use an explainer that fits the model; it was put back as it was",
            ) from error
    for node, explanation in zip(chosen, found, strict=True):
        explanation.index = int(node)
    scores = from_pyg(found, name)
    return Attributions(
        name, chosen, subject.classes(chosen), scores.features, scores.by_node, scores.arcs, facts={"seed": seed}
    )


def _near(subject: Subject, node: int, n_hops: int) -> Float[np.ndarray, " n_arcs"]:
    """1 for an arc that lies on a walk of up to ``n_hops`` arcs into ``node``."""
    heads = k_hop_subgraph(node, n_hops - 1, subject.edge_index, num_nodes=subject.n_nodes)[0] if n_hops > 1 else None
    inside = torch.zeros(subject.n_nodes, dtype=torch.bool)
    inside[heads if heads is not None else node] = True
    return inside[subject.edge_index[1]].numpy().astype(np.float64)
