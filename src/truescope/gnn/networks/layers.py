"""What one layer does, step by step: its weights and the arcs it was given, read as convolutions and gates.

    GCN          Ŝ H Wᵀ + b,  Ŝ normalised with loops
    SAGE         S H W₁ᵀ + H W₂ᵀ + b,  S a mean or a sum
    GraphConv    S H W₁ᵀ + H W₂ᵀ + b,  S the arcs' weights
    GIN          (A + (1 + ε) I) H, then its perceptron
    batch norm   a scale and a shift by channel, taken into the linear step before it where there is one
    pooling      every node gets what its group is pooled to, along no arc

What is linear only while something is held, is read where a run of the model is handed over (`Held`):

    GAT, GATv2   Σ_heads S_α H W_headᵀ + b,  S_α the attention coefficients of that run
    GINE         Σ_channels S_c H e_c e_cᵀ, S_c the arcs whose message relu(h_j + e) was not cut in channel c
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from truescope.gnn.networks.chain import Convolution, Gate, Head, Step, Term

_GATE_MODULES = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SELU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.SiLU, nn.ReLU6)
MAX_POOLED = 20_000_000
"""How many pairs of nodes of one group a pooling may have."""


class Unreadable(Exception):
    """A layer that is no convolution, gate or head."""


@dataclass
class Held:
    """What each message-passing layer was given in one run: its arcs (loops added) and what the messages are made of.

    ``names`` are the layers of which something was held constant.
    """

    calls: dict[nn.Module, list[tuple[Tensor, Mapping[str, Any]]]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, model: nn.Module, x: Tensor, edge_index: Tensor, arguments: Mapping[str, Any]) -> Held:
        """Run the model once and note it; its hooks are taken away by whoever called."""
        found = cls()

        def note(layer: nn.Module, given: tuple[Any, ...]) -> None:
            found.calls.setdefault(layer, []).append((given[0], given[2]))

        for module in model.modules():
            if isinstance(module, pyg.MessagePassing):
                module.register_propagate_forward_pre_hook(note)
        with torch.no_grad():
            model(x, edge_index, **arguments)
        return found

    def next(self, module: nn.Module, name: str) -> tuple[Tensor, Mapping[str, Any]]:
        """The layer's next call."""
        self.names.append(name)
        return self.calls[module].pop(0)


@dataclass(frozen=True)
class Call:
    """How a layer is called: on how many nodes, along which arcs, with which weights of arcs; and what may be held."""

    n_nodes: int
    edge_index: Tensor | None = None
    weight: Any = None
    held: Held | None = None

    @property
    def arcs(self) -> Tensor:
        """The arcs; a layer that passes messages asks for them."""
        if self.edge_index is None:
            raise Unreadable("it is called without arcs")
        return self.edge_index


def read_layer(module: nn.Module, name: str, call: Call) -> list[Step]:
    """The layer's steps. Raises Unreadable, with the reason."""
    if isinstance(module, nn.Dropout | nn.Identity):
        return []
    if isinstance(module, nn.Softmax | nn.LogSoftmax):
        return [Head(name, module)]
    if isinstance(module, _GATE_MODULES):
        # An in-place module would change the values that later steps are compared with.
        return [Gate(name, lambda h: module(h.clone()), isinstance(module, nn.ReLU))]
    if isinstance(module, nn.Sequential | pyg.MLP):
        return _children(module, name, call)
    if isinstance(module, nn.Linear | pyg.Linear):
        return [Convolution(name, (Term(None, _array(module.weight)),), _array(module.bias))]
    if isinstance(module, nn.BatchNorm1d | pyg.BatchNorm):
        return [_normalisation(module.module if isinstance(module, pyg.BatchNorm) else module, name)]
    if isinstance(module, pyg.MeanAggregation | pyg.SumAggregation):
        return [pooled(name, call.edge_index, call.n_nodes, isinstance(module, pyg.MeanAggregation))]
    if call.edge_index is None:
        raise Unreadable(f"{name} ({type(module).__name__}) is called without arcs")
    for kind, read in LAYERS.items():
        if type(module) is kind:
            return read(module, name, call)
    raise Unreadable(f"{name} is a {type(module).__name__}, whose steps this package does not know")


