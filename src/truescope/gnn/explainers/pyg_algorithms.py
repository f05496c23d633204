"""Explainers that PyTorch Geometric has, run for many nodes on a model that is put back afterwards.

    PGExplainer     σ of an MLP on the embeddings of an arc's ends (and the node's), one MLP for all explained nodes:
                    min −log p(c | arcs · mask) + 0.05 Σ mask + mean H(mask), with noise on the logits in training
    GraphMask       per layer a gate on every message, 1 where its logit is above the middle between the smallest and
                    the largest, a learned vector in place of what is cut; trained a node at a time
    PGM-Explainer   features of a random half of the neighbourhood are replaced by random bits, again and again: a node
                    counts by 1 − p of the χ² test of whether its replacement goes with a change of the answer

PGM-Explainer needs the package pgmpy (the extra ``pgm``). SubgraphX and attention are not here: the one's library (DIG)
stopped at PyTorch Geometric 2.2, the other's loses what is far from the first node.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int
from torch_geometric.explain import Explainer, GraphMaskExplainer, PGExplainer
from torch_geometric.explain.algorithm import ExplainerAlgorithm

from truescope.core.errors import ModelError, TruescopeError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes, from_pyg
from truescope.gnn.explainers.gnn_explainer import are_probabilities
from truescope.gnn.networks.subject import Subject


def pg_explainer(
    subject: Subject,
    nodes: Any = None,
    *,
    epochs: int = 30,
    lr: float = 0.003,
    size: float = 0.05,
    entropy: float = 1.0,
    seed: int = 0,
) -> Attributions:
    """Arc scores by an MLP on the embeddings of an arc's ends, trained on the explained nodes. Luo et al. (2020).

    ``size`` weighs the sum of the mask, ``entropy`` its mean entropy: at 1 all arcs often end on the same side, because
    the entropy has its least value at 0 and at 1 and the MLP moves them together.

    Raises:
        ModelError: PyTorch Geometric cannot run it on the model.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)

    def run(explainer: Explainer) -> list[Any]:
        target, algorithm = subject.outputs.argmax(1), cast(PGExplainer, explainer.algorithm)
        graph, more = (subject.x, subject.edge_index), subject.arguments
        for epoch in range(epochs):
            for node in chosen:
                algorithm.train(epoch, subject.model, *graph, target=target, index=int(node), **more)
        return [explainer(*graph, target=target, index=int(node), **more) for node in chosen]

    def make() -> PGExplainer:
        algorithm = PGExplainer(epochs=epochs, lr=lr)
        # Given to its constructor they would stay for every later one: they are kept on the class.
        algorithm.coeffs = {**algorithm.coeffs, "edge_size": size, "edge_ent": entropy}
        return algorithm

    return _run(subject, "pg_explainer", make, chosen, run, seed, arcs_only=True)


def graphmask(subject: Subject, nodes: Any = None, *, epochs: int = 50, seed: int = 0) -> Attributions:
    """Arc scores by gates on every layer's messages. Schlichtkrull et al. (2021), arXiv:2010.00577.

    The library also hands out a feature mask, but freezes it before it is trained: it is its random start, and is left
    out here.

    Raises:
        ModelError: PyTorch Geometric cannot run it on the model.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)
    n_layers = sum(1 for m in subject.model.modules() if hasattr(m, "propagate"))
    found = _run(
        subject, "graphmask", lambda: GraphMaskExplainer(n_layers, epochs=epochs, log=False), chosen, None, seed
    )
    return Attributions("graphmask", chosen, found.classes, arcs=found.arcs, facts=found.facts)


def pgm_explainer(subject: Subject, nodes: Any = None, *, n_samples: int = 100, seed: int = 0) -> Attributions:
    """Node scores by random perturbation and tests of independence. Vu and Thai (2020), arXiv:2010.05788.

    A node's score is 1 − p; ``facts`` holds the p-values under "p", 1 for nodes out of reach.

    Raises:
        ModelError: pgmpy is not installed, or PyTorch Geometric cannot run it on the model.
    """
    if find_spec("pgmpy") is None:
        raise ModelError(
            "pgm_explainer needs pgmpy", why="it is not installed", fix='pip install "truescope[pgm]", or use subgraphx'
        )
    chosen = chosen_nodes(nodes, subject.n_nodes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it is experimental
        from torch_geometric.contrib.explain import PGMExplainer
    p_values: list[np.ndarray] = []

    def run(explainer: Explainer) -> list[Any]:
        graph = (subject.x, subject.edge_index)
        found = [explainer(*graph, index=int(node), **subject.arguments) for node in chosen]
        p_values.extend(one.get("pgm_stats").numpy() for one in found)
        return found

    _run(subject, "pgm_explainer", lambda: PGMExplainer(num_samples=n_samples), chosen, run, seed)
    p = np.stack(p_values).astype(np.float64)
    return Attributions("pgm_explainer", chosen, subject.classes(chosen), by_node=1 - p, facts={"p": p, "seed": seed})


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
    with subject.running() as running, warnings.catch_warnings(), _numpy_seeded(seed):
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
        name,
        chosen,
        subject.classes(chosen),
        scores.features,
        scores.by_node,
        scores.arcs,
        facts={"seed": seed},
    )


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """numpy's global generator seeded within the block and as it was after: PGM-Explainer draws from it."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)
