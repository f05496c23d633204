"""How one operation that autograd recorded passes a gradient back, where only some rows of it are not zero.

A gradient of one node's output is zero at most nodes and arcs; autograd computes those zeros. Here each recorded
operation is read once as one of a few linear maps, which then pass on only the rows that matter:

    entrywise   g · factor                     the factor is what the operation makes of a gradient of ones
    product     g Mᵀ                           a linear map of each row
    gather      rows i of a node's tensor were copied to arcs: sum them up again
    scatter     rows of arcs were summed (or maximised …) at nodes: give each arc its node's gradient
    spread      a sum or mean over the columns of a row
    reshape     each row in another shape
    parts       a concatenation
    whole       anything else: all rows, by autograd itself

Nothing of the model is changed or replaced, and what is not recognised is autograd's own: user code and unknown
operations need no case of their own. The values have the axis of points (of integrated gradients) second.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.gnn.networks.rows import Rows, collapsed, stacked


class Step(ABC):
    """One recorded operation as a linear map from its output's gradient to the gradients of its inputs, by slot."""

    @abstractmethod
    def pull(self, g: Rows) -> dict[int, Rows]:
        """The gradient of each input that depends on the features."""

    @abstractmethod
    def data(self) -> tuple[Any, ...]:
        """The tensors and numbers that it depends on: two steps of one kind with equal data are the same map."""

    def same(self, other: Step) -> bool:
        """Whether ``other`` is the same map."""
        mine, theirs = self.data(), other.data()
        return type(self) is type(other) and len(mine) == len(theirs) and all(map(_equal, mine, theirs))

    @property
    def n_bytes(self) -> int:
        """The memory that its tensors take."""
        return sum(t.numel() * t.element_size() for t in self.data() if isinstance(t, Tensor))


@dataclass(frozen=True, eq=False)
class Entrywise(Step):
    """g · factor, summed over ``summed`` axes of a row where the input was broadcast; one factor for each slot."""

    factors: dict[int, Tensor | float]
    summed: dict[int, tuple[int, ...]]

    def pull(self, g: Rows) -> dict[int, Rows]:
        """g · factor at the rows."""
        return {slot: self.times(g, slot, at_rows(factor, g.index)) for slot, factor in self.factors.items()}

    def times(self, g: Rows, slot: int, factor: Tensor | float) -> Rows:
        """g · factor for one slot; ``factor`` is already cut to the rows, with an axis of points."""
        values = g.values if isinstance(factor, float) and factor == 1 else g.values * factor
        axes = self.summed[slot]
        return Rows(g.index, values.sum([a + 1 for a in axes], keepdim=True) if axes else values)

    def data(self) -> tuple[Any, ...]:
        """The factors."""
        return (tuple(self.factors), *self.factors.values(), self.summed)


def at_rows(factor: Tensor | float, index: Int[Tensor, " n_rows"]) -> Tensor | float:
    """A factor's rows with an axis of points; one row, or a number, stands for all."""
    if not isinstance(factor, Tensor):
        return factor
    return (factor if len(factor) == 1 else factor.index_select(0, index)).unsqueeze(1)


@dataclass(frozen=True, eq=False)
class Product(Step):
    """g Mᵀ."""

    slot: int
    matrix: Float[Tensor, "d_in d_out"]

    def pull(self, g: Rows) -> dict[int, Rows]:
        """g Mᵀ at the rows."""
        return {self.slot: Rows(g.index, g.values @ self.matrix.T)}

    def data(self) -> tuple[Any, ...]:
        """The matrix."""
        return self.slot, self.matrix


@dataclass(frozen=True, eq=False)
class Reshape(Step):
    """Each row in another shape."""

    row_shape: tuple[int, ...]

    def pull(self, g: Rows) -> dict[int, Rows]:
        """The same numbers."""
        return {0: Rows(g.index, g.values.reshape(*g.values.shape[:2], *self.row_shape))}

    def data(self) -> tuple[Any, ...]:
        """The shape of a row."""
        return (self.row_shape,)


@dataclass(frozen=True, eq=False)
class Gather(Step):
    """Row r came from row ``index[r]``."""

    index: Int[Tensor, " n_out"]
    n_in: int

    def pull(self, g: Rows) -> dict[int, Rows]:
        """Each row goes back to where it came from; what meets there is summed."""
        return {0: collapsed(Rows(self.index[g.index], g.values), self.n_in)}

    def data(self) -> tuple[Any, ...]:
        """Where rows came from."""
        return self.index, self.n_in


@dataclass(frozen=True, eq=False)
class Scatter(Step):
    """Row a of slot 1 went to row ``index[a]``, its gradient is that row's times a factor; slot 0 was there before."""

    index: Int[Tensor, " n_in"]
    n_out: int
    factor: Tensor | float
    slots: tuple[int, ...]

    @cached_property
    def sorted(self) -> tuple[Int[Tensor, " n_in"], Int[Tensor, " n_ends"]]:
        """The input rows in the order of their targets, and where each target's begin."""
        counts = torch.bincount(self.index, minlength=self.n_out)
        return self.index.argsort(stable=True), torch.cat([counts.new_zeros(1), counts.cumsum(0)])

    def pull(self, g: Rows) -> dict[int, Rows]:
        """Each target's gradient, at all rows that were sent to it."""
        found = {0: g} if 0 in self.slots else {}
        if 1 not in self.slots:
            return found
        order, begins = self.sorted
        first = begins[g.index]
        counts = begins[g.index + 1] - first
        which = torch.arange(len(counts)).repeat_interleave(counts)
        before = counts.cumsum(0) - counts
        rows = order[torch.arange(len(which)) + (first - before)[which]]
        values = g.values.index_select(0, which)
        factor = at_rows(self.factor, rows)
        found[1] = Rows(rows, values if isinstance(factor, float) and factor == 1 else values * factor)
        return found

    def data(self) -> tuple[Any, ...]:
        """Where rows went, and the factor."""
        return self.index, self.n_out, self.factor, self.slots


