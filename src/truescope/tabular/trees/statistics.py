"""What a two-by-two table of decisions says: the statistics by which thresholds, cues and trees are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float, Num

GOALS = ("bacc", "acc", "wacc", "dprime", "cost")
NEAR = float(np.finfo(float).eps) ** 0.5
"""Two goal values nearer than this are a tie."""
BEST_DPRIME = 4.65
"""A d′ from here on counts as perfect: hit rate .99, false-alarm rate .01."""

_quantile = np.vectorize(NormalDist().inv_cdf, otypes=[float])


@dataclass(frozen=True)
class OutcomeCosts:
    """What one hit, false alarm, miss and correct rejection cost."""

    hi: float = 0.0
    fa: float = 1.0
    mi: float = 1.0
    cr: float = 0.0


@dataclass(frozen=True)
class Counts:
    """Hits, false alarms, misses and correct rejections: arrays of one shape, of cases or of their weights."""

    hi: Num[np.ndarray, "*rows"]
    fa: Num[np.ndarray, "*rows"]
    mi: Num[np.ndarray, "*rows"]
    cr: Num[np.ndarray, "*rows"]

    @property
    def n(self) -> Num[np.ndarray, "*rows"]:
        """All cases."""
        return np.asarray(self.hi + self.fa + self.mi + self.cr)

    @classmethod
    def of(cls, hi: Any = 0.0, fa: Any = 0.0, mi: Any = 0.0, cr: Any = 0.0) -> Counts:
        """One table from four numbers."""
        return cls(np.asarray(hi), np.asarray(fa), np.asarray(mi), np.asarray(cr))

    def __add__(self, other: Counts) -> Counts:
        return Counts.of(self.hi + other.hi, self.fa + other.fa, self.mi + other.mi, self.cr + other.cr)

    def row(self, number: int) -> Counts:
        """One of the tables."""
        return Counts.of(self.hi[number], self.fa[number], self.mi[number], self.cr[number])

    def cost_dec(self, costs: OutcomeCosts) -> Float[np.ndarray, "*rows"]:
        """The mean cost of a decision, Σ n_k·c_k / N."""
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.hi * costs.hi + self.fa * costs.fa + self.mi * costs.mi + self.cr * costs.cr
            return np.asarray(total / self.n, dtype=float)

    def measure(
        self, goal: str, sens_w: float | int, costs: OutcomeCosts, cue_cost: float = 0.0
    ) -> Float[np.ndarray, "*rows"]:
        """The goal's value, more being better: "cost" is −cost_dec − cue_cost. NaN where it is undefined.

        sens = hi/(hi+mi); spec = cr/(cr+fa); bacc = (sens+spec)/2; wacc = w·sens + (1−w)·spec; acc = (hi+cr)/N;
        dprime = Φ⁻¹((hi+¼)/(hi+mi+½)) − Φ⁻¹((fa+¼)/(fa+cr+½)).
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            if goal == "cost":
                value = -self.cost_dec(costs) - cue_cost
            elif goal == "acc":
                value = (self.hi + self.cr) / self.n
            elif goal == "dprime":
                value = self._dprime()
            else:
                sens, spec = self.hi / (self.hi + self.mi), self.cr / (self.cr + self.fa)
                value = (sens + spec) / 2 if goal == "bacc" else sens * sens_w + spec * (1 - sens_w)
        return np.asarray(value, dtype=float)

    def statistics(self, sens_w: float | int, costs: OutcomeCosts) -> dict[str, float]:
        """Every statistic of one table by name; undefined ones are NaN."""
        with np.errstate(divide="ignore", invalid="ignore"):
            hi, fa, mi, cr = (np.float64(count) for count in (self.hi, self.fa, self.mi, self.cr))
            sens, spec = hi / (hi + mi), cr / (cr + fa)
            found = {"n": hi + fa + mi + cr, "hi": hi, "fa": fa, "mi": mi, "cr": cr, "sens": sens, "spec": spec}
            found |= {"far": 1 - spec, "ppv": hi / (hi + fa), "npv": cr / (cr + mi)}
        found |= {goal: self.measure(goal, sens_w, costs) for goal in ("acc", "bacc", "wacc", "dprime")}
        found["cost_dec"] = self.cost_dec(costs)
        return {name: float(value) for name, value in found.items()}

    def _dprime(self) -> Any:
        # The same rational approximation (AS 241) as R's qnorm, so that ties fall the same way.
        hits = (self.hi + 0.25) / (self.hi + 0.25 + (self.mi + 0.25))
        alarms = (self.fa + 0.25) / (self.fa + 0.25 + (self.cr + 0.25))
        return _quantile(hits) - _quantile(alarms)


def is_perfect(goal: str, value: float) -> bool:
    """Whether a tree with this goal value need not grow on (``value`` as `Counts.measure` gives it)."""
    if goal == "dprime":
        return value >= BEST_DPRIME
    return abs(value - (0.0 if goal == "cost" else 1.0)) < NEAR
