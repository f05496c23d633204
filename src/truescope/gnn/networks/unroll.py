"""From a PyG model to a `Chain`: trace its forward pass, read the weights of the layers it calls, check the result.

A layer that is called twice is two steps. What cannot be read (attention, several branches, unknown layers) gives a
`NoChain` that says why; a chain whose output differs from the model's is never handed out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor, fx, nn
from torch_geometric import nn as pyg
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from truescope.gnn.networks.chain import Chain, Convolution, Gate, Head, Step, Term

TOLERANCE = 1e-4
"""The largest relative difference between a chain's output and the model's that rounding may make."""
_GATES = ("relu", "leaky_relu", "elu", "gelu", "selu", "tanh", "sigmoid", "softplus", "silu", "relu6")
_HEADS = ("softmax", "log_softmax")
_NOTHING = ("dropout", "feature_dropout", "contiguous")
_GATE_MODULES = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SELU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.SiLU, nn.ReLU6)


@dataclass(frozen=True)
class NoChain:
    """Why a model has no chain, and what then helps."""

    why: str
    fix: str = "use an explainer that only calls the model: saliency, integrated_gradients, occlusion, shapley"


class _Unreadable(Exception):
    pass


def unroll(
    model: nn.Module,
    x: Float[Tensor, "n_nodes n_features"],
    edge_index: Int[Tensor, "2 n_arcs"],
    arguments: Mapping[str, Any],
    outputs: Float[Tensor, "n_nodes n_classes"],
) -> Chain | NoChain:
    """The model's chain on this graph; a model can bring its own as a method ``chain(x, edge_index)``."""
    try:
        own = getattr(model, "chain", None)
        chain: Any = own(x, edge_index) if callable(own) else Chain(tuple(_steps(model, x, edge_index, arguments)))
        got = chain.values(x.numpy())[-1]
    except _Unreadable as reason:
        return NoChain(str(reason))
    except Exception as error:  # tracing a stranger's forward can fail in any way; the model itself may be fine
        return NoChain(f"its forward pass cannot be traced: {type(error).__name__}: {error}")
    gap = float(np.abs(got - outputs.numpy()).max() / max(1.0, float(outputs.abs().max())))
    return chain if gap <= TOLERANCE else NoChain(f"its steps as they were read give other outputs (by {gap:.1e})")


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m).__module__.startswith(("torch.nn", "torch_geometric.nn"))


def _steps(model: nn.Module, x: Tensor, edge_index: Tensor, arguments: Mapping[str, Any]) -> list[Step]:
    if isinstance(model, _READERS):
        return _read_module(model, "model", len(x), edge_index, arguments.get("edge_weight"))
    given = {**arguments}
    left_out = {"edge_weight": None, "edge_attr": None, "batch": None}
    names = _parameters(model)
    graph = _Tracer().trace(model, {n: left_out[n] for n in names if n in left_out and n not in given} or None)
    values: dict[fx.Node, Any] = {}
    current: fx.Node | None = None
    steps: list[Step] = []
    for node in graph.nodes:
        if node.op == "placeholder":
            values[node] = edge_index if len(values) == 1 else given.get(str(node.target))
            current = current or node
        elif node.op == "output":
            if node.args[0] is not current:
                raise _Unreadable("its output is not the last step")
        else:
            if not node.args or node.args[0] is not current:
                raise _Unreadable(f"{node.target} has another input than the step before (a branch, or a residual)")
            steps += _read_node(model, node, values, len(x))
            current = node
    if not steps:
        raise _Unreadable("it has no steps")
    return steps


def _parameters(model: nn.Module) -> list[str]:
    import inspect

    return list(inspect.signature(model.forward).parameters)


def _read_node(model: nn.Module, node: fx.Node, values: Mapping[fx.Node, Any], n_nodes: int) -> list[Step]:
    if node.op == "call_module":
        rest: list[Any] = [values[a] if isinstance(a, fx.Node) else a for a in node.args[1:]]
        named: dict[str, Any] = {k: values[a] if isinstance(a, fx.Node) else a for k, a in node.kwargs.items()}
        arcs = rest[0] if rest else named.get("edge_index")
        weight = rest[1] if len(rest) > 1 else named.get("edge_weight")
        return _read_module(model.get_submodule(str(node.target)), str(node.target), n_nodes, arcs, weight)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    name = name.rstrip("_")
    if name in _NOTHING:
        return []
    rest, named = list(node.args[1:]), {k: v for k, v in node.kwargs.items() if k != "inplace"}
    called = getattr(torch.nn.functional, name, None) or getattr(torch, name, None)
    if name in _HEADS and called is not None:
        return [Head(name, lambda z: called(z, dim=-1))]
    if name in _GATES and called is not None:
        return [Gate(name, lambda h: called(h, *rest, **named), name == "relu")]
    raise _Unreadable(f"the step {name!r} is not one this package can read")