def fused(steps: list[Step]) -> list[Step]:
    """The steps with every scale by channel taken into the linear step before it: the same function.

    A batch norm on its own would send relevance to its shift. Guillemot and others (2020), arXiv:2009.14522.
    """
    found: list[Step] = []
    for step in steps:
        before = found[-1] if found else None
        if not isinstance(step, Scale) or not isinstance(before, Convolution):
            found.append(step)
            continue
        weights = step.terms[0].weights
        assert weights is not None  # a Scale is made of them
        scale = np.diagonal(weights)
        terms = tuple(
            Term(t.mixing, np.diag(scale) if t.weights is None else scale[:, None] * t.weights, t.along_arcs)
            for t in before.terms
        )
        bias = step.bias if before.bias is None else before.bias * scale + step.bias
        found[-1] = Convolution(before.name, terms, bias)
    return found


@dataclass(frozen=True, eq=False)
class Scale(Convolution):
    """A scale and a shift by channel: a batch norm."""


def pooled(name: str, group: Tensor | None, n_nodes: int, mean: bool) -> Convolution:
    """Every node gets the sum or the mean over its group; all nodes are one group where none are given."""
    member = np.zeros(n_nodes, np.int64) if group is None else group.numpy()
    sizes = np.bincount(member)
    if int((sizes.astype(np.int64) ** 2).sum()) > MAX_POOLED:
        raise Unreadable(
            f"{name} pools over {int(sizes.max()):,} nodes at once, and every pair of them would be a step"
        )
    one = sparse.csr_array((np.ones(n_nodes, np.float32), (np.arange(n_nodes), member)), shape=(n_nodes, len(sizes)))
    S = sparse.csr_array(one @ one.T)
    if mean:
        S = sparse.csr_array(sparse.diags_array((1 / sizes[member]).astype(np.float32)) @ S)
    return Convolution(name, (Term(S, None, along_arcs=False),))


def _children(module: Any, name: str, call: Call) -> list[Step]:
    if isinstance(module, pyg.MLP):
        children: list[nn.Module] = []
        for i, layer in enumerate(module.lins):
            children.append(layer)
            if i < len(module.norms):
                children += [module.norms[i], module.act]
            elif i + 1 < len(module.lins) or not module.plain_last:
                children.append(module.act)
    else:
        children = list(module)
    return [s for i, child in enumerate(children) for s in read_layer(child, f"{name}.{i}", Call(call.n_nodes))]


def _normalisation(norm: Any, name: str) -> Scale:
    if norm.running_mean is None or norm.running_var is None:
        raise Unreadable(f"{name} normalises by the batch: it keeps no running mean")
    scale = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
    shift = (0 if norm.bias is None else norm.bias) - norm.running_mean * scale
    return Scale(name, (Term(None, np.diag(_array(scale))),), _array(shift))


def _gcn(module: Any, name: str, call: Call) -> list[Step]:
    edge_index: Any = call.arcs
    weight, n_nodes = call.weight, call.n_nodes
    if module.normalize:
        dtype = module.lin.weight.dtype
        loops, improved = module.add_self_loops, module.improved
        edge_index, weight = gcn_norm(edge_index, weight, n_nodes, improved, loops, module.flow, dtype)
    S = adjacency(edge_index, weight, n_nodes, module.flow)
    return [Convolution(name, (Term(S, _array(module.lin.weight)),), _array(module.bias))]


def _sage(module: Any, name: str, call: Call) -> list[Step]:
    if module.aggr not in ("mean", "sum", "add") or module.normalize or module.project:
        raise Unreadable(f"{name} is a SAGEConv with aggregation {module.aggr}, normalisation or projection")
    S = _aggregation(module.aggr, adjacency(call.arcs, None, call.n_nodes, module.flow))
    terms = [Term(S, _array(module.lin_l.weight))]
    if module.root_weight:
        terms.append(Term(None, _array(module.lin_r.weight)))
    return [Convolution(name, tuple(terms), _array(module.lin_l.bias))]


def _graph_conv(module: Any, name: str, call: Call) -> list[Step]:
    if module.aggr not in ("mean", "sum", "add"):
        raise Unreadable(f"{name} aggregates by {module.aggr}")
    S = _aggregation(module.aggr, adjacency(call.arcs, call.weight, call.n_nodes, module.flow))
    terms = (Term(S, _array(module.lin_rel.weight)), Term(None, _array(module.lin_root.weight)))
    return [Convolution(name, terms, _array(module.lin_rel.bias))]


