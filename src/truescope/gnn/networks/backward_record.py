"""What autograd recorded of one run of a model, read as steps from the output back to the features.

An operation is recognised by its name in PyTorch's record and by the shapes around it; where either is not what is
expected, the step is `Whole`: autograd's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from truescope.gnn.networks.backward_steps import (
    Entrywise,
    Gather,
    Parts,
    Product,
    Reshape,
    Scatter,
    Spread,
    Step,
    Whole,
)

Place = tuple[int, int]
"""An operation's number in the record, and which of its outputs."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """One output of one operation: what it was, its step, and where the gradient of each slot goes."""

    place: Place
    name: str
    step: Step
    goes_to: dict[int, Place]
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def n_rows(self) -> int:
        """How many rows its output has; a single number has one."""
        return self.shape[0] if self.shape else 1


@dataclass(frozen=True, eq=False)
class BackwardRecord:
    """The operations between one output of a model and the features, the output's first; none where it is constant."""

    operations: tuple[Recorded, ...]
    start: Place | None
    end: Place
    end_shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def n_bytes(self) -> int:
        """The memory that autograd keeps for the steps that are its own: about each operation's input and output."""
        if not any(isinstance(o.step, Whole) for o in self.operations):
            return 0
        return sum(2 * math.prod(o.shape) * o.dtype.itemsize for o in self.operations)

    @property
    def outline(self) -> tuple[Any, ...]:
        """What two runs must share to be pulled back side by side."""
        return self.start, tuple((o.place, o.name, type(o.step), tuple(o.goes_to.items())) for o in self.operations)


def read_backward(outputs: Float[Tensor, "n_nodes n_classes"], x: Float[Tensor, "n d"]) -> BackwardRecord:
    """The record of ``outputs`` as far as it depends on ``x``, a leaf that wants a gradient."""
    leaf = get_gradient_edge(x)
    if outputs is x:
        return BackwardRecord((), (0, 0), (0, 0), tuple(x.shape), x.dtype)
    order = _ordered(outputs.grad_fn, leaf.node)
    numbers = {id(node): i for i, node in enumerate(order)}
    end = (numbers.get(id(leaf.node), -1), 0)
    start = None if not order or outputs.grad_fn is None else (numbers[id(outputs.grad_fn)], outputs.output_nr)
    used = set() if start is None else {start}
    found = []
    for i, node in enumerate(order):
        for place in sorted(p for p in used if p[0] == i and p != end):
            goes_to = {
                slot: (numbers[id(before)], number)
                for slot, (before, number) in enumerate(node.next_functions)
                if before is not None and id(before) in numbers
            }
            meta = node._input_metadata[place[1]]
            step = _step(node, place[1], goes_to)
            used.update(goes_to.values())
            found.append(Recorded(place, node.name(), step, goes_to, _shape(node, place[1]), meta.dtype))
    return BackwardRecord(tuple(found), start, end, tuple(x.shape), x.dtype)


def _ordered(first: Any, leaf: Any) -> list[Any]:
    """The operations between the output and the leaf, each before those that its gradient goes to."""
    done: list[Any] = []
    leads: dict[int, bool] = {}
    stack = [(first, False)] if first is not None else []
    kept = []
    while stack:
        node, left = stack.pop()
        if left:
            leads[id(node)] = node is leaf or any(leads.get(id(b), False) for b, _ in node.next_functions)
            if leads[id(node)]:
                done.append(node)
        elif id(node) not in leads:
            leads[id(node)] = False
            kept.append(node)  # or Python would make it anew, with another identity
            stack.append((node, True))
            stack += [(before, False) for before, _ in node.next_functions if before is not None]
    return done[::-1]


def _step(node: Any, number: int, slots: Iterable[int]) -> Step:
    shape = _shape(node, number)
    inputs = {slot: _shape(*node.next_functions[slot]) for slot in slots}
    read = _READERS.get(node.name())
    step = None
    if read is not None and shape and all(inputs.values()) and len(node._input_metadata) == 1:
        with torch.no_grad(), suppress(RuntimeError, AttributeError, TypeError, ValueError, IndexError):
            step = read(node, shape, inputs)  # what fails is another version of the operation: autograd knows it
    return step or Whole(node, number, shape, inputs)


Shapes = dict[int, tuple[int, ...]]
Reader = Callable[[Any, tuple[int, ...], Shapes], Step | None]


