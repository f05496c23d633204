"""Gradients by the arcs: how each node's output moves when the messages along an arc are scaled.

    arc saliency                |∂f_i / ∂m_e| at m = 1
    arc integrated gradients    ∫₀¹ ∂f_i(x, a·1) / ∂m_e da        50 Gauss–Legendre steps from no messages at all

m_e multiplies every message along arc e, in all layers. Where the model has a chain, the trees of all nodes are
differentiated together, each by its own masks; else one forward pass serves all nodes (`networks.any_model`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.errors import GraphError, UsageError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.explainers.gradients import N_STEPS
from truescope.gnn.networks import Chain, Subject, Trees
from truescope.gnn.networks.any_model import AnyModel, Run

_HELD = 20_000_000
"""How many numbers a batch of targets may hold."""
Points = tuple[Float[np.ndarray, " n_points"], Float[np.ndarray, " n_points"]]


def arc_saliency(subject: Subject, nodes: Any = None, *, generic: bool = False) -> Attributions:
    """|∂f_i / ∂m_e| for every arc e and each node i of ``nodes`` (all where none are named)."""
    return _explain("arc_saliency", subject, nodes, (np.ones(1), np.ones(1)), False, generic)


def arc_integrated_gradients(
    subject: Subject,
    nodes: Any = None,
    *,
    n_steps: int = N_STEPS,
    with_features: bool = False,
    generic: bool = False,
) -> Attributions:
    """The integral of the gradient by the arcs while all messages grow from nothing to what they are.

    The signed scores (``facts["signed"]``) sum to f_i − f_i without messages. ``with_features`` scales the features
    along the same path, as the published benchmark does; then the arcs' scores are only a part of that sum.

    Raises:
        UsageError: fewer than one step.
    """
    if n_steps < 1:
        raise UsageError(f"{n_steps} steps", fix="50")
    places, weights = np.polynomial.legendre.leggauss(n_steps)
    points = ((1 + places) / 2, weights / 2)
    return _explain("arc_integrated_gradients", subject, nodes, points, with_features, generic)


def _explain(
    name: str, subject: Subject, nodes: Any, points: Points, with_features: bool, generic: bool
) -> Attributions:
    chosen = chosen_nodes(nodes, subject.n_nodes)
    classes = subject.classes(chosen)
    size = max(1, _HELD // (8 * max(subject.n_arcs, 1)))
    method: Callable[..., np.ndarray] = _through_trees if _has_trees(subject) and not generic else _through_messages
    parts = [
        method(subject, chosen[i : i + size], classes[i : i + size], points, with_features)
        for i in range(0, len(chosen), size)
    ]
    signed = np.concatenate(parts)
    return Attributions(name, chosen, classes, arcs=np.abs(signed), facts={"signed": signed})


def _has_trees(subject: Subject) -> bool:
    if not isinstance(subject.unrolled, Chain):
        return False
    try:
        Trees(subject.unrolled, subject.x, subject.edge_index, np.arange(1))
    except GraphError:  # parallel arcs
        return False
    return True


def _through_trees(
    subject: Subject, part: Int[np.ndarray, " n_targets"], classes: np.ndarray, points: Points, with_features: bool
) -> Float[np.ndarray, "n_targets n_arcs"]:
    trees = Trees(subject.chain("arc gradients"), subject.x, subject.edge_index, part)
    features = torch.ones(len(part), subject.n_features, dtype=subject.x.dtype)
    arcs = torch.ones(len(trees.entry_arc), dtype=subject.x.dtype)
    total = torch.zeros_like(arcs)
    for a, weight in zip(*points, strict=True):
        mask = (arcs * float(a)).requires_grad_()
        out = trees.outputs(features * float(a) if with_features else features, mask)
        picked = out[torch.arange(len(part)), torch.from_numpy(classes)].sum()
        if picked.requires_grad:
            (g,) = torch.autograd.grad(picked, mask, allow_unused=True, materialize_grads=True)
            total += float(weight) * g
    scores = torch.zeros(len(part), subject.n_arcs, dtype=subject.x.dtype)
    scores[trees.entry_target, trees.entry_arc] = total
    return scores.numpy()


def _through_messages(
    subject: Subject, part: Int[np.ndarray, " n_targets"], classes: np.ndarray, points: Points, with_features: bool
) -> Float[np.ndarray, "n_targets n_arcs"]:
    places, weights = points

    @contextmanager
    def running() -> Iterator[Run]:
        with subject.running() as run:

            def at(point: int) -> tuple[Tensor, Tensor]:
                a = float(places[point])
                mask = torch.full((subject.n_arcs, 1), a, dtype=subject.x.dtype).requires_grad_()
                return mask, run(subject.x * a if with_features else subject.x, mask.view(-1))

            yield at

    total = np.zeros((len(part), subject.n_arcs), subject.x.numpy().dtype)
    for place, (arcs, values) in enumerate(AnyModel(running, weights).gradients(part, classes)):
        total[place, arcs] = values[:, 0]
    return total
