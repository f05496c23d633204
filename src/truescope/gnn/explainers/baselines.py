"""What every explainer has to beat, and what none can: random scores, degrees, and the truth itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool

from truescope.core.errors import UsageError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.networks.subject import Subject


def random_scores(subject: Subject, nodes: Any = None, *, seed: int = 0) -> Attributions:
    """Uniform scores of features, nodes and arcs: whatever they reach, chance reaches."""
    chosen = chosen_nodes(nodes, subject.n_nodes)
    rng = np.random.default_rng(seed)
    n = len(chosen)
    return Attributions(
        "random",
        chosen,
        subject.classes(chosen),
        rng.random((n, subject.n_features)),
        rng.random((n, subject.n_nodes)),
        rng.random((n, subject.n_arcs)) if n * subject.n_arcs <= 20_000_000 else None,
        facts={"seed": seed},
    )


def degree_scores(subject: Subject, nodes: Any = None) -> Attributions:
    """Scores that know the graph but not the model: a node's degree, an arc's, and how often a feature is not zero."""
    chosen = chosen_nodes(nodes, subject.n_nodes)
    n = len(chosen)
    degree = np.bincount(subject.edge_index.numpy().ravel(), minlength=subject.n_nodes).astype(float)
    sources, targets = subject.edge_index.numpy()
    share = (subject.x != 0).double().mean(0).numpy()
    return Attributions(
        "degree",
        chosen,
        subject.classes(chosen),
        np.tile(share, (n, 1)),
        np.tile(degree, (n, 1)),
        np.tile(degree[sources] + degree[targets], (n, 1)) if n * subject.n_arcs <= 20_000_000 else None,
    )


def oracle_scores(subject: Subject, nodes: Any, used: Bool[np.ndarray, "*cases n_features"]) -> Attributions:
    """1 for what the model is known to use, else 0: the best that any explainer can reach.

    Raises:
        UsageError: a truth of another shape.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)
    shape = (len(chosen), subject.n_features)
    if used.shape not in (shape, shape[1:]):
        raise UsageError(f"a truth of shape {used.shape}", why=f"the scores have shape {shape}")
    return Attributions("oracle", chosen, subject.classes(chosen), np.broadcast_to(used, shape).astype(float))
