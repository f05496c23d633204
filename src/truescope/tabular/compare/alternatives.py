"""The other good answers: every tree of the fan within ε of the best, and how often they disagree about a case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from truescope.tabular.tables import Table
from truescope.tabular.trees import FastFrugalTreeClassifier


@dataclass(frozen=True)
class Alternatives:
    """Trees grown on the whole table whose goal on it is within ``epsilon`` points of the best (Rashomon set).

    ``ambiguity``: the share of cases that not all of them decide alike (Marx, Calmon and Ustun 2020).
    """

    epsilon: float
    trees: tuple[dict[str, Any], ...]
    n_grown: int
    ambiguity: float

    def to_json(self) -> dict[str, Any]:
        """Every tree in words with its statistics, best first."""
        return {**self.__dict__, "trees": list(self.trees)}


def alternative_trees(table: Table, goal: str, epsilon: float) -> Alternatives:
    """Both fans (ifan and dfan) on the whole table; ``goal`` "acc", or else balanced accuracy."""
    goal = "acc" if goal == "acc" else "bacc"
    found: dict[Any, tuple[float, dict[str, Any], np.ndarray]] = {}
    n_grown = 0
    for algorithm in ("ifan", "dfan"):
        grown = FastFrugalTreeClassifier(algorithm, goal=goal).fit(table.cues, table.positive)
        n_grown += len(grown.trees_)
        for number, tree in enumerate(grown.trees_, 1):
            statistics = tree.scores.statistics
            record = {
                "algorithm": algorithm,
                "words": grown.words(number),
                "cues": list(tree.cues),
                **{name: float(statistics[name]) for name in ("bacc", "acc", "sens", "spec", "mcu")},
            }
            found.setdefault(tree, (float(statistics[goal]), record, grown.with_tree(tree).predict(table.cues)))
    best = max(value for value, _, _ in found.values())
    close = sorted(
        (entry for entry in found.values() if best - entry[0] <= epsilon / 100 + 1e-12), key=lambda entry: -entry[0]
    )
    decided = np.stack([decisions for _, _, decisions in close])
    ambiguity = float((decided != decided[0]).any(axis=0).mean())
    return Alternatives(epsilon, tuple(record for _, record, _ in close), n_grown, ambiguity)
