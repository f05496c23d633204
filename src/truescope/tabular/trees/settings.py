"""The settings of a fit, checked: every name that is none is answered with the nearest ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truescope.core.errors import TableError, nearest
from truescope.tabular.trees.statistics import GOALS, OutcomeCosts

_CHOICES = {
    "algorithm": ("ifan", "dfan"),
    "numthresh_method": ("optimise", "median"),
    "stopping_rule": ("exemplars", "levels", "statdelta"),
    "final_missing": ("majority", "positive", "negative", "baseline"),
    "proba": ("decision", "leaf"),
}
_RANGES = {"max_levels": (1, 6), "numthresh_n": (3, 20)}
_GONE = {"max": "ifan", "zigzag": "ifan", "optimize": "optimise", "signal": "positive", "noise": "negative"}


@dataclass(frozen=True)
class Goals:
    """What trees are ordered by, cues chosen by, thresholds chosen by; and what outcomes cost."""

    goal: str
    chase: str
    threshold: str
    costs: OutcomeCosts


def check_settings(of: Any) -> Goals:
    """The goals that an estimator's settings mean.

    Raises:
        TableError: a setting is out of its range, or a word that is not known.
    """
    for name, known in _CHOICES.items():
        check_choice(name, getattr(of, name), known)
    for name, (low, high) in _RANGES.items():
        value = getattr(of, name)
        if isinstance(value, bool) or int(value) != value or not low <= value <= high:
            raise TableError(f"{name} is a whole number from {low} to {high}, not {value!r}")
    if not 0 <= of.sens_w <= 1:
        raise TableError(f"sens_w lies between 0 and 1, not {of.sens_w!r}")
    _check_stopping(of.stopping_rule, of.stopping_par)
    _check_cue_costs(of.cost_cues)
    return _goals(of)


def check_choice(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Raises `TableError` if ``value`` is none of the ``known`` words."""
    if value not in known:
        hint = f"did you mean {_GONE[value]}?" if _GONE.get(str(value)) in known else nearest(str(value), known)
        raise TableError(f"{name} is {' or '.join(known)}, not {value!r}", fix=hint)


def check_goal(goal: str) -> str:
    """The goal, if it is one that needs no costs.

    Raises:
        TableError: it is none.
    """
    check_choice("goal", goal, tuple(known for known in GOALS if known != "cost"))
    return goal


def _check_stopping(rule: str, par: float | int) -> None:
    if rule == "exemplars" and not 0 < par < 1:
        raise TableError(f"with stopping_rule exemplars, stopping_par is a share between 0 and 1, not {par!r}")
    if rule == "levels" and not par >= 1:
        raise TableError(f"with stopping_rule levels, stopping_par is a level from 1 up, not {par!r}")
    if rule == "statdelta" and not math.isfinite(par):
        raise TableError(f"with stopping_rule statdelta, stopping_par is a number, not {par!r}")


def _check_cue_costs(costs: Mapping[str, float | int] | None) -> None:
    for cue, cost in (costs or {}).items():
        if not math.isfinite(cost) or cost < 0:
            raise TableError(f"the cost of cue {cue!r} is a number from 0 up, not {cost!r}")


def check_cue_names(costs: Mapping[str, float | int] | None, names: Sequence[str]) -> None:
    """Raises `TableError` if a cost is given for a cue that the table does not have."""
    for cue in costs or {}:
        if cue not in names:
            raise TableError(f"a cost is given for {cue!r}, which is no cue", fix=nearest(cue, names))


def _goals(of: Any) -> Goals:
    for name in ("goal", "goal_chase", "goal_threshold"):
        if getattr(of, name) is not None:
            check_choice(name, getattr(of, name), GOALS)
    accuracy = "bacc" if of.sens_w == 0.5 else "wacc"
    paid = of.cost_outcomes is not None or of.cost_cues is not None
    goal = of.goal or ("cost" if paid else accuracy)
    chase = of.goal_chase or ("cost" if goal == "cost" else accuracy)
    threshold = of.goal_threshold or accuracy
    # With equal weights wacc is bacc: the same trees, and the same ties.
    goal, chase, threshold = (accuracy if name == "wacc" else name for name in (goal, chase, threshold))
    return Goals(goal, chase, threshold, _costs(of.cost_outcomes))


def _costs(given: Mapping[str, float | int] | None) -> OutcomeCosts:
    known = tuple(field.name for field in dataclasses.fields(OutcomeCosts))
    for name, cost in (given or {}).items():
        check_choice("an outcome", name, known)
        if not math.isfinite(cost):
            raise TableError(f"the cost of {name} is a number, not {cost!r}")
    return OutcomeCosts(**{name: float(cost) for name, cost in (given or {}).items()})
