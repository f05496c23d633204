"""Gradients that are zero outside some rows, and their sums."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Rows:
    """A gradient that is zero outside the rows ``index``; a row may stand there more than once."""

    index: Int[Tensor, " n_rows"]
    values: Float[Tensor, "n_rows n_points *rest"]


def side_by_side(parts: list[Rows], n: int) -> Rows:
    """One gradient of ``n`` rows for each point, joined along the axis of points."""
    there = torch.zeros(n, dtype=torch.bool)
    for part in parts:
        there[part.index] = True
    rows = there.nonzero()[:, 0]
    place = torch.empty(n, dtype=torch.int64)
    place[rows] = torch.arange(len(rows))
    values = parts[0].values
    total = torch.zeros(len(rows), len(parts), *values.shape[2:], dtype=values.dtype)
    for p, part in enumerate(parts):
        total[:, p].index_add_(0, place[part.index], part.values[:, 0])
    return Rows(rows, total)


def stacked(parts: list[Tensor]) -> Rows:
    """Dense gradients of the points side by side, without the rows that are zero in all."""
    values = torch.stack(parts, 1)
    index = (values != 0).flatten(1).any(1).nonzero()[:, 0] if values[0].numel() else torch.arange(0)
    return Rows(index, values[index])


def collapsed(g: Rows, n: int) -> Rows:
    """Each row once: what stands at the same of the ``n`` rows is summed."""
    there = torch.zeros(n, dtype=torch.bool)
    there[g.index] = True
    rows = there.nonzero()[:, 0]
    if len(rows) == len(g.index) and bool((rows == g.index).all()):
        return g
    place = torch.empty(n, dtype=torch.int64)
    place[rows] = torch.arange(len(rows))
    total = torch.zeros(len(rows), *g.values.shape[1:], dtype=g.values.dtype)
    return Rows(rows, total.index_add_(0, place[g.index], g.values))


def added(a: Rows, b: Rows, n: int) -> Rows:
    """The sum of two gradients of a tensor of ``n`` rows."""
    if a.values.shape[1] != b.values.shape[1]:
        n_points = max(a.values.shape[1], b.values.shape[1])
        a, b = (Rows(g.index, g.values.expand(-1, n_points, *g.values.shape[2:])) for g in (a, b))
    if a.index is b.index:
        return Rows(a.index, a.values + b.values)
    return collapsed(Rows(torch.cat([a.index, b.index]), torch.cat([a.values, b.values])), n)