def _entrywise(node: Any, shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    ones = torch.ones([1] * len(shape), dtype=node._input_metadata[0].dtype)
    given = node(ones)
    given = given if isinstance(given, tuple) else (given,)
    return _by_factors({slot: given[slot] for slot in inputs}, shape, inputs)


def _expand(node: Any, shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    return _by_factors(dict.fromkeys(inputs, torch.ones([1] * len(shape))), shape, inputs)


def _normalisation(node: Any, shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    if node._saved_training or set(inputs) != {0}:
        return None
    one_row = node(torch.ones(shape, dtype=node._input_metadata[0].dtype))[0][:1]
    return _by_factors({0: one_row}, shape, inputs)


def _by_factors(factors: dict[int, Tensor], shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    kept: dict[int, Tensor | float] = {}
    summed = {}
    for slot, factor in factors.items():
        came = inputs[slot]
        fits = len(factor.shape) <= len(shape) and torch.broadcast_shapes(factor.shape, shape) == shape
        if not fits or len(came) != len(shape) or came[0] != shape[0]:
            return None
        kept[slot] = (
            float(factor) if factor.numel() == 1 else factor.reshape((1,) * (len(shape) - factor.dim()) + factor.shape)
        )
        summed[slot] = tuple(a for a in range(1, len(shape)) if came[a] == 1 and shape[a] != 1)
    return Entrywise(kept, summed)


def _product(node: Any, shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    slot = 1 if node.name() == "AddmmBackward0" else 0
    matrix = node._saved_mat2.detach()
    if set(inputs) != {slot} or matrix.layout != torch.strided:
        return None
    return Product(slot, matrix * node._saved_alpha if slot and node._saved_alpha != 1 else matrix)


def _reshape(node: Any, shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    same_rows = inputs[0][0] == shape[0] and math.prod(inputs[0]) == math.prod(shape)
    return Reshape(inputs[0][1:]) if same_rows and shape[0] else None


def _gather(node: Any, shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    n_in = inputs[0][0]
    if node.name() == "IndexBackward0":
        indices = [i for i in node._saved_indices if i is not None]
        if len(indices) != 1 or indices[0].dim() != 1 or node._saved_indices[0] is None:
            return None
        index = indices[0].nonzero()[:, 0] if indices[0].dtype == torch.bool else indices[0].long() % n_in
    elif _axis(node._saved_dim, len(inputs[0])) == 0:
        index = node._saved_index.long()
    else:
        return None
    return Gather(index, n_in) if shape[0] == len(index) else None


def _scatter(node: Any, shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    index, rest = node._saved_index, inputs.get(1, shape)[1:]
    by_row = index.dim() == 1 or all(n == 1 or s == 0 for n, s in zip(index.shape[1:], index.stride()[1:], strict=True))
    whole = index.dim() == 1 or tuple(index.shape[1:]) == rest
    n_in = inputs.get(1, (len(index),))[0]
    if _axis(node._saved_dim, len(shape)) or not by_row or not whole or n_in != len(index) or rest != shape[1:]:
        return None
    factor: Tensor | float = 1.0
    if node.name() == "ScatterReduceBackward0":
        if set(inputs) != {1}:
            return None
        factor = node(torch.ones(shape, dtype=node._input_metadata[0].dtype))[1]
    elif node.name() == "IndexAddBackward0" and node._saved_alpha != 1:
        factor = float(node._saved_alpha)
    return Scatter(index.reshape(len(index), -1)[:, 0].long(), shape[0], factor, tuple(inputs))


def _spread(node: Any, shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    came = inputs[0]
    axes = tuple(_axis(d, len(came)) for d in node._saved_dim)
    if 0 in axes or not axes:
        return None
    factor = 1 / math.prod(came[a] for a in axes) if node.name() == "MeanBackward1" else 1.0
    return Spread(came[1:], axes, bool(node._saved_keepdim), factor)


def _parts(node: Any, shape: tuple[int, ...], inputs: Shapes) -> Step | None:
    axis = _axis(node._saved_dim, len(shape))
    along = [-1 if a == axis else 1 for a in range(len(shape))]
    places = node(torch.arange(shape[axis], dtype=torch.float64).view(along).expand(shape))
    firsts = {slot: places[slot].select(axis, 0).flatten() for slot, came in inputs.items() if came[axis]}
    if len(firsts) < len(inputs) or not all(len(first) for first in firsts.values()):
        return None
    return Parts(axis, {slot: (int(firsts[slot][0]), came[axis]) for slot, came in inputs.items()})


def _shape(node: Any, number: int) -> tuple[int, ...]:
    return tuple(int(n) for n in node._input_metadata[number].shape)


def _axis(dim: int, n_axes: int) -> int:
    return (dim - 2**64 if dim >= 2**63 else dim) % n_axes


_ENTRYWISE = (
    *("Abs", "Add", "Alias", "Clamp", "Clone", "Div", "Elu", "Exp", "Gelu", "Hardtanh", "LeakyRelu", "Log", "Log1P"),
    *(
        "MaskedFill",
        "Mul",
        "NativeDropout",
        "Neg",
        "Pow",
        "Relu",
        "Rsqrt",
        "Sigmoid",
        "Silu",
        "Softplus",
        "Sqrt",
        "Sub",
    ),
    *("Tanh", "ToCopy", "Where"),
)
_READERS: dict[str, Reader] = {
    **{f"{name}Backward{i}": _entrywise for name in _ENTRYWISE for i in range(2)},
    **{f"{name}Backward0": _reshape for name in ("View", "UnsafeView", "ReshapeAlias", "Unsqueeze", "Squeeze")},
    "SqueezeBackward1": _reshape,
    "ExpandBackward0": _expand,
    "NativeBatchNormBackward0": _normalisation,
    "MmBackward0": _product,
    "AddmmBackward0": _product,
    "IndexSelectBackward0": _gather,
    "IndexBackward0": _gather,
    "ScatterAddBackward0": _scatter,
    "ScatterReduceBackward0": _scatter,
    "IndexAddBackward0": _scatter,
    "SumBackward1": _spread,
    "MeanBackward1": _spread,
    "CatBackward0": _parts,
}
