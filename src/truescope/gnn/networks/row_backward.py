"""The gradient of one node's output, at the rows where it is not zero, for one or several runs of a model at once.

The runs (the points of integrated gradients' path) differ in few of their operations. A gradient is carried once as
long as it has met none of them, once a point behind the first, and summed over the points as soon as all that is left
is the same for every point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from truescope.gnn.networks.backward_record import BackwardRecord, Place, Recorded
from truescope.gnn.networks.backward_steps import Entrywise, Step, at_rows, each_point, mean_factors
from truescope.gnn.networks.rows import Rows, added, collapsed, side_by_side

Rectifier = Callable[[Float[Tensor, "n_rows n_points *rest"], Tensor | float], Tensor]
"""What replaces the rule of a ReLU: of the gradient and the slope, both at the rows."""


class RowBackward:
    """Runs of one model with the same outline; the gradient of run p counts ``weights[p]`` times."""

    def __init__(self, record: BackwardRecord, weight: float) -> None:
        self.outline = record.outline
        self.start, self.end, self.end_shape, self.dtype = record.start, record.end, record.end_shape, record.dtype
        self.operations: tuple[Recorded, ...] = record.operations
        self.steps: dict[Place, list[Step]] = {o.place: [o.step] for o in record.operations}
        self.weights = [weight]
        self.n_bytes = record.n_bytes + sum(o.step.n_bytes for o in record.operations)
        self._n_rows = {o.place: o.n_rows for o in record.operations} | {self.end: record.end_shape[0]}
        self._dtypes = {o.place: o.dtype for o in record.operations} | {self.end: record.dtype}
        self._settled: dict[Place, bool] = {}
        self._means: dict[Place, Entrywise] = {}

    def add(self, record: BackwardRecord, weight: float) -> bool:
        """Take in another run; False where its outline is another."""
        if record.outline != self.outline:
            return False
        for operation in record.operations:
            steps = self.steps[operation.place]
            if len(steps) > 1 or not steps[0].same(operation.step):
                steps += [steps[0]] * (len(self.weights) - len(steps)) + [operation.step]
                self.n_bytes += operation.step.n_bytes
        self.n_bytes += record.n_bytes
        self.weights.append(weight)
        self._settled, self._means = {}, {}
        return True

    @torch.no_grad()
    def pull(self, node: int, target_class: int, n_classes: int, rectifier: Rectifier | None = None) -> Rows:
        """Σ_p weight_p ∂ output_p [node, target_class] / ∂ x at the rows where it may not be 0, [n_rows, 1, d]."""
        if not self._settled:
            self._settle()
        waiting: dict[Place, Rows] = {}
        if self.start is not None:
            one = torch.zeros(1, 1, n_classes, dtype=self.dtype)
            one[..., target_class] = 1
            self._send(waiting, self.start, Rows(torch.tensor([node]), one), summed=False)
        for operation in self.operations:
            g = waiting.pop(operation.place, None)
            if g is not None and len(g.index):
                for slot, (part, summed) in self._through(operation, g, rectifier).items():
                    self._send(waiting, operation.goes_to[slot], part, summed)
        nothing = Rows(torch.arange(0), torch.zeros(0, 1, *self.end_shape[1:], dtype=self.dtype))
        return collapsed(waiting.get(self.end, nothing), self.end_shape[0])

    def _settle(self) -> None:
        """From which operations on everything is the same at all points."""
        self._settled[self.end] = True
        for o in reversed(self.operations):
            self._settled[o.place] = len(self.steps[o.place]) == 1 and all(self._settled[p] for p in o.goes_to.values())

    def _send(self, waiting: dict[Place, Rows], place: Place, g: Rows, summed: bool) -> None:
        values = g.values.to(self._dtypes[place])
        if self._settled[place] and not summed:
            weights = torch.tensor(self.weights, dtype=values.dtype)
            if values.shape[1] == 1:
                values = values * float(weights.sum()) if self.weights != [1.0] else values
            else:
                values = (values.movedim(1, -1) @ weights).unsqueeze(1)
        g = Rows(g.index, values)
        waiting[place] = added(waiting[place], g, self._n_rows[place]) if place in waiting else g

    def _through(self, operation: Recorded, g: Rows, rectifier: Rectifier | None) -> dict[int, tuple[Rows, bool]]:
        """The gradients that an operation passes on, and whether they are sums over the points already."""
        steps, place = self.steps[operation.place], operation.place
        first = steps[0]
        if rectifier is not None and operation.name == "ReluBackward0" and isinstance(first, Entrywise):
            slope = at_rows(first.factors[0], g.index)
            return {0: (Rows(g.index, rectifier(g.values, slope)), self._settled[place])}
        if len(steps) == 1:
            return {slot: (part, self._settled[place]) for slot, part in first.pull(g).items()}
        ending = {slot: self.weights for slot, p in operation.goes_to.items() if self._settled[p]}
        if isinstance(first, Entrywise):
            entrywise = cast(list[Entrywise], steps)
            if len(ending) < len(operation.goes_to) or g.values.shape[1] > 1:
                found = each_point(entrywise, g, ending)
            else:
                if place not in self._means:
                    self._means[place] = mean_factors(entrywise, self.weights)
                found = self._means[place].pull(g)
            return {slot: (part, slot in ending) for slot, part in found.items()}
        every = g.values.expand(-1, len(steps), *g.values.shape[2:])
        pulled = [step.pull(Rows(g.index, every[:, p : p + 1])) for p, step in enumerate(steps)]
        n_rows = {slot: self._n_rows[operation.goes_to[slot]] for slot in pulled[0]}
        return {s: (side_by_side([one[s] for one in pulled], n), False) for s, n in n_rows.items()}
