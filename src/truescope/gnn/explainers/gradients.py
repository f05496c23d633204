"""Saliency, input × gradient and integrated gradients of all nodes at once.

    saliency               |∂f_i / ∂x|
    input × gradient       x · ∂f_i / ∂x
    integrated gradients   (x − x′) ∫₀¹ ∂f_i(x′ + a (x − x′)) / ∂x da        50 Gauss–Legendre steps

f_i is the explained node's output of its class. Where the model has a chain, one forward pass serves all nodes and each
node costs one sparse pull-back; else autograd's record of the forward passes is read and serves all (`any_model`).
Simonyan et al. (2013), arXiv:1312.6034; Shrikumar et al. (2016), arXiv:1605.01713; Sundararajan et al. (2017),
arXiv:1703.01365.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.errors import UsageError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.networks.any_model import AnyModel, Run
from truescope.gnn.networks.chain import Chain
from truescope.gnn.networks.subject import Subject

N_STEPS = 50


def saliency(subject: Subject, nodes: Any = None, *, full: bool = False, generic: bool = False) -> Attributions:
    """|∂f_i / ∂x| for each node i of ``nodes`` (all where none are named). ``full`` keeps every entry."""
    points = [subject.x]
    return _explain("saliency", subject, nodes, points, np.ones(1), None, full, generic)


def input_x_gradient(subject: Subject, nodes: Any = None, *, full: bool = False, generic: bool = False) -> Attributions:
    """x · ∂f_i / ∂x: exactly zero wherever the feature is zero, whatever the model does with it."""
    points = [subject.x]
    return _explain("input_x_gradient", subject, nodes, points, np.ones(1), subject.x, full, generic)


def integrated_gradients(
    subject: Subject,
    nodes: Any = None,
    *,
    baseline: Float[Tensor, "n_nodes n_features"] | None = None,
    n_steps: int = N_STEPS,
    full: bool = False,
    generic: bool = False,
) -> Attributions:
    """The integral of the gradient along the straight path from ``baseline`` (zero) to the features.

    Its entries sum to f_i(x) − f_i(baseline), up to the error of ``n_steps`` Gauss–Legendre points.

    Raises:
        UsageError: fewer than one step, or a baseline of another shape.
    """
    start = torch.zeros_like(subject.x) if baseline is None else baseline.to(subject.x)
    if n_steps < 1 or start.shape != subject.x.shape:
        raise UsageError(f"{n_steps} steps from a baseline of shape {tuple(start.shape)}", fix="50, and the shape of x")
    places, weights = np.polynomial.legendre.leggauss(n_steps)
    way = subject.x - start
    points = [start + float((1 + a) / 2) * way for a in places]
    return _explain("integrated_gradients", subject, nodes, points, weights / 2, way, full, generic)


def _explain(
    name: str,
    subject: Subject,
    nodes: Any,
    points: list[Tensor],
    weights: np.ndarray,
    factor: Tensor | None,
    full: bool,
    generic: bool,
) -> Attributions:
    chosen = chosen_nodes(nodes, subject.n_nodes)
    classes = subject.classes(chosen)
    chain = subject.unrolled
    if generic or not isinstance(chain, Chain):
        gradients = any_model(subject, points, weights).gradients(chosen, classes)
    else:
        gradients = _pulled_back(chain, chosen, classes, points, weights)
    return collect(name, subject, chosen, classes, gradients, factor, full)


def collect(
    name: str,
    subject: Subject,
    chosen: Int[np.ndarray, " n_targets"],
    classes: Int[np.ndarray, " n_targets"],
    gradients: Iterator[tuple[Any, Any]],
    factor: Tensor | None,
    full: bool,
) -> Attributions:
    """Sum each target's scores over nodes and over features; ``gradients`` yields (rows, values at these rows)."""
    times = None if factor is None else factor.numpy()
    dtype = subject.x.numpy().dtype
    features = np.zeros((len(chosen), subject.n_features), dtype)
    by_node = np.zeros((len(chosen), subject.n_nodes), dtype)
    kept = np.zeros((len(chosen), subject.n_nodes, subject.n_features), dtype) if full else None
    for place, (rows, g) in enumerate(gradients):
        scores = g if times is None else g * times[rows]
        size = np.abs(scores)
        features[place] = size.sum(0)
        by_node[place, rows] = size.sum(1)
        if kept is not None:
            kept[place, rows] = size if name == "saliency" else scores
    return Attributions(name, chosen, classes, features, by_node, full=kept)


def _pulled_back(
    chain: Chain, chosen: np.ndarray, classes: np.ndarray, points: list[Tensor], weights: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    record = chain.record([p.numpy() for p in points], weights)
    for node, target in zip(chosen, classes, strict=True):
        yield record.pull_back(int(node), int(target))


def any_model(
    subject: Subject, points: list[Tensor], weights: Float[np.ndarray, " n_points"] | None = None
) -> AnyModel:
    """The subject's model, run at points with its features as the leaf."""

    @contextmanager
    def running() -> Iterator[Run]:
        with subject.running() as run:

            def at(point: int) -> tuple[Tensor, Tensor]:
                x = points[point].detach().clone().requires_grad_()
                return x, run(x)

            yield at

    return AnyModel(running, np.ones(1) if weights is None else weights)
