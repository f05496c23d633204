"""From a PyG model to a `Chain`: trace its forward pass, read the layers it calls (`layers`), check the result.

A layer that is called twice is two steps. What cannot be read (several branches, unknown layers) gives a `NoChain` that
says why; a chain whose output differs from the model's is never handed out. With ``hold`` what makes a layer non-linear
in its messages (attention coefficients) is held at its value on this graph: the chain then has the model's output here,
but not its gradient, and says what was held.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch_geometric
from jaxtyping import Float, Int
from torch import Tensor, fx, nn
from torch_geometric.nn.pool import glob
from torch_geometric.utils import scatter

from truescope.gnn.networks.chain import Chain, Gate, Head, Step
from truescope.gnn.networks.layers import LAYERS, Call, Held, Unreadable, fused, pooled, read_layer

TOLERANCE = 1e-4
"""The largest relative difference between a chain's output and the model's that rounding may make."""
_GATES = ("relu", "leaky_relu", "elu", "gelu", "selu", "tanh", "sigmoid", "softplus", "silu", "relu6")
_HEADS = ("softmax", "log_softmax")
_NOTHING = ("dropout", "feature_dropout", "contiguous")
_POOLS = {"mean": True, "sum": False, "add": False}
_READERS = (*LAYERS, nn.Sequential, nn.Linear, torch_geometric.nn.MLP)


@dataclass(frozen=True)
class NoChain:
    """Why a model has no chain, and what then helps."""

    why: str
    fix: str = "use an explainer that only calls the model: saliency, integrated_gradients, occlusion, shapley"


def unroll(
    model: nn.Module,
    x: Float[Tensor, "n_nodes n_features"],
    edge_index: Int[Tensor, "2 n_arcs"],
    arguments: Mapping[str, Any],
    outputs: Float[Tensor, "n_nodes n_classes"],
    *,
    hold: bool = False,
) -> Chain | NoChain:
    """The model's chain on this graph; a model can bring its own as a method ``chain(x, edge_index)``."""
    try:
        own = getattr(model, "chain", None)
        if callable(own):
            chain: Any = own(x, edge_index)
        else:
            held = Held.of(model, x, edge_index, arguments) if hold else None
            steps = tuple(fused(_steps(model, x, edge_index, arguments, held)))
            chain = Chain(steps, held=tuple(dict.fromkeys(held.names)) if held else ())
        got = chain.values(x.numpy())[-1]
    except Unreadable as reason:
        return NoChain(str(reason))
    except Exception as error:  # tracing a stranger's forward can fail in any way; the model itself may be fine
        return NoChain(f"its forward pass cannot be traced: {type(error).__name__}: {error}")
    gap = float(np.abs(got - outputs.numpy()).max() / max(1.0, float(outputs.abs().max())))
    return chain if gap <= TOLERANCE else NoChain(f"its steps as they were read give other outputs (by {gap:.1e})")


class _Tracer(fx.Tracer):
    """Layers are taken whole, and so is the function that every pooling ends in."""

    def __init__(self) -> None:
        super().__init__(autowrap_functions=(scatter,))
        self._autowrap_search.append(glob)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m).__module__.startswith(("torch.nn", "torch_geometric.nn"))


def _steps(
    model: nn.Module, x: Tensor, edge_index: Tensor, arguments: Mapping[str, Any], held: Held | None
) -> list[Step]:
    n_nodes = len(x)
    if isinstance(model, _READERS):
        weight = arguments.get("edge_weight", arguments.get("edge_attr"))
        return read_layer(model, "model", Call(n_nodes, edge_index, weight, held))
    given = {**arguments}
    left_out = {"edge_weight": None, "edge_attr": None, "batch": None}
    names = list(inspect.signature(model.forward).parameters)
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
                raise Unreadable("its output is not the last step")
        else:
            if not node.args or node.args[0] is not current:
                raise Unreadable(f"{node.target} has another input than the step before (a branch, or a residual)")
            steps += _read_node(model, node, values, n_nodes, held)
            current = node
    if not steps:
        raise Unreadable("it has no steps")
    return steps


def _read_node(
    model: nn.Module, node: fx.Node, values: Mapping[fx.Node, Any], n_nodes: int, held: Held | None
) -> list[Step]:
    rest: list[Any] = [values[a] if isinstance(a, fx.Node) else a for a in node.args[1:]]
    named: dict[str, Any] = {k: values[a] if isinstance(a, fx.Node) else a for k, a in node.kwargs.items()}
    if node.op == "call_module":
        arcs = rest[0] if rest else named.get("edge_index", named.get("index"))
        weight = rest[1] if len(rest) > 1 else named.get("edge_weight", named.get("edge_attr"))
        call = Call(n_nodes, arcs, weight, held)
        return read_layer(model.get_submodule(str(node.target)), str(node.target), call)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    name = name.rstrip("_")
    if name in _NOTHING:
        return []
    if name == "scatter" and named.get("reduce") in _POOLS and rest and isinstance(rest[0], Tensor):
        return [pooled("pool", rest[0], n_nodes, _POOLS[named["reduce"]])]
    if name == "getitem" and isinstance(rest[0], Tensor):
        # A pooled row handed back to every node of its group: every node has it already. Where the index is anything
        # else, the chain's output differs from the model's and is not handed out.
        return []
    named.pop("inplace", None)
    called = getattr(torch.nn.functional, name, None) or getattr(torch, name, None)
    if name in _HEADS and called is not None:
        return [Head(name, lambda z: called(z, dim=-1))]
    if name in _GATES and called is not None:
        return [Gate(name, lambda h: called(h, *rest, **named), name == "relu")]
    raise Unreadable(f"the step {name!r} is not one this package can read")