def _gin(module: Any, name: str, call: Call) -> list[Step]:
    A, n_nodes = adjacency(call.arcs, None, call.n_nodes, module.flow), call.n_nodes
    S = sparse.csr_array(A + sparse.identity(n_nodes, dtype="float32") * np.float32(1 + float(module.eps)))
    return [Convolution(name, (Term(S, None),)), *read_layer(module.nn, f"{name}.nn", Call(n_nodes))]


def _gat(module: Any, name: str, call: Call) -> list[Step]:
    if call.held is None:
        raise Unreadable(f"{name} is a {type(module).__name__}, whose attention depends on the features")
    arcs, given = call.held.next(module, name)
    linear: Any = module.lin if isinstance(module, pyg.GATConv) else module.lin_l
    heads, width = module.heads, module.out_channels
    weights, constant = _array(linear.weight), _array(linear.bias)
    terms, bias = [], 0 if module.bias is None else _array(module.bias)
    for head in range(heads):
        S = adjacency(arcs, given["alpha"].reshape(len(given["alpha"]), -1)[:, head], call.n_nodes, module.flow)
        rows = slice(head * width, (head + 1) * width)
        own = rows if module.concat else slice(None)
        out = np.zeros((heads * width if module.concat else width, weights.shape[1]), weights.dtype)
        out[own] = weights[rows] / (1 if module.concat else heads)
        terms.append(Term(S, out))
        if constant is not None:  # what is added to every sender reaches as much of the receiver as it attends to
            added = np.zeros(len(out), weights.dtype)
            added[own] = constant[rows] / (1 if module.concat else heads)
            bias = bias + np.asarray(S.sum(1)).reshape(-1, 1) * added
    if getattr(module, "res", None) is not None:
        terms.append(Term(None, _array(module.res.weight)))
        bias = bias if module.res.bias is None else bias + _array(module.res.bias)
    return [Convolution(name, tuple(terms), bias if isinstance(bias, np.ndarray) else None)]


def _gine(module: Any, name: str, call: Call) -> list[Step]:
    if call.held is None:
        raise Unreadable(f"{name} is a GINEConv, whose messages are cut by what the arcs bring")
    arcs, given = call.held.next(module, name)
    h = given["x"][0]
    with torch.no_grad():
        brought = given["edge_attr"] if module.lin is None else module.lin(given["edge_attr"])
    sources, targets = arcs if module.flow == "source_to_target" else arcs.flip(0)
    passed = (h[sources] + brought > 0).to(h.dtype)
    one = np.eye(h.shape[1], dtype=np.float32)
    terms = [
        Term(adjacency(arcs, passed[:, c], call.n_nodes, module.flow), np.outer(one[c], one[c]))
        for c in range(h.shape[1])
    ]
    terms.append(Term(None, (1 + float(module.eps)) * one))
    bias = torch.zeros_like(h).index_add_(0, targets, passed * brought)
    steps: list[Step] = [Convolution(name, tuple(terms), bias.numpy())]
    return [*steps, *read_layer(module.nn, f"{name}.nn", Call(call.n_nodes))]


def adjacency(edge_index: Tensor, weight: Tensor | None, n_nodes: int, flow: str) -> sparse.csr_array:
    """S [i, j] = the weight of the arc j→i, summed over parallel arcs."""
    sources, targets = (edge_index if flow == "source_to_target" else edge_index.flip(0)).numpy()
    values = np.ones(len(sources), np.float32) if weight is None else weight.detach().reshape(-1).numpy()
    return sparse.csr_array((values, (targets, sources)), shape=(n_nodes, n_nodes))


def _aggregation(name: str, A: sparse.csr_array) -> sparse.csr_array:
    if name != "mean":
        return A
    counts = np.maximum(np.diff(A.indptr), 1).astype(A.dtype)
    return sparse.csr_array((A.data / np.repeat(counts, np.diff(A.indptr)), A.indices, A.indptr), shape=A.shape)


def _array(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().numpy()


LAYERS: Mapping[type[nn.Module], Any] = {
    pyg.GCNConv: _gcn,
    pyg.SAGEConv: _sage,
    pyg.GraphConv: _graph_conv,
    pyg.GINConv: _gin,
    pyg.GATConv: _gat,
    pyg.GATv2Conv: _gat,
    pyg.GINEConv: _gine,
}
"""The layers that can be read, and how."""
