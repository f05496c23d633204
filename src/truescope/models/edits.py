"""Edits: an `Intervention` made ready for one tensor. All mistakes are found before the model runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from truescope.core.errors import InterventionError
from truescope.core.interventions import Intervention

_ROUTES = "positions index the queries and units the keys of an attention pattern"


@dataclass(frozen=True)
class Edit:
    """An intervention whose positions, units and value are checked against a site's shape; call it on the site's value.

    The value x[…, pos, units] comes back changed at the chosen positions and units, or, where nothing changes, as the
    very same tensor: a null edit is bit-exactly nothing.
    """

    intervention: Intervention
    positions: torch.Tensor | None
    units: torch.Tensor | None
    values: tuple[torch.Tensor, ...]
    """None of them, the value, or the two bounds of a clamp."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        positions = None if self.positions is None else self.positions.to(x.device)
        units = None if self.units is None else self.units.to(x.device)
        region = x
        if positions is not None:
            region = region.index_select(-2, positions)
        if units is not None:
            region = region.index_select(-1, units)
        new = _edited(self.intervention.kind, region, [bound.to(x) for bound in self.values])
        if torch.equal(new, region):
            return x
        if positions is None:
            return new if units is None else x.index_copy(-1, units, new)
        if units is None:
            return x.index_copy(-2, positions, new)
        out = x.clone()
        out[..., positions[:, None], units] = new
        return out


def _edited(kind: str, x: torch.Tensor, values: list[torch.Tensor]) -> torch.Tensor:
    if kind == "ablate_zero":
        return torch.zeros_like(x)
    if kind == "clamp":
        low, high = values
        return torch.minimum(torch.maximum(x, low), high)
    (value,) = values
    if kind == "add":
        return x + value
    if kind == "scale":
        return value * x
    if kind == "project_out":
        unit = value / value.norm(dim=-1, keepdim=True)
        return x - (x * unit).sum(-1, keepdim=True) * unit
    return value.expand_as(x).clone()


def bind(intervention: Intervention, shape: tuple[int, ...]) -> Edit:
    """Check an intervention against the shape [batch, …, pos, units] of what it edits and convert its value.

    The value broadcasts against the chosen region. An axis of the value that has the full length of the site's axis is
    cut to the chosen positions or units, so that another run's whole value can be patched in at a few positions.

    Raises:
        InterventionError: positions or units out of range or named twice, a value of a wrong shape, NaN.
    """
    kind, site = intervention.kind, intervention.site
    positions, units = _positions(intervention, shape[-2]), _units(intervention, shape[-1])
    chosen = tuple(n if i is None else len(i) for n, i in zip(shape[-2:], (positions, units), strict=True))
    region = (*shape[:-2], *chosen)
    raw = () if kind == "ablate_zero" else _bounds(intervention) if kind == "clamp" else (intervention.value,)
    values = []
    for item in raw:
        value = _tensor(intervention, item, infinite=kind == "clamp" or site.kind == "logits")
        for axis, index, n in ((-2, positions, shape[-2]), (-1, units, shape[-1])):
            if index is not None and value.dim() >= -axis and value.shape[axis] == n != len(index):
                value = value.index_select(axis, torch.tensor(index, dtype=torch.long, device=value.device))
        _check_shape(intervention, value, region, shape)
        values.append(value)
    if kind == "clamp" and bool((values[0] > values[1]).any()):
        raise InterventionError(f"clamp at {site} has its lower bound above its upper one", fix="write (low, high)")
    if kind == "project_out":
        _check_direction(intervention, values[0], shape[-1])
    index = [None if i is None else torch.tensor(i, dtype=torch.long) for i in (positions, units)]
    return Edit(intervention, index[0], index[1], tuple(values))


def _positions(intervention: Intervention, n: int) -> list[int] | None:
    positions, site = intervention.positions, intervention.site
    if positions is None:
        return None
    if isinstance(positions, slice):
        ends = [end for end in (positions.start, positions.stop) if end is not None]
        chosen = list(range(*positions.indices(n)))
        if any(not -n <= end <= n for end in ends) or not chosen:
            raise InterventionError(
                f"the span {positions.start}:{positions.stop} at {site} is not in the prompt",
                why=f"the prompt has {n} positions",
                fix=f"write a span between 0 and {n}",
            )
        return chosen
    return _indices(intervention, positions, n, "position", signed=True)


def _units(intervention: Intervention, n: int) -> list[int] | None:
    if intervention.units is None:
        return None
    return _indices(intervention, intervention.units, n, "unit", signed=False)


def _indices(intervention: Intervention, given: tuple[int, ...], n: int, noun: str, *, signed: bool) -> list[int]:
    where = f"{intervention.kind} at {intervention.site}"
    low = -n if signed else 0
    wrong = [i for i in given if not low <= i < n]
    if wrong:
        more = f" ({_ROUTES})" if intervention.site.kind == "attn_pattern" else ""
        raise InterventionError(
            f"{where}: there is no {noun} {wrong[0]}",
            why=f"there are {n} {noun}s{more}",
            fix=f"{noun}s go from {low} to {n - 1}",
        )
    chosen = [i % n for i in given]
    if len(set(chosen)) < len(chosen):
        twice = next(i for i in chosen if chosen.count(i) > 1)
        raise InterventionError(f"{where}: {noun} {twice} is named twice", fix=f"name each {noun} once")
    return chosen


def _tensor(intervention: Intervention, raw: Any, infinite: bool) -> torch.Tensor:
    where = f"the value of {intervention.kind} at {intervention.site}"
    try:
        value = raw.detach() if isinstance(raw, torch.Tensor) else torch.as_tensor(raw, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InterventionError(
            f"{where} is not a number, nested lists of numbers, or an array", why=f"{type(error).__name__}: {error}"
        ) from error
    if value.is_complex():
        raise InterventionError(f"{where} is complex", fix="give real numbers")
    if bool(torch.isnan(value).any()):
        raise InterventionError(f"{where} has NaN in it", fix="see where the NaN comes from; an edit cannot use it")
    if not infinite and bool(torch.isinf(value).any()):
        raise InterventionError(f"{where} is infinite", fix="only logits and bounds of clamp may be infinite")
    return value


def _check_shape(
    intervention: Intervention, value: torch.Tensor, region: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    try:
        fits = torch.broadcast_shapes(value.shape, region) == torch.Size(region)
    except RuntimeError:
        fits = False
    if not fits:
        axes = "[batch, heads, queries, keys]" if len(shape) == 4 else "[batch, pos, units]"
        raise InterventionError(
            f"the value of {intervention.kind} at {intervention.site} has shape {list(value.shape)}",
            why=f"it must broadcast against the chosen {axes} = {list(region)} of {list(shape)}",
            fix="give a number, one entry a unit, or the full shape",
        )


def _bounds(intervention: Intervention) -> tuple[Any, Any]:
    value = intervention.value
    if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        raise InterventionError(
            f"clamp at {intervention.site} needs two bounds, got {value!r:.80}",
            fix="write (low, high); ±inf is no bound",
        )
    low, high = value
    return (-torch.inf if low is None else low, torch.inf if high is None else high)


def _check_direction(intervention: Intervention, value: torch.Tensor, n: int) -> None:
    if value.dim() == 0 or value.shape[-1] != n:
        raise InterventionError(
            f"project_out at {intervention.site} needs a direction of {n} numbers, got shape {list(value.shape)}"
        )
    if bool((value.norm(dim=-1) == 0).any()):
        raise InterventionError(f"project_out at {intervention.site}: the direction is zero", fix="give a vector")
