"""A tree scored on labelled cases."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from truescope.tabular.trees.scores import Leaf, TreeScores
from truescope.tabular.trees.statistics import Counts, OutcomeCosts
from truescope.tabular.trees.tree import BOTH, Exits, FastFrugalTree


def score(
    tree: FastFrugalTree,
    exits: Exits,
    positive: Bool[np.ndarray, " cases"],
    weights: Float[np.ndarray, " cases"] | None,
    *,
    n_cues: int,
    sens_w: float | int,
    costs: OutcomeCosts,
    cue_costs: Mapping[str, float | int],
) -> TreeScores:
    """All statistics of ``exits`` against the truth.

    mcu = mean level of exit; pci = 1 − Σ level / (N · number of cues); cost_cue = mean cost of the cues asked;
    cost = cost_dec + cost_cue.
    """
    depth = len(tree.nodes)
    counts = _count(exits, positive, weights, depth)
    paid = np.cumsum([cue_costs.get(cue, 1.0) for cue in tree.cues])
    levels, running = [], np.zeros((2, 2))
    for level in range(depth):
        running = running + counts[level]
        found = _table(running).statistics(sens_w, costs)
        decided = counts[: level + 1].sum(axis=(1, 2))
        found["cost_cue"] = float(decided @ paid[: level + 1] / decided.sum()) if decided.sum() else float("nan")
        found["cost"] = found["cost_dec"] + found["cost_cue"]
        levels.append({"level": level + 1, **found})
    at_level = counts.sum(axis=(1, 2))
    n = float(at_level.sum())
    looked_up = float(at_level @ np.arange(1, depth + 1))
    whole = {name: value for name, value in levels[-1].items() if name != "level"}
    whole |= {"pci": 1 - looked_up / (n * n_cues), "mcu": looked_up / n}
    return TreeScores(whole, tuple(levels), _leaves(tree, counts), float(counts[:, :, 1].sum() / n))


def _count(
    exits: Exits, positive: Bool[np.ndarray, " cases"], weights: Float[np.ndarray, " cases"] | None, depth: int
) -> Float[np.ndarray, "level decision truth"]:
    places = 4 * (exits.level.astype(np.int64) - 1) + 2 * exits.positive + positive
    return np.bincount(places, weights=weights, minlength=4 * depth).reshape(depth, 2, 2).astype(float)


def _table(counts: Float[np.ndarray, "decision truth"]) -> Counts:
    return Counts.of(hi=counts[1, 1], fa=counts[1, 0], mi=counts[0, 1], cr=counts[0, 0])


def _leaves(tree: FastFrugalTree, counts: Float[np.ndarray, "level decision truth"]) -> tuple[Leaf, ...]:
    sides = [(0, 1) if node.exit == BOTH else (node.exit,) for node in tree.nodes]
    ways = [(level, int(side)) for level, both in enumerate(sides) for side in both]
    return tuple(
        Leaf(level + 1, bool(side), float(counts[level, side].sum()), float(counts[level, side, 1]))
        for level, side in ways
    )


def leaf_numbers(tree: FastFrugalTree, exits: Exits) -> Int[np.ndarray, " cases"]:
    """Which of the tree's leaves each case left by, as its place in ``scores.leaves``."""
    assert tree.scores is not None
    place = np.zeros((len(tree.nodes) + 1, 2), dtype=np.int64)
    for number, leaf in enumerate(tree.scores.leaves):
        place[leaf.level, int(leaf.positive)] = number
    return place[exits.level, exits.positive.astype(np.int8)]
