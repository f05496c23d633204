"""The part of a graph that one node's output depends on, so that the model need not be run on all of it.

A network of k message-passing calls reads k hops; degrees that it normalises by reach one further. The part is taken
only where the model gives the node the same output on it as on the whole graph, with its features as they are and with
some of them taken away; elsewhere (a norm over all nodes, a virtual node) the whole graph is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from scipy import sparse
from scipy.sparse import csgraph
from torch import Tensor
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import k_hop_subgraph

from truescope.core.errors import ModelError
from truescope.gnn.networks.subject import Subject


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """One node's part of a graph: the model on it, which of its nodes is meant, and which arcs of the graph it has."""

    subject: Subject
    place: int
    arcs: Bool[np.ndarray, " n_arcs"]


def neighbourhood(subject: Subject, node: int) -> Neighbourhood:
    """The nodes within the hops that the model reads and one more, else the node's connected part, else the graph.

    Arguments of the model with a row for each node or arc are cut with it.
    """
    sources, targets = subject.edge_index.numpy()
    n, whole = subject.n_nodes, Neighbourhood(subject, node, np.ones(subject.n_arcs, dtype=bool))
    near = k_hop_subgraph(node, count_hops(subject) + 1, subject.edge_index, num_nodes=n)[0].numpy()
    adjacency = sparse.csr_array((np.ones(len(sources)), (sources, targets)), shape=(n, n))
    part_of = csgraph.connected_components(adjacency, directed=False)[1]
    for kept in (near, np.flatnonzero(part_of == part_of[node])):
        found = _part(subject, node, kept) if len(kept) < n else None
        if found is not None:
            return found
    return whole


def _part(subject: Subject, node: int, kept: Int[np.ndarray, " n_kept"]) -> Neighbourhood | None:
    """The model on the nodes that are ``kept``; None where it gives ``node`` another output there."""
    number = np.full(subject.n_nodes, -1)
    number[kept] = np.arange(len(kept))
    arcs = number[subject.edge_index.numpy()]
    inside = np.asarray((arcs >= 0).all(0))
    rows, which = torch.from_numpy(kept), torch.from_numpy(inside)
    arguments = _cut(subject.arguments, rows, which, subject.n_nodes, subject.n_arcs)
    edge_index = torch.from_numpy(arcs[:, inside])
    try:
        part = Subject(subject.model, subject.x[rows], edge_index, arguments=arguments)
    except ModelError:  # the model wants something of the whole graph
        return None
    found = Neighbourhood(part, int(number[node]), inside)
    return found if _same(subject, node, found) else None


def count_hops(subject: Subject) -> int:
    """How many message-passing calls one run of the model makes; a layer that is used twice counts twice."""
    calls = []
    with subject.running() as run, torch.no_grad():
        layers = [module for module in run.model.modules() if isinstance(module, MessagePassing)]
        handles = [layer.register_propagate_forward_pre_hook(lambda *_: calls.append(1)) for layer in layers]
        try:
            run(subject.x)
        finally:
            for handle in handles:
                handle.remove()
    return len(calls)


def _cut(arguments: Mapping[str, Any], kept: Tensor, inside: Tensor, n_nodes: int, n_arcs: int) -> dict[str, Any]:
    cut = {}
    for name, value in arguments.items():
        rows = len(value) if isinstance(value, Tensor) and value.dim() else -1
        cut[name] = value[kept] if rows == n_nodes else value[inside] if rows == n_arcs else value
    return cut


def _same(subject: Subject, node: int, part: Neighbourhood) -> bool:
    """Whether the node's output is the whole graph's, as it is and with every other feature taken away."""
    some = (torch.arange(subject.n_features) % 2).to(subject.x.dtype)
    with subject.running() as run, torch.no_grad():
        masked = run(subject.x * some)[node]
        there = part.subject
        mine = there.outputs[part.place]
    with there.running() as run, torch.no_grad():
        mine_masked = run(there.x * some)[part.place]
    pairs = ((mine, subject.outputs[node]), (mine_masked, masked))
    return all(torch.allclose(here, whole, rtol=1e-4, atol=1e-5) for here, whole in pairs)
