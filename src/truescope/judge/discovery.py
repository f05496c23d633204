"""How often the judge is fooled: claims about nothing, judged at default settings, and how many of them "hold".

Every world here has nothing in it: labels that were shuffled, effects that are noise, groups that do what any group
does. What holds is false. The judges are the ones that judge everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from truescope.core.claims import Claim, ControlPlan, Prediction, Score, Status, Verdict
from truescope.core.errors import UsageError, nearest
from truescope.core.evidence import ClaimType, EvidenceLevel
from truescope.core.features import Feature
from truescope.judge.controls import MATCHED_ON, draw_controls
from truescope.judge.effects import effect_claim, judge_effect
from truescope.judge.labels import LEAST_AREA, LabelledCases, judge_label, label_claim
from truescope.judge.verdicts import MAX_P, control_result, decide, share_as_strong
from truescope.statistics import UnitStatistics, bootstrap_interval, proportion_interval

MOST_FALSE = 0.07
"""The bar: the upper 95 % bound of the rate of false "held" at default settings."""


@dataclass(frozen=True, eq=False)
class Discovery:
    """What happened to ``n_runs`` claims about nothing.

    ``p_values`` are the runs' own; ``exact`` says that their test is, so that they must be uniform.
    """

    world: str
    n_runs: int
    n_held: int
    p_values: Float[np.ndarray, " n_runs"]
    exact: bool
    seed: int

    @property
    def rate(self) -> float:
        """The share of false "held"."""
        return self.n_held / self.n_runs

    @property
    def bound(self) -> float:
        """The upper 95 % bound of that rate (one-sided, exact)."""
        return proportion_interval(self.n_held, self.n_runs, level=0.9)[1]

    @property
    def type_one(self) -> float:
        """The share of p-values ≤ 0.05."""
        return float((self.p_values <= MAX_P).mean())

    @property
    def uniform_p(self) -> float:
        """The p-value of the Kolmogorov–Smirnov test that the p-values are uniform, each smeared over its own step."""
        steps = np.unique(self.p_values)
        step = np.diff(steps, prepend=0.0)[np.searchsorted(steps, self.p_values)]
        smeared = self.p_values - np.random.default_rng(self.seed).random(self.n_runs) * step
        return float(stats.kstest(smeared, "uniform").pvalue)

    def to_json(self) -> dict[str, Any]:
        """As a plain record."""
        return {
            "world": self.world,
            "n": self.n_runs,
            "seed": self.seed,
            "n_held": self.n_held,
            "rate": self.rate,
            "upper_95": self.bound,
            "type_one": self.type_one,
            "exact": self.exact,
            "uniform_p": self.uniform_p if self.exact else None,
            "passed": self.passed,
        }

    @property
    def passed(self) -> bool:
        """Whether the bars are met: the bound, uniform p-values where the test is exact, type 1 ≤ 0.05 + 3 errors."""
        error = 3.0 * np.sqrt(MAX_P * (1.0 - MAX_P) / self.n_runs)
        uniform = not self.exact or self.uniform_p > 0.001
        return bool(self.bound <= MOST_FALSE and self.type_one <= MAX_P + error and uniform)


def false_discovery(worlds: Iterable[str] | None = None, *, n_runs: int = 1000, seed: int = 0) -> list[Discovery]:
    """Judge ``n_runs`` claims about nothing in each of the worlds (all of `WORLDS` unless told).

    Raises:
        UsageError: there is no such world, or fewer than one run.
    """
    chosen = list(WORLDS if worlds is None else worlds)
    if n_runs < 1:
        raise UsageError(f"{n_runs} runs show nothing", fix="1,000 or more bound the rate well")
    found = []
    for world in chosen:
        if world not in WORLDS:
            raise UsageError(
                f"there is no world {world!r}", why=f"there are {', '.join(WORLDS)}", fix=nearest(world, WORLDS)
            )
        run, exact = WORLDS[world]
        rng = np.random.default_rng([seed, sum(world.encode())])
        outcomes = [run(rng, n) for n in range(n_runs)]
        n_held = sum(verdict.status is Status.HELD for verdict in outcomes)
        p_values = np.array([max(verdict.p_values.values()) for verdict in outcomes])
        found.append(Discovery(world, n_runs, n_held, p_values, exact, seed))
    return found


def _shuffled_label(rng: np.random.Generator, run: int, *, n: int, least: float) -> Verdict:
    """A sparse feature with real structure, and a label of which only how often it is given is kept."""
    activations = np.maximum(rng.standard_gamma(0.5, size=n) - 0.3, 0.0)
    label = rng.permutation(activations + rng.exponential(0.05, size=n) > np.quantile(activations, 0.7))
    cases = LabelledCases(activations, label)
    return judge_label(label_claim(cases, "shuffled", {"features": [str(run)]}, least=least, seed=run), cases)


def _few_cases(rng: np.random.Generator, run: int) -> Verdict:
    """Ten cases without ties: every arrangement is gone through."""
    cases = LabelledCases(rng.normal(size=10), rng.permutation(np.arange(10) < 5))
    return judge_label(label_claim(cases, "shuffled", {"features": [str(run)]}, least=0.5, seed=run), cases)


def _no_effect(rng: np.random.Generator, run: int) -> Verdict:
    """Effects of mean 0 on skewed cases; each control's are drawn in the same way."""
    claim = effect_claim(
        "The direction raises the answer", {"direction": run}, {"n": 200}, matched_on=("norm",), seed=run
    )
    skewed = rng.exponential(1.0, size=(claim.control.n + 1, 200)) - 1.0
    return judge_effect(claim, skewed[0], skewed[1:])


