"""What an experiment on a group must beat: other groups matched to it, or random directions as large as what it writes.

Matched groups are drawn as for suppressions (`draw_controls`): of the same layers, count and activation size. A small
model may have too few units for that; there a *direction* is added to what each of the group's layers writes, random,
one for each control, and on each prompt and position of the norm of what the experiment changed there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float

from truescope.core.claims import ControlPlan
from truescope.core.errors import ClaimError
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.judge.controls import MATCHED_ON, draw_controls
from truescope.judge.experiments.bench import Bench, Group, Values
from truescope.statistics import UnitStatistics

DIRECTION_MATCHED_ON = ("layer", "position", "norm of what is written")
CONTROLS = {"units": ("random groups", MATCHED_ON), "directions": ("random directions", DIRECTION_MATCHED_ON)}
"""The kinds of stand-ins, with their name and what they are matched on."""

Change = Callable[[Group], Values]
"""The values that an experiment sets a group to."""


@dataclass(frozen=True)
class StandIn:
    """One stand-in: ``edits`` do to it what the experiment does to the group, ``held`` hold it where it was.

    A direction cannot be held: there what holding the group changes is as large as what setting it does, and the
    direction is added.
    """

    edits: Callable[[], list[Intervention]]
    held: Callable[[], list[Intervention]]


@dataclass(frozen=True)
class StandIns:
    """The stand-ins of a group, or the ``reason`` why there are none."""

    drawn: tuple[StandIn, ...] = ()
    reason: str = ""


def draw_stand_ins(
    bench: Bench, group: Group, plan: ControlPlan, change: Change, units: UnitStatistics | None = None
) -> StandIns:
    """Draw what ``plan`` names for a group that is set to ``change(group)``; ``units`` are for groups of units.

    Raises:
        ClaimError: matched groups were planned for a group that is not at the last position, where sizes are measured.
    """
    if plan.matched_on == DIRECTION_MATCHED_ON:
        return _directions(bench, group, plan, change(group))
    if units is None or group.positions != "last":
        raise ClaimError(
            "units are measured at the last position, the group is set at all of them",
            fix='say "controls": "directions"',
        )
    drawn = draw_controls(group.features, units, plan)
    if drawn.reason:
        return StandIns(reason=drawn.reason)
    others = [Group(features, group.positions, group.dictionary) for features in drawn.groups]
    return StandIns(tuple(_matched(bench, other, change) for other in others))


def _matched(bench: Bench, other: Group, change: Change) -> StandIn:
    return StandIn(lambda: other.edits(change(other)), lambda: other.edits(bench.values(other, bench.pairs.tokens)))


def _directions(bench: Bench, group: Group, plan: ControlPlan, values: Values) -> StandIns:
    norms = written_norms(bench, group, values)
    generator = torch.Generator().manual_seed(plan.seed)
    seeds = torch.randint(2**62, (plan.n,), generator=generator).tolist()
    where = (-1,) if group.positions == "last" else None

    def adding(seed: int) -> list[Intervention]:
        own = torch.Generator().manual_seed(seed)
        edits = []
        for site, norm in norms.items():
            direction = torch.randn(bench.model.d_model, generator=own)
            direction = (direction / direction.norm()).to(norm)
            edits.append(Intervention(site, "add", norm[..., None] * direction, positions=where))
        return edits

    return StandIns(tuple(StandIn(partial(adding, seed), partial(adding, seed)) for seed in seeds))


def written_norms(bench: Bench, group: Group, values: Values) -> dict[Site, Float[torch.Tensor, "rows set"]]:
    """The norm of what setting a group to values changes in what is added to the stream, by written site.

    Each layer is set by itself, so that a later one's change is its own.
    """
    found: dict[Site, torch.Tensor] = {}
    own = bench.values(group, bench.pairs.tokens) if group.dictionary is not None else {}
    for layer, value in values.items():
        if group.dictionary is None:
            site = Site("mlp_out", layer)
            written = {site: bench.read(site, group.edits({layer: value})) - bench.read(site)}
            written = {site: x[:, -1:] if group.positions == "last" else x for site, x in written.items()}
        else:
            change = value - own[layer]
            code = change.new_zeros(*change.shape[:2], group.dictionary.n_features(group.site(layer)))
            code[..., list(group.layers[layer])] = change
            written = group.dictionary.decode(group.site(layer), code)
        for site, x in written.items():
            norm = x.norm(dim=-1)
            found[site] = torch.hypot(found[site], norm) if site in found else norm
    return found


def stand_in_effects(bench: Bench, stand_ins: StandIns) -> Float[np.ndarray, "n_controls n"]:
    """Every stand-in's effects."""
    return np.stack([bench.effects(one.edits()) for one in stand_ins.drawn])
