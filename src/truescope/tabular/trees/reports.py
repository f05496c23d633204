"""What a fit tells: the cues and the trees as tables, and warnings about cues that can hardly be meant."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool

from truescope.tabular.trees.cues import Cue
from truescope.tabular.trees.growing import Plan
from truescope.tabular.trees.thresholds import Split
from truescope.tabular.trees.tree import FastFrugalTree


class CueWarning(UserWarning):
    """A cue that can hardly be meant: nearly as many levels as rows, or a copy of the target or of another cue."""


def tree_table(trees: Sequence[FastFrugalTree]) -> pd.DataFrame:
    """One row for each tree: its number, its nodes, its statistics."""
    rows = [
        {"tree": number, "nodes": len(tree.nodes), **(tree.scores.statistics if tree.scores else {})}
        for number, tree in enumerate(trees, start=1)
    ]
    return pd.DataFrame(rows)


def cue_table(cues: Sequence[Cue], splits: Sequence[Split | None], plan: Plan) -> pd.DataFrame:
    """One row for each cue: its best split and what that gives alone; the best for ``goal_chase`` first."""
    rules, rows = plan.rules, []
    for cue, split in zip(cues, splits, strict=True):
        row: dict[str, Any] = {"cue": cue.name, "numeric": cue.numeric, "direction": None, "threshold": None}
        if split is not None:
            row |= {"direction": split.direction, "threshold": split.threshold}
            row |= split.counts.statistics(rules.sens_w, rules.costs)
            row |= {"cost_cue": plan.cost_of(cue.name), "chase": split.chase}
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.sort_values("chase", ascending=False, kind="stable", ignore_index=True) if "chase" in table else table


def level_table(tree: FastFrugalTree) -> pd.DataFrame:
    """One row for each level: the cue, the exit, and the statistics of all cases decided so far."""
    levels = tree.scores.levels if tree.scores else [{} for _ in tree.nodes]
    return pd.DataFrame(
        [{"cue": node.cue, "exit": node.exit, **found} for node, found in zip(tree.nodes, levels, strict=True)]
    )


def warn_of_odd_cues(cues: Sequence[Cue], positive: Bool[np.ndarray, " cases"]) -> None:
    """A `CueWarning` for each cue that can hardly be meant."""
    for text in _doubts(cues, positive):
        warnings.warn(text, CueWarning, stacklevel=4)


def _doubts(cues: Sequence[Cue], positive: Bool[np.ndarray, " cases"]) -> list[str]:
    n, said = len(positive), []
    seen: dict[tuple[int, bytes], str] = {}
    for cue in cues:
        if not cue.numeric and cue.n_values > n / 2 and n > 2:
            said.append(
                f"cue {cue.name!r} has {cue.n_values} levels in {n} rows: a tree can learn them by heart; leave it out "
                "or group its levels"
            )
        if cue.n_values == 2 and cue.codes.max() == 1:
            met = np.bincount(2 * cue.codes + positive, minlength=4) > 0
            if met.sum() == 2 and met[0] != met[1]:
                said.append(f"cue {cue.name!r} tells the target in every case: is it a copy of it?")
        key = (cue.n_values, hashlib.blake2b(cue.codes.tobytes()).digest())
        if cue.n_values > 1 and key in seen:
            said.append(f"cues {seen[key]!r} and {cue.name!r} put the cases in the same order")
        seen.setdefault(key, cue.name)
    return said
