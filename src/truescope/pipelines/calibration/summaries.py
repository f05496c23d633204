"""From rows to numbers with intervals: the mean over programs of the mean over prompts, programs drawn again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from truescope.core.claims import Score
from truescope.pipelines.calibration.scoring import Row
from truescope.statistics import hierarchical_bootstrap_interval

Key = tuple[str, str, int | None, int | None, str, str, str, str]
"""group, dictionary, depth, budget, level, method, truth, metric."""
PARTS = ("group", "dictionary", "depth", "budget", "level", "method", "truth", "metric")


@dataclass(frozen=True)
class Summary:
    """One number of the report: its score over ``score.n`` cases (prompts, of every seed) of ``n_programs`` programs.

    ``n_not_applicable`` cases had nothing to rank, or nothing to count; ``n_seeds`` is how many seeds made the cases.
    """

    key: Key
    score: Score
    n_programs: int
    n_seeds: int
    n_not_applicable: int
    worst: float

    def record(self) -> dict[str, Any]:
        """A plain record for the report's JSON."""
        score = asdict(self.score)
        score.pop("name")
        counts = {"n_programs": self.n_programs, "n_seeds": self.n_seeds, "n_not_applicable": self.n_not_applicable}
        return dict(zip(PARTS, self.key, strict=True)) | score | counts | {"worst": self.worst}


def summarise(rows: Iterable[Row], seed: int) -> dict[Key, Summary]:
    """Every combination of facts with its mean and 95 % interval.

    The interval is of a hierarchical bootstrap: programs are drawn, the prompts and seeds of a program stay together.
    With one program seeds are drawn, and with one seed prompts. A closure gap is the largest, not a mean. A single case
    has no interval and no summary.
    """
    cases: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        cases[tuple(row.get(part) for part in PARTS)].append(row)  # type: ignore[index]
    return {key: _summary(key, found, seed) for key, found in cases.items() if _values(found).size > 1}


def _values(rows: list[Row]) -> np.ndarray:
    return np.array([row["value"] for row in rows if row["value"] is not None], np.float64)


def _summary(key: Key, rows: list[Row], seed: int) -> Summary:
    applicable = [row for row in rows if row["value"] is not None]
    values = _values(rows)
    programs, seeds = ([str(row[name]) for row in applicable] for name in ("program", "seed"))
    n_programs, n_seeds = len(set(programs)), len(set(seeds))
    metric = key[-1]
    is_gap = metric == "closure gap"
    if is_gap:
        low, high, value = float(values.min()), float(values.max()), float(values.max())
    else:
        each = [str(number) for number in range(len(values))]
        groups = np.array(programs if n_programs > 1 else seeds if n_seeds > 1 else each)
        value = float(np.mean([values[groups == group].mean() for group in dict.fromkeys(groups)]))
        low, high = hierarchical_bootstrap_interval(values, groups[None], seed=seed)
    worst = float(values.max() if is_gap else values.min())
    score = Score(metric, value, low, high, len(values))
    return Summary(key, score, n_programs, n_seeds, len(rows) - len(values), worst)
