"""`Fact`: something known of a trained model, as data that can be checked: a measure, a part, and a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from truescope.core.claims import Score
from truescope.core.errors import UsageError, nearest
from truescope.statistics import bootstrap_interval


@dataclass(frozen=True)
class Fact:
    """``statement`` in words; ``measure`` names how it is measured, on ``head`` (layer, index) where it is about one.

    It holds where the whole interval of the measured mean is at least ``at_least``.
    """

    statement: str
    measure: str
    at_least: float
    head: tuple[int, int] | None = None


Measure = Callable[[Any, tuple[int, int] | None], Float[torch.Tensor, " case"]]
"""From a model and a head to one number for each independent case."""


@dataclass(frozen=True)
class CheckedFact:
    """A fact, what was measured, and whether it holds."""

    fact: Fact
    score: Score

    @property
    def holds(self) -> bool:
        """Whether the lower end of the 95 % interval reaches the bound."""
        return self.score.low >= self.fact.at_least

    def as_json(self) -> dict[str, object]:
        """The fact and what was measured, for `card.json`."""
        return asdict(self.fact) | {"measured": self.score.value, "low": self.score.low, "n": self.score.n}

    def __str__(self) -> str:
        s = self.score
        held = "holds" if self.holds else "does not hold"
        return f"{held}: {self.fact.statement} ({s.name} {s.value:.3f}, {s.low:.3f}–{s.high:.3f}, n {s.n})"


def check_fact(fact: Fact, model: Any, measures: Mapping[str, Measure], seed: int = 0) -> CheckedFact:
    """Measure a fact on a model: the mean over cases with its bootstrap interval.

    Raises:
        UsageError: no measure has the fact's name.
    """
    if fact.measure not in measures:
        raise UsageError(f"there is no measure {fact.measure!r}", fix=nearest(fact.measure, measures))
    cases = measures[fact.measure](model, fact.head).double().numpy()
    low, high = bootstrap_interval(cases, seed=seed)
    return CheckedFact(fact, Score(fact.measure, float(np.mean(cases)), low, high, len(cases)))
