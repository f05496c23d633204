"""The published generator: a random graph, features, which nodes are explained, which features and arcs count.

The order in which random numbers are drawn is part of it, so that a seed gives the published instance: the graph from
Python's generator; features, nodes, β and ε from numpy's legacy one, in this order, all with the same seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from truescope.core.errors import UsageError, nearest

GraphKind = Literal["erdos-renyi", "barabasi-albert"]
GRAPH_KINDS: tuple[str, ...] = get_args(GraphKind)
"""The random graphs by name."""


@dataclass(frozen=True)
class Setting:
    """What a synthetic instance is drawn from: shares of positive and of important features, and how false is coded."""

    p_positive: float = 0.5
    p_important: float = 0.5
    false_value: float = 0.0
    graph: GraphKind | str = "erdos-renyi"
    n_nodes: int = 100
    mean_degree: int = 16
    n_features: int = 50
    p_arc: float = 0.5
    signed: bool = False

    def __post_init__(self) -> None:
        if self.graph not in GRAPH_KINDS:
            raise UsageError(f"no graph is called {self.graph!r}", fix=nearest(self.graph, GRAPH_KINDS))
        if self.false_value not in (0.0, -1.0):
            raise UsageError(f"false is coded {self.false_value}", fix="0 or -1")
        for name in ("p_positive", "p_important", "p_arc"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}", fix="a share between 0 and 1")
        if not 0 < self.mean_degree < self.n_nodes or self.n_features < 2:
            raise UsageError("the graph is too small", fix="more nodes than the mean degree, and two features or more")


@dataclass(frozen=True, eq=False)
class Instance:
    """One graph with features, the nodes to explain, and the truth: ``beta`` over features, ``important`` over arcs."""

    x: Float[Tensor, "n_nodes n_features"]
    edge_index: Int[Tensor, "2 n_arcs"]
    nodes: Int[np.ndarray, " n_targets"]
    beta: Float[Tensor, " n_features"]
    important: Bool[Tensor, " n_arcs"]
    seed: int

    @property
    def used(self) -> Bool[np.ndarray, " n_features"]:
        """Which features the white box uses."""
        return (self.beta != 0).numpy()


def generate(setting: Setting, seed: int) -> Instance:
    """The instance that the published benchmark has for this setting and seed.

    With ``signed`` each important feature then gets a random sign, drawn last; the published instances are unsigned.

    Raises:
        UsageError: a negative seed.
    """
    if seed < 0:
        raise UsageError(f"the seed is {seed}", fix="give a whole number from 0 up")
    rng = np.random.RandomState(seed)
    edge_index = _arcs(setting, random.Random(seed))
    x = (rng.random_sample((setting.n_nodes, setting.n_features)) < setting.p_positive).astype(np.float64)
    if setting.false_value == -1.0:
        x = 2 * x - 1
    return draw_truth(x, edge_index, rng, seed, setting.n_nodes, setting.p_important, setting.p_arc, setting.signed)


def draw_truth(
    x: Float[np.ndarray, "n_nodes n_features"],
    edge_index: Int[np.ndarray, "2 n_arcs"],
    rng: np.random.RandomState,
    seed: int,
    n_targets: int,
    p_important: float,
    p_arc: float = 0.5,
    signed: bool = False,
) -> Instance:
    """Draw which nodes are explained, which features count (not all, not none), and which arcs."""
    n_nodes, n_features = x.shape
    nodes = rng.choice(n_nodes, min(n_targets, n_nodes), replace=False)
    beta = np.zeros(n_features)
    while beta.all() or not beta.any():
        beta = (rng.random_sample(n_features) < p_important).astype(np.float64)
    important = rng.random_sample(edge_index.shape[1]) < p_arc
    if signed:
        beta *= rng.choice([-1.0, 1.0], n_features)
    return Instance(
        torch.from_numpy(x),
        torch.from_numpy(edge_index),
        nodes,
        torch.from_numpy(beta),
        torch.from_numpy(important),
        seed,
    )


def _arcs(setting: Setting, rng: random.Random) -> Int[np.ndarray, "2 n_arcs"]:
    """The graph's edges as two arcs each, sorted by source, then target."""
    import networkx as nx

    if setting.graph == "erdos-renyi":
        graph = nx.erdos_renyi_graph(setting.n_nodes, setting.mean_degree / setting.n_nodes, seed=rng)
    else:
        graph = nx.barabasi_albert_graph(setting.n_nodes, setting.mean_degree // 2, seed=rng)
    return both_ways(np.array(graph.edges, dtype=np.int64).reshape(-1, 2))


def both_ways(edges: Int[np.ndarray, "n_edges 2"]) -> Int[np.ndarray, "2 n_arcs"]:
    """Each edge as two arcs, without repeats, sorted by source, then target."""
    arcs = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    return np.ascontiguousarray(arcs.T)
