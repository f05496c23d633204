"""Gradients of many targets from a few runs of any model, chain or not.

The model is run once a point, for all targets; autograd's record of the run is read (`backward_record`), and each
target is pulled back through it at the rows where its gradient is not zero (`row_backward`). The sum of some targets'
gradients is first compared with autograd's own: where they differ (hooks on gradients, which the record does not show)
or where the graph is so small that its rows are not worth choosing, all rows are computed, many targets in one batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import reduce

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.gnn.networks.backward_record import BackwardRecord, read_backward
from truescope.gnn.networks.row_backward import Rectifier, RowBackward
from truescope.gnn.networks.rows import added

Run = Callable[[int], tuple[Tensor, Tensor]]
"""From a point's number to the leaf that is differentiated by and the model's outputs."""
Gradients = Iterator[tuple[Int[np.ndarray, " n_rows"], Float[np.ndarray, "n_rows d"]]]
"""For each target: the rows where its gradient may differ from 0, and their values."""

_HELD = 1 << 27
"""How many numbers of gradients a batch of targets may hold."""
_RECORDED = 1 << 29
"""How many bytes the records of runs may hold at a time; where they are more, points are run again for each batch."""
_SMALL = 1 << 15
"""How many numbers an operation must put out, on average, for its rows to be worth choosing."""
_N_COMPARED = 4
_TOLERANCES = {torch.float64: 1e-8}
_TOLERANCE = 1e-4
"""The largest difference from autograd's gradient, relative to its largest entry, that rounding may make."""


