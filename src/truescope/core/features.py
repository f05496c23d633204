"""`Feature` and its `Evidence`: a unit of a dictionary, and what was seen of it. What it *means* is an explanation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, order=True, slots=True)
class Feature:
    """A unit of a dictionary: layer and index, counted from 0. The neurons of an MLP are a dictionary too."""

    layer: int
    index: int

    def __str__(self) -> str:
        return f"{self.layer}/{self.index}"


@dataclass(frozen=True)
class Example:
    """One text the feature is active on: its tokens, the activation at each, and the position of the largest."""

    tokens: tuple[str, ...]
    activations: tuple[float, ...]
    focus: int


@dataclass(frozen=True)
class Evidence:
    """What is known of a feature without asking anyone what it means.

    ``density`` is the share of positions where it is not zero, over ``n`` positions. ``promoted`` and ``suppressed``
    are (token, direct logit effect of one unit of activation). ``operand_plot`` is the activation over a closed
    two-operand domain, rows the first operand: nested lists, or None. ``dependence`` maps a named part of the input to
    the share of the activation's variance that it explains.
    """

    feature: Feature
    name: str
    n: int = 0
    density: float = 0.0
    examples: tuple[Example, ...] = ()
    promoted: tuple[tuple[str, float], ...] = ()
    suppressed: tuple[tuple[str, float], ...] = ()
    operand_plot: Any = None
    dependence: dict[str, float] = field(default_factory=dict)
