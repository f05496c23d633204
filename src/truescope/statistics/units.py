"""What a population's units do at rest: each unit's mean, size and spread, and which of them are live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from truescope.core.errors import UsageError
from truescope.core.features import Feature

LIVE_SHARE = 1e-3
"""A unit is live when its standard deviation is above this share of its layer's root mean square activation."""


@dataclass(frozen=True, eq=False)
class UnitStatistics:
    """Mean, size (mean |activation|) and spread (standard deviation) of each unit over one population of prompts.

    ``live`` marks the units that move at all: spread > `LIVE_SHARE` · rms of all activations of the unit's layer. A
    unit that is not live (a dead ReLU, say) tells nothing of the prompt; setting it to its mean does nothing.
    """

    features: tuple[Feature, ...]
    mean: Float[np.ndarray, " n_units"]
    size: Float[np.ndarray, " n_units"]
    spread: Float[np.ndarray, " n_units"]
    live: Bool[np.ndarray, " n_units"]
    n: int

    @cached_property
    def index(self) -> dict[Feature, int]:
        """Where each unit stands."""
        return {feature: i for i, feature in enumerate(self.features)}

    @staticmethod
    def measure(activations: Float[np.ndarray, "n_prompts n_units"], features: Sequence[Feature]) -> UnitStatistics:
        """Measure the units in the columns of ``activations``, which are the units ``features`` in this order.

        Raises:
            UsageError: a column without a unit, a unit twice, or activations that are not finite.
        """
        n, n_units = activations.shape
        if len(features) != n_units or len(set(features)) != n_units:
            raise UsageError(
                f"{n_units} columns of activations for {len(set(features))} different units",
                fix="name each column's unit once, in order",
            )
        if n == 0 or not np.isfinite(activations).all():
            raise UsageError("activations must be finite, over at least one prompt", fix="look for NaN in the weights")
        mean = activations.mean(axis=0, dtype=np.float64)
        square = np.square(activations, dtype=np.float64).mean(axis=0)
        spread = np.sqrt(np.square(activations - mean).mean(axis=0))
        layers = np.array([feature.layer for feature in features])
        rms = np.zeros(n_units)
        for layer in np.unique(layers):
            rms[layers == layer] = np.sqrt(square[layers == layer].mean())
        return UnitStatistics(
            features=tuple(features),
            mean=mean,
            size=np.abs(activations).mean(axis=0, dtype=np.float64),
            spread=spread,
            live=spread > LIVE_SHARE * rms,
            n=n,
        )
