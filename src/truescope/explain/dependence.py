"""What a unit's activation depends on, over a closed domain of two two-digit operands, and groups made of that.

Nothing here knows what the model is asked or answers: the input's digits and the unit's activations are all it sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from truescope.core.errors import UsageError
from truescope.core.features import Feature
from truescope.statistics import UnitStatistics, closed_sobol

BASE = 10
N_OPERANDS = BASE**2
"""Operands run from 0 to 99."""

DIGIT_PARTS: dict[str, tuple[str, str]] = {
    "units digits": ("first units", "second units"),
    "magnitude": ("first tens", "second tens"),
    "first operand": ("first tens", "first units"),
    "second operand": ("second tens", "second units"),
}
"""The parts of the input, each two of the four digits."""

PAIRS: tuple[tuple[str, str], ...] = (("units digits", "magnitude"), ("first operand", "second operand"))
"""Disjoint parts side by side: their closed indices add up to at most 1, so one of them explains more of a unit."""


def digits(first: Int[np.ndarray, " n"], second: Int[np.ndarray, " n"]) -> dict[str, Int[np.ndarray, " n"]]:
    """The four digits of each pair of operands by name.

    Raises:
        UsageError: an operand lies outside 0…99.
    """
    if min(first.min(), second.min()) < 0 or max(first.max(), second.max()) >= N_OPERANDS:
        raise UsageError(f"operands run from 0 to {N_OPERANDS - 1}", fix="give two-digit operands")
    return {
        "first tens": first // BASE,
        "first units": first % BASE,
        "second tens": second // BASE,
        "second units": second % BASE,
    }


def digit_dependence(
    activations: Float[np.ndarray, "n_prompts n_units"],
    first: Int[np.ndarray, " n_prompts"],
    second: Int[np.ndarray, " n_prompts"],
) -> dict[str, Float[np.ndarray, " n_units"]]:
    """The closed Sobol index of each unit for each part of `DIGIT_PARTS`, from any subset of the 100 × 100 prompts.

    S_u = Var(E[z | digits u]) / Var(z), bias-corrected and exact on the whole domain: see `closed_sobol`. The indices
    of the first two parts, and of the last two, add up to at most 1 on the whole domain; the rest is interaction.

    Raises:
        UsageError: an operand lies outside 0…99, a prompt is given twice, or there are too few prompts.
    """
    digit = digits(first, second)
    n_in_cell = np.full(BASE**2, N_OPERANDS**2 // BASE**2)
    return {
        part: closed_sobol(activations, digit[one] * BASE + digit[other], n_in_cell)
        for part, (one, other) in DIGIT_PARTS.items()
    }


@dataclass(frozen=True)
class GroupingRule:
    """Of each pair of disjoint parts in turn, a live unit is offered to the one whose closed index is larger.

    It belongs to that part if the index reaches ``threshold``; to ``unassigned`` when none does, and to ``silent`` when
    it is not live. A unit that reads only one digit of one operand goes to the digit, not to the operand, because the
    digits come first.
    """

    threshold: float = 0.5
    pairs: tuple[tuple[str, str], ...] = PAIRS

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0:
            raise UsageError(f"the threshold is a share of variance above 0, at most 1, not {self.threshold}")
        if unknown := set(self.parts) - set(DIGIT_PARTS):
            raise UsageError(
                f"no part of the input is called {', '.join(sorted(unknown))}",
                why=f"the parts are {', '.join(DIGIT_PARTS)}",
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts, in the order of the pairs."""
        return tuple(part for pair in self.pairs for part in pair)

    def to_json(self) -> dict[str, Any]:
        """A plain object that says the rule in full, to be stated in a claim."""
        return {
            "rule": "the larger bias-corrected closed Sobol index of the first pair in which it reaches the threshold",
            "threshold": self.threshold,
            "pairs": [list(pair) for pair in self.pairs],
            "parts": {part: list(DIGIT_PARTS[part]) for part in self.parts},
            "of": "the activation at the last position, over live units",
        }


@dataclass(frozen=True)
class Grouping:
    """Every unit in one named group, the rule that put it there, and how many prompts it was seen on.

    ``groups`` has every part of the rule, then ``unassigned`` and ``silent``; units are sorted in each.
    """

    rule: GroupingRule
    groups: dict[str, tuple[Feature, ...]]
    n: int

    @property
    def n_live(self) -> int:
        """How many units are in any group but ``silent``."""
        return sum(len(units) for name, units in self.groups.items() if name != "silent")

    def per_layer(self) -> dict[str, dict[int, int]]:
        """How many units of each layer each group has."""
        layers = sorted({unit.layer for units in self.groups.values() for unit in units})
        return {
            name: {layer: sum(unit.layer == layer for unit in units) for layer in layers}
            for name, units in self.groups.items()
        }

    def to_json(self) -> dict[str, Any]:
        """The rule, the number of prompts, and each group's units as "layer/index"."""
        groups = {name: [str(unit) for unit in units] for name, units in self.groups.items()}
        return {"rule": self.rule.to_json(), "n": self.n, "groups": groups}


def group_units(
    units: UnitStatistics,
    dependence: Mapping[str, Float[np.ndarray, " n_units"]],
    rule: GroupingRule | None = None,
) -> Grouping:
    """Put every unit in the group that `GroupingRule` says, from its dependence and nothing else.

    Raises:
        UsageError: a part of the rule was not measured.
    """
    rule = rule or GroupingRule()
    if missing := [part for part in rule.parts if part not in dependence]:
        raise UsageError(f"the dependence on {', '.join(missing)} was not measured")
    names = [*rule.parts, "unassigned"]
    choice = np.full(len(units.features), len(rule.parts))
    for pair in reversed(rule.pairs):
        index = np.stack([dependence[part] for part in pair])
        offered = np.array([rule.parts.index(part) for part in pair])[index.argmax(axis=0)]
        choice = np.where(index.max(axis=0) >= rule.threshold, offered, choice)
    groups: dict[str, list[Feature]] = {name: [] for name in [*names, "silent"]}
    for unit, which, live in zip(units.features, choice, units.live, strict=True):
        groups[names[which] if live else "silent"].append(unit)
    return Grouping(rule, {name: tuple(sorted(members)) for name, members in groups.items()}, units.n)
