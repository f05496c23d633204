"""Occlusion and Shapley values by running the model again: one forward pass serves every node.

    occlusion    f_i(x) − f_i(x without part p)
    Shapley      the mean, over orders of the features, of what f_i gains when feature k joins those before it

A feature is taken away everywhere in the graph (its column becomes the baseline); a node by taking away its features.
So a Shapley sample costs one pass a feature, for all nodes together, and every sampled order adds up exactly:
Σ_k φ_k = f_i(x) − f_i(baseline). Zeiler and Fergus (2014), arXiv:1311.2901; Castro et al. (2009); Shapley (1953).
"""

from __future__ import annotations

from itertools import permutations
from math import factorial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from truescope.core.errors import UsageError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.networks.subject import Subject


def occlusion(
    subject: Subject, nodes: Any = None, *, baseline: float = 0.0, by_node: bool | None = None
) -> Attributions:
    """What each node's output loses without each feature and, where ``by_node``, without each node's features.

    Nodes are taken away one by one, a forward pass each; unless told, that is done on graphs of up to 500 nodes.
    ``facts`` holds the signed losses of the features under "signed".
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)
    classes = subject.classes(chosen)
    with subject.running() as run, torch.no_grad():
        f = _picked(run, subject.x, chosen, classes)
        features = np.zeros((len(chosen), subject.n_features), f.dtype)
        for k in range(subject.n_features):
            x = subject.x.clone()
            x[:, k] = baseline
            features[:, k] = f - _picked(run, x, chosen, classes)
        others = None
        if by_node or (by_node is None and subject.n_nodes <= 500):
            others = np.zeros((len(chosen), subject.n_nodes), f.dtype)
            for j in range(subject.n_nodes):
                x = subject.x.clone()
                x[j] = baseline
                others[:, j] = f - _picked(run, x, chosen, classes)
    sizes = None if others is None else np.abs(others)
    return Attributions("occlusion", chosen, classes, np.abs(features), sizes, facts={"signed": features})


def shapley(
    subject: Subject, nodes: Any = None, *, n_orders: int = 20, baseline: float = 0.0, seed: int = 0
) -> Attributions:
    """Shapley values of the features by ``n_orders`` random orders and their reverses, for all nodes at once.

    Where there are so few features that all orders are no more than that, all are taken, and the values are exact.

    ``facts`` holds the signed values under "signed", and their standard error over orders under "error".

    Raises:
        UsageError: fewer than one order.
    """
    if n_orders < 1:
        raise UsageError(f"{n_orders} orders", fix="give one or more")
    chosen = chosen_nodes(nodes, subject.n_nodes)
    classes = subject.classes(chosen)
    orders, exact = _orders(subject.n_features, n_orders, seed)
    values = []
    with subject.running() as run, torch.no_grad():
        empty = torch.full_like(subject.x, baseline)
        start = _picked(run, empty, chosen, classes)
        for order in orders:
            pair = [_along(run, subject.x, empty, start, one, chosen, classes) for one in (order, order[::-1])]
            values.append((pair[0] + pair[1]) / 2)
    all_orders = np.stack(values)
    mean = all_orders.mean(0)
    n = len(orders)
    error = np.zeros_like(mean) if exact else np.full_like(mean, np.nan)
    if not exact and n > 1:
        error = all_orders.std(0, ddof=1) / np.sqrt(n)
    facts = {"signed": mean, "error": error, "n_orders": 2 * n, "exact": exact, "seed": seed}
    return Attributions("shapley", chosen, classes, np.abs(mean), facts=facts)


def _orders(n_features: int, n_orders: int, seed: int) -> tuple[list[np.ndarray], bool]:
    """The orders to go through, each also backwards, and whether they are all there are."""
    if n_features <= 8 and factorial(n_features) <= 2 * n_orders:
        return [np.array(order) for order in permutations(range(n_features))], True
    rng = np.random.default_rng(seed)
    return [rng.permutation(n_features) for _ in range(n_orders)], False


def _along(
    run: Any, x: Tensor, empty: Tensor, start: np.ndarray, order: np.ndarray, chosen: np.ndarray, classes: np.ndarray
) -> Float[np.ndarray, "n_targets n_features"]:
    """What each target gains by each feature when the features come in this order."""
    gains = np.zeros((len(chosen), x.shape[1]), start.dtype)
    now, before = empty.clone(), start
    for k in order:
        now[:, k] = x[:, k]
        after = _picked(run, now, chosen, classes)
        gains[:, k] = after - before
        before = after
    return gains


def _picked(run: Any, x: Tensor, chosen: np.ndarray, classes: np.ndarray) -> Float[np.ndarray, " n_targets"]:
    return run(x)[torch.from_numpy(chosen), torch.from_numpy(classes)].numpy()