@dataclass(frozen=True, eq=False)
class Spread(Step):
    """The sum of a row over some of its axes, times a number (a mean)."""

    row_shape: tuple[int, ...]
    axes: tuple[int, ...]
    keeps_axes: bool
    factor: float

    def pull(self, g: Rows) -> dict[int, Rows]:
        """Every summand gets the sum's gradient."""
        values = g.values * self.factor if self.factor != 1 else g.values
        if not self.keeps_axes:
            for axis in sorted(self.axes):
                values = values.unsqueeze(axis + 1)
        return {0: Rows(g.index, values.expand(*g.values.shape[:2], *self.row_shape))}

    def data(self) -> tuple[Any, ...]:
        """Shape, axes and factor."""
        return self.row_shape, self.axes, self.keeps_axes, self.factor


@dataclass(frozen=True, eq=False)
class Parts(Step):
    """A concatenation along ``axis``: each slot's part begins somewhere and is so long."""

    axis: int
    parts: dict[int, tuple[int, int]]

    def pull(self, g: Rows) -> dict[int, Rows]:
        """Each slot's part."""
        if self.axis:
            cut = {s: g.values.narrow(self.axis + 1, first, n) for s, (first, n) in self.parts.items()}
            return {s: Rows(g.index, values) for s, values in cut.items()}
        found = {}
        for slot, (first, n) in self.parts.items():
            inside = (g.index >= first) & (g.index < first + n)
            found[slot] = Rows(g.index[inside] - first, g.values[inside])
        return found

    def data(self) -> tuple[Any, ...]:
        """Where the parts begin."""
        return self.axis, self.parts


@dataclass(frozen=True, eq=False)
class Whole(Step):
    """Any operation, by autograd's own formula, on all rows; ``node`` is autograd's."""

    node: Any
    number: int
    shape: tuple[int, ...]
    input_shapes: dict[int, tuple[int, ...]]

    def pull(self, g: Rows) -> dict[int, Rows]:
        """What autograd's backward of this one operation gives, without its rows of zeros, for each point."""
        back = [self._one(g.index, g.values[:, point]) for point in range(g.values.shape[1])]
        return {slot: stacked([found[slot] for found in back]) for slot in back[0]}

    def _one(self, index: Tensor, values: Tensor) -> dict[int, Tensor]:
        dense = torch.zeros(self.shape or (1,), dtype=values.dtype).index_add_(0, index, values).reshape(self.shape)
        # Not by autograd's engine: from one input to another of the same operation it would go on and count twice.
        own = isinstance(self.node, torch.autograd.function.BackwardCFunction)
        others = [None if not own else torch.zeros(tuple(m.shape), dtype=m.dtype) for m in self.node._input_metadata]
        given = [dense if place == self.number else other for place, other in enumerate(others)]
        grads = self.node.apply(*given) if own else self.node(*given)
        grads = grads if isinstance(grads, tuple) else (grads,)
        found = {}
        for slot, shape in self.input_shapes.items():
            if grads[slot] is not None:
                whole = grads[slot] if grads[slot].layout == torch.strided else grads[slot].to_dense()
                found[slot] = whole.sum_to_size(shape).reshape(shape or (1,))
        return found

    def data(self) -> tuple[Any, ...]:
        """Itself: no other record's operation is taken for the same."""
        return (id(self),)


def each_point(steps: list[Entrywise], g: Rows, weights: dict[int, list[float]]) -> dict[int, Rows]:
    """Each point's gradient times the point's own factors; a slot that has ``weights`` gets their weighted sum.

    Point by point: all points' products at once would not fit in a processor's cache.
    """
    found = {}
    several = g.values.shape[1] > 1
    for slot in steps[0].factors:
        parts: list[Tensor] = []
        for p, step in enumerate(steps):
            one = Rows(g.index, g.values[:, p : p + 1]) if several else g
            part = step.times(one, slot, at_rows(step.factors[slot], g.index)).values
            if slot not in weights:
                parts.append(part)
            elif p:
                parts[0].add_(part, alpha=weights[slot][p])
            else:
                parts = [part * weights[slot][p]]
        found[slot] = Rows(g.index, torch.cat(parts, 1))
    return found


def mean_factors(steps: list[Entrywise], weights: list[float]) -> Entrywise:
    """The weighted sum of the points' factors, for a gradient that is still the same at all points."""
    slots = steps[0].factors
    total = {slot: sum(w * step.factors[slot] for w, step in zip(weights, steps, strict=True)) for slot in slots}
    return Entrywise(total, steps[0].summed)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one is other or (one.shape == other.shape and torch.equal(one, other))
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return False
    return bool(one == other)