def _ordinary_group(rng: np.random.Generator, run: int) -> Verdict:
    """A group like any other in a model where every unit does a little: prompts are lost as suppression adds up."""
    n_units, n_prompts = 40, 300
    activations = rng.exponential(1.0, size=(n_prompts, n_units))
    units = UnitStatistics.measure(activations, [Feature(0, i) for i in range(n_units)])
    group = [Feature(0, int(i)) for i in rng.permutation(n_units)[:4]]
    weight, margin = rng.exponential(1.0, size=n_units), rng.exponential(6.0, size=n_prompts)
    claim = Claim(
        "Setting the group to its mean loses answers",
        (Prediction("exact", "<=", 0.6), Prediction("kept", ">=", 0.5)),
        ControlPlan("random groups", MATCHED_ON, 100, run),
        {"features": [str(feature) for feature in group]},
        {"n": n_prompts},
        ClaimType.NECESSITY,
    )
    change = np.abs(activations - units.mean) * weight

    def means(features: Iterable[Feature]) -> Float[np.ndarray, " n_prompts"]:
        return (change[:, [feature.index for feature in features]].sum(axis=1) < margin).astype(np.float64)

    drawn = draw_controls(group, units, claim.control)
    own = means(group)
    rows = [{"exact": float(means(one).mean()), "kept": 1.0} for one in drawn.groups]
    scores = [Score("exact", float(own.mean()), *bootstrap_interval(own, seed=run), n_prompts)]
    scores.append(Score("kept", 1.0, 1.0, 1.0, n_prompts))
    result = control_result("random groups", claim.predictions, rows, n_prompts)
    status, _ = decide(claim.predictions, scores, [result])
    group_means = {"exact": float(own.mean()), "kept": 1.0}
    as_strong = share_as_strong(claim.predictions, group_means, rows, spread=drawn.spread)

    return Verdict(claim, status, EvidenceLevel.E1, tuple(scores), (result,), p_values=as_strong)


World = Callable[[np.random.Generator, int], Verdict]

WORLDS: dict[str, tuple[World, bool]] = {
    f"label, shuffled (auroc >= {LEAST_AREA:g})": (lambda r, n: _shuffled_label(r, n, n=200, least=LEAST_AREA), False),
    "label, shuffled (auroc >= 0.5)": (lambda r, n: _shuffled_label(r, n, n=200, least=0.5), False),
    "label, shuffled, ten cases": (_few_cases, True),
    "effect, nothing planted": (_no_effect, True),
    "group, like any other": (_ordinary_group, False),
}
"""Name → one judged claim about nothing, and whether its p-values are exactly uniform."""
