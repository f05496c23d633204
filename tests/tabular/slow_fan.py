"""The fan grown the plain way: every exit pattern on its own, every threshold counted case by case, nothing shared.

Only for small tables. Written from the published description, not from the room it checks.
"""

from __future__ import annotations

from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

Row = tuple[str, Any]
NEAR = np.finfo(float).eps ** 0.5


def counts_of(fires: np.ndarray, y: np.ndarray) -> tuple[int, int, int, int]:
    """hi, fa, mi, cr."""
    return int((fires & y).sum()), int((fires & ~y).sum()), int((~fires & y).sum()), int((~fires & ~y).sum())


def value_of(goal: str, counts: tuple[int, int, int, int], costs: dict[str, float], w: float, cue_cost: float) -> float:
    """More is better."""
    hi, fa, mi, cr = counts
    n = hi + fa + mi + cr
    try:
        if goal == "acc":
            return (hi + cr) / n
        if goal == "cost":
            return -(hi * costs["hi"] + fa * costs["fa"] + mi * costs["mi"] + cr * costs["cr"]) / n - cue_cost
        if goal == "dprime":
            q = NormalDist().inv_cdf
            return q((hi + 0.25) / (hi + 0.25 + (mi + 0.25))) - q((fa + 0.25) / (fa + 0.25 + (cr + 0.25)))
        sens, spec = hi / (hi + mi), cr / (cr + fa)
        return (sens + spec) / 2 if goal == "bacc" else sens * w + spec * (1 - w)
    except ZeroDivisionError:
        return float("nan")


def fires(column: pd.Series, direction: str, threshold: Any) -> np.ndarray:
    """True, False, or None where the number is missing."""
    if direction == "=":
        return column.isna().map({True: "NA"}).where(column.isna(), column).isin(threshold).to_numpy(dtype=object)
    found = (column > threshold) if direction == ">" else (column <= threshold)
    return np.asarray(np.where(column.isna(), None, found.to_numpy(dtype=object)))


def best_of(column: pd.Series, y: np.ndarray, goal: str, s: dict[str, Any], cue_cost: float) -> tuple[Row, Any] | None:
    """The first best (direction, threshold) of one cue, and its counts."""
    rows: list[tuple[Row, tuple[int, int, int, int]]] = []
    if not pd.api.types.is_numeric_dtype(column):
        column = column.where(column.notna(), "NA")
        alone = [
            (value_of(goal, counts_of((column == level).to_numpy(), y), s["costs"], s["w"], cue_cost), level)
            for level in sorted(column.unique())
        ]
        alone = [a for a in alone if not np.isnan(a[0])]
        ordered = [level for _, level in sorted(alone, key=lambda a: -a[0])]
        for k in range(1, len(ordered) + 1):
            rows.append((("=", tuple(ordered[:k])), counts_of(column.isin(ordered[:k]).to_numpy(), y)))
    else:
        known = column.notna().to_numpy()
        numbers, y = column[known].to_numpy(), y[known]
        values = sorted(set(numbers))
        if s["method"] == "median":
            values = list(dict.fromkeys(numbers)) if len(values) == 2 else [np.median(numbers)] if values else []
        elif len(values) > s["n"]:
            step = (len(values) - 1) / (s["n"] - 1)
            values = [values[round(1 + i * step) - 1] for i in range(s["n"])]
        rows += [((">", t), counts_of(numbers > t, y)) for t in values]
        rows += [(("<=", t), counts_of(numbers <= t, y)) for t in values]
    best, found = None, -np.inf
    for row, counts in rows:
        value = value_of(goal, counts, s["costs"], s["w"], cue_cost)
        if value > found:
            best, found = (row, counts), value
    return best


def choose(X: pd.DataFrame, y: np.ndarray, barred: set[str], s: dict[str, Any]) -> tuple[str, Row] | None:
    """The cue with the best goal_chase, and its row."""
    found = []
    for cue in X:
        best = best_of(X[cue], y, s["threshold"], s, s["cue_costs"].get(cue, 1.0))
        if best is not None and cue not in barred:
            value = value_of(s["chase"], best[1], s["costs"], s["w"], s["cue_costs"].get(cue, 1.0))
            if not np.isnan(value):
                found.append((value, str(cue), best[0]))
    if not found:
        return None
    most = max(value for value, _, _ in found)
    return next((cue, row) for value, cue, row in found if abs(value - most) < NEAR)


def grow_one(X: pd.DataFrame, y: np.ndarray, exits: tuple[float, ...], s: dict[str, Any]) -> tuple[Any, ...]:
    """The nodes (cue, direction, threshold, exit) for one exit pattern."""
    n = len(y)
    decision: list[Any] = [None] * n
    paid = np.zeros(n)
    nodes: list[tuple[str, str, Any, float]] = []
    last = float("nan")
    for level, exit in enumerate(exits, start=1):
        left = np.array([d is None for d in decision])
        whole = s["algorithm"] == "ifan"
        barred = {node[0] for node in nodes} if whole or not s["repeat"] else set()
        chosen = choose(X if whole else X[left], y if whole else y[left], barred, s)
        if chosen is None:
            break
        cue, (direction, threshold) = chosen
        nodes.append((cue, direction, threshold, exit))
        cue_cost = s["cue_costs"].get(cue, 1.0)
        paid[left] += cue_cost
        fired = fires(X[cue], direction, threshold)
        as_if = [fired[i] if left[i] else decision[i] for i in range(n)]
        told = np.array([d is not None for d in as_if])
        counts = counts_of(np.array([bool(d) for d in as_if])[told], y[told])
        value = value_of(s["chase"], counts, s["costs"], s["w"], 0.0)
        if s["chase"] == "cost":
            value -= float(np.where(left, cue_cost, paid).sum()) / told.sum()
        perfect = value >= 4.65 if s["chase"] == "dprime" else abs(value - (s["chase"] != "cost")) < NEAR
        for i in np.flatnonzero(left):
            if fired[i] is not None and (exit == 0.5 or bool(fired[i]) == bool(exit)):
                decision[i] = bool(fired[i])
        still = np.array([d is None for d in decision])
        if perfect or level == len(exits) or level == X.shape[1] or not still.any():
            break
        rule, par = s["rule"], s["par"]
        if (rule == "exemplars" and still.sum() < par * n) or (rule == "levels" and level == par):
            break
        if rule == "statdelta":
            gain = value if level == 1 else value - last
            if (level > 1 and -gain > par) if s["chase"] == "cost" else gain < par:
                break
        if s["algorithm"] == "dfan" and len(set(y[still])) == 1:
            break
        last = value
    return (*nodes[:-1], (*nodes[-1][:3], 0.5))


def grow(X: pd.DataFrame, y: np.ndarray, max_levels: int, s: dict[str, Any]) -> list[tuple[Any, ...]]:
    """All different trees in the order of creation: the first exit varies fastest."""
    patterns = [(*reversed(p), 0.5) for p in product((0.0, 1.0), repeat=max_levels - 1)]
    return list(dict.fromkeys(grow_one(X, y, pattern, s) for pattern in patterns))
