"""How a tree does: its statistics, the running ones at each level, and its leaves; as records too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Leaf:
    """One way out of a tree: its level, its decision, and the (weighted) cases that took it."""

    level: int
    positive: bool
    n: float
    n_positive: float

    @property
    def probability(self) -> float:
        """The share of positive cases by Laplace's rule, (k+1)/(n+2)."""
        return (self.n_positive + 1) / (self.n + 2)

    @property
    def n_right(self) -> float:
        """The cases that were decided as they are."""
        return self.n_positive if self.positive else self.n - self.n_positive


@dataclass(frozen=True)
class TreeScores:
    """How a tree does on the cases it was scored on; ``levels`` counts all cases decided up to each level."""

    statistics: Mapping[str, float]
    levels: tuple[Mapping[str, float | int], ...]
    leaves: tuple[Leaf, ...]
    base_rate: float

    @property
    def n(self) -> float:
        """The (weighted) number of cases."""
        return self.statistics["n"]

    def to_dict(self) -> dict[str, Any]:
        """The scores as JSON; what is undefined is null."""
        return {
            "statistics": _without_nan(self.statistics),
            "levels": [_without_nan(level) for level in self.levels],
            "leaves": [asdict(leaf) for leaf in self.leaves],
            "base_rate": self.base_rate,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> TreeScores:
        """The scores that `to_dict` wrote."""
        return cls(
            _with_nan(record["statistics"]),
            tuple(map(_with_nan, record["levels"])),
            tuple(Leaf(**leaf) for leaf in record["leaves"]),
            record["base_rate"],
        )


def _without_nan(statistics: Mapping[str, float | int]) -> dict[str, float | int | None]:
    return {name: None if math.isnan(value) else value for name, value in statistics.items()}


def _with_nan(statistics: Mapping[str, float | int | None]) -> dict[str, float | int]:
    return {name: math.nan if value is None else value for name, value in statistics.items()}
