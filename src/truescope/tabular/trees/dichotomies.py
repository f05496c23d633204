"""Cues cut in two, each by its best split: the reasons that tallying counts and take-the-best goes through in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from truescope.core.errors import TableError
from truescope.tabular.trees.cases import Cases
from truescope.tabular.trees.cues import Columns, Cue
from truescope.tabular.trees.statistics import Counts
from truescope.tabular.trees.thresholds import Rules, best_split, count
from truescope.tabular.trees.tree import BOTH, Node
from truescope.tabular.trees.words import threshold_words


@dataclass(frozen=True, eq=False)
class Reason:
    """One cue cut in two, and how it decides alone on the training cases."""

    cue: str
    direction: str
    threshold: float | tuple[str, ...]
    counts: Counts
    chase: float

    @property
    def question(self) -> str:
        """The cut in words."""
        return f"{self.cue} {self.direction} {threshold_words(self.threshold)}"

    @property
    def validity(self) -> float:
        """hi·cr / (hi·cr + fa·mi): of all pairs of a positive and a negative case that the cue tells apart, the share
        it tells rightly; NaN where it tells none apart."""
        right, wrong = float(self.counts.hi * self.counts.cr), float(self.counts.fa * self.counts.mi)
        return right / (right + wrong) if right + wrong else float("nan")


def find_reasons(cues: Sequence[Cue], cases: Cases, rules: Rules) -> list[Reason]:
    """Each cue's best split; cues without one are left out.

    Raises:
        TableError: no cue has one.
    """
    reasons = []
    for cue in cues:
        histogram = count(cue.codes, cases.positive, cue.n_values, cases.weights)
        split = best_split(cue, histogram, cue.codes, rules, 0.0)
        if split is not None and not np.isnan(split.chase):
            reasons.append(Reason(cue.name, split.direction, split.threshold, split.counts, split.chase))
    if not reasons:
        raise TableError("no cue can be split", why="every cue is missing", fix="look at the cues' values")
    return reasons


def votes(reasons: Sequence[Reason], columns: Columns) -> Int[np.ndarray, "cases reasons"]:
    """+1 where a reason speaks for the positive class, −1 where it speaks against, 0 where the number is missing."""
    found = np.empty((columns.n_cases, len(reasons)), dtype=np.int8)
    for place, reason in enumerate(reasons):
        fired = Node(reason.cue, reason.direction, reason.threshold, BOTH).fires(columns)
        found[:, place] = np.where(fired < 0, 0, 2 * fired - 1)
    return found
