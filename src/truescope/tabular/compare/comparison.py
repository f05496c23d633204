"""`Comparison`: from the records of cells to what each model does, which differences matter, and a headline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from truescope.statistics import holm
from truescope.tabular.compare.differences import Difference, difference
from truescope.tabular.compare.measures import Measure, measure_named
from truescope.tabular.compare.models import TableModel
from truescope.tabular.compare.parity import Parity
from truescope.tabular.compare.results import Cells, Result
from truescope.tabular.tables import Table


@dataclass(frozen=True)
class Comparison:
    """What the cells say by one measure: each model, its difference to the best opaque one, and the kinds' best."""

    measure: Measure
    rope: float
    results: tuple[Result, ...]
    differences: tuple[Difference, ...]
    parity: Parity | None
    failed: Mapping[str, str]

    @staticmethod
    def of(
        table: Table,
        models: Sequence[TableModel],
        records: Sequence[Mapping[str, Any]],
        *,
        goal: str = "bacc",
        rope: float = 1.0,
    ) -> Comparison:
        """Sum up the cells of every model; ``rope`` in points. A model that failed in a cell is left out, and named.

        The reference of the differences is the opaque model with the best mean (where there is none, the best model).

        Raises:
            UsageError: an unknown goal. TableError: no model could be fitted.
        """
        measure = measure_named(goal)
        cells = Cells.read([model.name for model in models], records)
        fitted = [model for model in models if model.name in cells.of]
        opaque = {model.name for model in fitted if model.opaque}
        scores = {name: cells.values(name, goal) for name in cells.of}
        reference = max(opaque or scores, key=lambda name: measure.sign * float(scores[name].mean()))
        sizes = {"n_train": cells.n_train, "n_test": cells.n_test}
        return Comparison(
            measure,
            rope,
            tuple(Result.of(model, table, cells) for model in fitted),
            tuple(
                difference(name, reference, scores, measure, **sizes, rope=rope) for name in scores if name != reference
            ),
            Parity.of(cells, opaque, measure, rope),
            cells.failed,
        )

    def headline(self) -> str:
        """What a person should take away, whichever way it went."""
        if self.parity is None:
            return "Only one kind of model was compared, so nothing is said about what reading a model costs."
        return self.parity.headline(self.measure)

    def within(self, epsilon: float) -> list[str]:
        """The models whose mean lies within ``epsilon`` points of the best one, best first."""
        means = {r.name: self.measure.sign * r.measures[self.measure.name]["mean"] for r in self.results}
        best = max(means.values())
        close = {name: mean for name, mean in means.items() if best - mean <= epsilon / 100 + 1e-12}
        return sorted(close, key=lambda name: -close[name])

    def to_json(self) -> dict[str, Any]:
        """Every number and every sentence; ``p_holm`` is corrected for the number of differences."""
        adjusted = holm(np.array([found.p for found in self.differences])) if self.differences else []
        best = None
        if self.parity is not None:
            best = {**self.parity.best.to_json(), "sentence": self.parity.best.sentence(self.measure)}
            best["chosen"] = {kind: dict(counts) for kind, counts in self.parity.chosen.items()}
        return {
            "measure": self.measure.name,
            "rope_points": self.rope,
            "headline": self.headline(),
            "models": [result.to_json() for result in self.results],
            "differences": [
                {**found.to_json(), "p_holm": float(p), "sentence": found.sentence(self.measure)}
                for found, p in zip(self.differences, adjusted, strict=True)
            ],
            "best": best,
            "failed": dict(self.failed),
        }