def _read_module(module: nn.Module, name: str, n_nodes: int, edge_index: Tensor | None, weight: Any) -> list[Step]:
    if isinstance(module, nn.Dropout | nn.Identity):
        return []
    if isinstance(module, nn.Softmax | nn.LogSoftmax):
        return [Head(name, module)]
    if isinstance(module, _GATE_MODULES):
        # An in-place module would change the values that later steps are compared with.
        return [Gate(name, lambda h: module(h.clone()), isinstance(module, nn.ReLU))]
    if isinstance(module, nn.Sequential | pyg.MLP):
        return _read_children(module, name, n_nodes)
    if isinstance(module, nn.Linear | pyg.Linear):
        return [Convolution(name, (Term(None, _array(module.weight)),), _array(module.bias))]
    if isinstance(module, nn.BatchNorm1d | pyg.BatchNorm):
        return [_normalisation(module.module if isinstance(module, pyg.BatchNorm) else module, name)]
    if edge_index is None:
        raise _Unreadable(f"{name} ({type(module).__name__}) is called without arcs")
    for kind, read in _CONVOLUTIONS.items():
        if type(module) is kind:
            return read(module, name, n_nodes, edge_index, weight)
    raise _Unreadable(f"{name} is a {type(module).__name__}, whose steps this package does not know")


def _read_children(module: Any, name: str, n_nodes: int) -> list[Step]:
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
    return [s for i, child in enumerate(children) for s in _read_module(child, f"{name}.{i}", n_nodes, None, None)]


def _normalisation(norm: Any, name: str) -> Convolution:
    if norm.running_mean is None or norm.running_var is None:
        raise _Unreadable(f"{name} normalises by the batch: it keeps no running mean")
    scale = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
    shift = (0 if norm.bias is None else norm.bias) - norm.running_mean * scale
    return Convolution(name, (Term(None, np.diag(_array(scale))),), _array(shift))


def _gcn(module: Any, name: str, n_nodes: int, edge_index: Any, weight: Any) -> list[Step]:
    if module.normalize:
        dtype = module.lin.weight.dtype
        loops, improved = module.add_self_loops, module.improved
        edge_index, weight = gcn_norm(edge_index, weight, n_nodes, improved, loops, module.flow, dtype)
    S = adjacency(edge_index, weight, n_nodes, module.flow)
    return [Convolution(name, (Term(S, _array(module.lin.weight)),), _array(module.bias))]


def _sage(module: Any, name: str, n_nodes: int, edge_index: Tensor, weight: Tensor | None) -> list[Step]:
    if module.aggr not in ("mean", "sum", "add") or module.normalize or module.project:
        raise _Unreadable(f"{name} is a SAGEConv with aggregation {module.aggr}, normalisation or projection")
    S = _aggregation(module.aggr, adjacency(edge_index, None, n_nodes, module.flow))
    terms = [Term(S, _array(module.lin_l.weight))]
    if module.root_weight:
        terms.append(Term(None, _array(module.lin_r.weight)))
    return [Convolution(name, tuple(terms), _array(module.lin_l.bias))]


def _graph_conv(module: Any, name: str, n_nodes: int, edge_index: Tensor, weight: Tensor | None) -> list[Step]:
    if module.aggr not in ("mean", "sum", "add"):
        raise _Unreadable(f"{name} aggregates by {module.aggr}")
    S = _aggregation(module.aggr, adjacency(edge_index, weight, n_nodes, module.flow))
    terms = (Term(S, _array(module.lin_rel.weight)), Term(None, _array(module.lin_root.weight)))
    return [Convolution(name, terms, _array(module.lin_rel.bias))]


def _gin(module: Any, name: str, n_nodes: int, edge_index: Tensor, weight: Tensor | None) -> list[Step]:
    A = adjacency(edge_index, None, n_nodes, module.flow)
    S = sparse.csr_array(A + sparse.identity(n_nodes, dtype="float32") * np.float32(1 + float(module.eps)))
    return [Convolution(name, (Term(S, None),)), *_read_module(module.nn, f"{name}.nn", n_nodes, None, None)]


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


_CONVOLUTIONS = {pyg.GCNConv: _gcn, pyg.SAGEConv: _sage, pyg.GraphConv: _graph_conv, pyg.GINConv: _gin}
_READERS = (*_CONVOLUTIONS, nn.Sequential, nn.Linear, pyg.MLP)
