"""Random groups of units that a claimed group must beat: of the same layers, counts and activation sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from truescope.core.claims import ControlPlan
from truescope.core.errors import ClaimError, nearest
from truescope.core.features import Feature
from truescope.statistics import UnitStatistics

MATCHED_ON = ("layer", "count", "activation size")
"""What a random group has in common with the group that it is drawn for."""

NEIGHBOURS = 8
"""A group's unit is matched by one of this many unused units nearest to it in log activation size."""

SIZE_TOLERANCE = 2.0
"""Controls whose summed activation size in some layer is off by more than this factor are no match."""

_TRIES_PER_CONTROL = 50


@dataclass(frozen=True)
class Controls:
    """The drawn groups, or the reason why none could be drawn.

    ``size_ratio`` is, for each layer, the controls' mean summed activation size over the group's. ``spread`` is how
    much less the controls vary among themselves than an ordinary group varies around them (see `_Pool.spread`): 1 where
    they are drawn from very many, more where the group is a large part of its layer, infinite from one half on.
    """

    groups: tuple[tuple[Feature, ...], ...] = ()
    size_ratio: tuple[tuple[int, float], ...] = ()
    reason: str = ""
    spread: float = 1.0


def check_units(features: Iterable[Feature], units: UnitStatistics) -> None:
    """See that the features are among the measured units.

    Raises:
        ClaimError: one is not; the nearest ones are named.
    """
    known = units.index
    for feature in features:
        if feature not in known:
            raise ClaimError(
                f"unit {feature} was not measured",
                why=f"{len(known)} units were",
                fix=nearest(str(feature), map(str, known)) or "measure every unit that a claim names",
            )


def draw_controls(group: Sequence[Feature], units: UnitStatistics, plan: ControlPlan) -> Controls:
    """Draw ``plan.n`` different random groups, each matched to ``group`` unit by unit and disjoint from it.

    In each layer, the group's units are taken in random order; each is matched by a live unit of the same layer outside
    the group, drawn from the `NEIGHBOURS` unused ones whose log mean |activation| is nearest. So a control has the
    group's count in every layer, and about its activation sizes. When a layer has too few other live units, when fewer
    than ``plan.n`` different groups exist, or when the sizes cannot be matched within `SIZE_TOLERANCE`, no control is
    drawn and the reason is given.

    Raises:
        ClaimError: a unit of the group was not measured.
    """
    check_units(group, units)
    if not group:
        return Controls(reason="the group is empty")
    pools = [_Pool.of(layer, group, units) for layer in sorted({feature.layer for feature in group})]
    for pool in pools:
        if len(pool.others) < len(pool.members):
            return Controls(
                reason=f"layer {pool.layer} has {len(pool.members)} units in the group "
                f"and only {len(pool.others)} other live ones to draw a control from"
            )
    rng = np.random.default_rng(plan.seed)
    drawn: dict[tuple[int, ...], None] = {}
    for _ in range(_TRIES_PER_CONTROL * plan.n):
        chosen = np.concatenate([pool.draw(rng) for pool in pools])
        drawn[tuple(sorted(int(i) for i in chosen))] = None
        if len(drawn) == plan.n:
            break
    if len(drawn) < plan.n:
        return Controls(reason=f"only {len(drawn)} different matched groups were found, the claim asks for {plan.n}")
    ratios = tuple((pool.layer, pool.size_ratio(drawn, units)) for pool in pools)
    for layer, ratio in ratios:
        if not 1 / SIZE_TOLERANCE <= ratio <= SIZE_TOLERANCE:
            return Controls(
                size_ratio=ratios,
                reason=f"in layer {layer} the other live units are {ratio:.2g} times as active as the group: no match",
            )
    groups = tuple(tuple(units.features[i] for i in chosen) for chosen in drawn)
    return Controls(groups, ratios, spread=max(pool.spread for pool in pools))


@dataclass(frozen=True, eq=False)
class _Pool:
    """One layer's units of the group (``members``) and outside it (``others``), as columns, with log sizes."""

    layer: int
    members: np.ndarray
    others: np.ndarray
    distance: np.ndarray

    @staticmethod
    def of(layer: int, group: Sequence[Feature], units: UnitStatistics) -> _Pool:
        inside = set(group)
        here = [i for i, feature in enumerate(units.features) if feature.layer == layer]
        members = np.array([i for i in here if units.features[i] in inside])
        others = np.array([i for i in here if units.features[i] not in inside and units.live[i]], dtype=int)
        size = np.log(np.maximum(units.size, np.finfo(np.float64).tiny))
        return _Pool(layer, members, others, np.abs(size[members][:, None] - size[others][None, :]))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Columns of other units, one for each member."""
        # Shuffled, so that units of exactly the same size are equally likely to count as near.
        shuffled = rng.permutation(len(self.others))
        others, distance = self.others[shuffled], self.distance[:, shuffled]
        chosen = np.empty(len(self.members), dtype=int)
        for rank, member in enumerate(rng.permutation(len(self.members))):
            n_near = min(NEIGHBOURS, len(others) - rank)
            near = np.argpartition(distance[member], n_near - 1)[:n_near]
            pick = int(rng.choice(near))
            chosen[rank] = others[pick]
            distance[:, pick] = np.inf
        return chosen

    @property
    def spread(self) -> float:
        """√(n / (n − 2k)) · √((m + 1) / (m − 3)): a group's spread around its controls over theirs, if effects add up.

        A group of k of the n units and a control of k of the other n − k do not overlap, so their effects are pushed
        apart; and a control's units come from m neighbours of each member, around which the member lies as Student's t
        with m − 1 degrees of freedom. Without this, one ordinary group in eight would look extreme where it is a
        quarter of its layer.
        """
        k, n = len(self.members), len(self.members) + len(self.others)
        near = min(NEIGHBOURS, len(self.others))
        if n <= 2 * k or near < 4:
            return float("inf")
        return float(np.sqrt(n / (n - 2 * k) * (near + 1) / (near - 3)))

    def size_ratio(self, drawn: Iterable[tuple[int, ...]], units: UnitStatistics) -> float:
        here = set(self.others.tolist())
        totals = [sum(units.size[i] for i in chosen if i in here) for chosen in drawn]
        return float(np.mean(totals) / max(float(units.size[self.members].sum()), np.finfo(np.float64).tiny))