class AnyModel:
    """The gradients of outputs of a model that can be run at as many points as there are ``weights``.

    ``running`` is a block in which the model may be run: it gives the function from a point to (leaf, outputs).
    """

    def __init__(
        self, running: Callable[[], AbstractContextManager[Run]], weights: Float[np.ndarray, " n_points"]
    ) -> None:
        self.running, self.weights = running, weights

    def gradients(self, chosen: Int[np.ndarray, " n_targets"], classes: Int[np.ndarray, " n_targets"]) -> Gradients:
        """Σ_p weight_p ∂ outputs_p [node, class] / ∂ leaf_p of each target."""
        if self._by_rows(chosen, classes, small=False):
            return self._pulled(chosen, classes)
        return self._all_rows(chosen, classes)

    def rectified(
        self, chosen: Int[np.ndarray, " n_targets"], classes: Int[np.ndarray, " n_targets"], rectifier: Rectifier
    ) -> Gradients | None:
        """The same with another rule for ReLUs; None where the record cannot be relied on."""
        if not self._by_rows(chosen, classes, small=True):
            return None
        return self._pulled(chosen, classes, rectifier)

    def _by_rows(self, chosen: np.ndarray, classes: np.ndarray, small: bool) -> bool:
        """Whether the record at the middle point gives autograd's gradients, and is worth reading."""
        some = np.unique(np.linspace(0, len(chosen) - 1, _N_COMPARED).astype(int))
        with self.running() as run:
            leaf, outputs = run(len(self.weights) // 2)
            record = read_backward(outputs, leaf)
            if not small and sum(math.prod(o.shape) for o in record.operations) < _SMALL * len(record.operations):
                return False
            picked = outputs[torch.from_numpy(chosen[some]), torch.from_numpy(classes[some])]
            true = leaf_gradients(picked.sum()[None], leaf)[0]
            recorded = _Recorded()
            recorded.add(record, 1.0, outputs.shape[1])
            try:
                own = recorded.total(chosen[some], classes[some])
            except RuntimeError:
                return False
        largest = float(true.abs().nan_to_num().max()) if true.numel() else 0.0
        tolerance = largest * _TOLERANCES.get(true.dtype, _TOLERANCE)
        return torch.allclose(torch.from_numpy(own), true, rtol=0, atol=tolerance, equal_nan=True)

    def _pulled(self, chosen: np.ndarray, classes: np.ndarray, rectifier: Rectifier | None = None) -> Gradients:
        recorded, first = self._record(0)
        if first == len(self.weights):
            for node, target in zip(chosen, classes, strict=True):
                yield recorded.pull(int(node), int(target), rectifier)
            return
        for number, batch in enumerate(_batches(len(chosen), math.prod(recorded.shape))):
            total = np.zeros((len(chosen[batch]), *recorded.shape), recorded.dtype)
            recorded, first = self._record(0) if number else (recorded, first)
            while True:
                for place, (node, target) in enumerate(zip(chosen[batch], classes[batch], strict=True)):
                    rows, values = recorded.pull(int(node), int(target), rectifier)
                    total[place, rows] += values
                if first == len(self.weights):
                    break
                recorded, first = self._record(first)
            for g in total:
                yield np.arange(len(g)), g

    def _record(self, first: int) -> tuple[_Recorded, int]:
        """Run points from ``first`` on, as many as may be held; and which is the next."""
        recorded = _Recorded()
        with self.running() as run:
            while first < len(self.weights) and recorded.n_bytes < _RECORDED:
                leaf, outputs = run(first)
                recorded.add(read_backward(outputs, leaf), float(self.weights[first]), outputs.shape[1])
                first += 1
        return recorded, first

    def _all_rows(self, chosen: np.ndarray, classes: np.ndarray) -> Gradients:
        first = 0
        while first < len(chosen):
            total: Tensor | None = None
            with self.running() as run:
                for point, weight in enumerate(self.weights):
                    leaf, outputs = run(point)
                    batch = slice(first, first + max(1, _HELD // max(1, leaf.numel())))
                    picked = outputs[torch.from_numpy(chosen[batch]), torch.from_numpy(classes[batch])]
                    part = float(weight) * leaf_gradients(picked, leaf)
                    total = part if total is None else total + part
            assert total is not None
            first += len(total)
            for g in total.numpy():
                yield np.arange(len(g)), g


class _Recorded:
    """Records of several points: those of one outline side by side."""

    def __init__(self) -> None:
        self.groups: list[RowBackward] = []
        self.n_classes = 0

    @property
    def n_bytes(self) -> int:
        return sum(group.n_bytes for group in self.groups)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.groups[0].end_shape

    @property
    def dtype(self) -> np.dtype:
        return torch.zeros(0, dtype=self.groups[0].dtype).numpy().dtype

    def add(self, record: BackwardRecord, weight: float, n_classes: int) -> None:
        self.n_classes = n_classes
        if not any(group.add(record, weight) for group in self.groups):
            self.groups.append(RowBackward(record, weight))

    def pull(self, node: int, target: int, rectifier: Rectifier | None) -> tuple[np.ndarray, np.ndarray]:
        parts = [group.pull(node, target, self.n_classes, rectifier) for group in self.groups]
        total = reduce(lambda a, b: added(a, b, self.shape[0]), parts)
        return total.index.numpy(), total.values[:, 0].numpy()

    def total(self, nodes: np.ndarray, classes: np.ndarray) -> np.ndarray:
        total = np.zeros(self.shape, self.dtype)
        for node, target in zip(nodes, classes, strict=True):
            rows, values = self.pull(int(node), int(target), None)
            total[rows] += values
        return total


def _batches(n_targets: int, n_numbers: int) -> Iterator[slice]:
    size = max(1, _HELD // max(1, n_numbers))
    return (slice(start, start + size) for start in range(0, n_targets, size))


def leaf_gradients(outputs: Float[Tensor, " n_targets"], x: Float[Tensor, "n d"]) -> Float[Tensor, "n_targets n d"]:
    """Each output's gradient by a leaf: one batched backward pass, or one each where an operation cannot be batched."""
    if not outputs.requires_grad:
        return torch.zeros(len(outputs), *x.shape, dtype=x.dtype)
    one_each = torch.eye(len(outputs), dtype=outputs.dtype)
    try:
        found = torch.autograd.grad(outputs, x, one_each, is_grads_batched=True, retain_graph=True, allow_unused=True)
        grads = found[0]
    except RuntimeError:
        single = [torch.autograd.grad(o, x, retain_graph=True, allow_unused=True)[0] for o in outputs]
        grads = None if single[0] is None else torch.stack(single)
    return torch.zeros(len(outputs), *x.shape, dtype=x.dtype) if grads is None else grads
