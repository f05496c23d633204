"""The records of all cells, read: what each model did, how complex it came out, how well it is calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from truescope.core.errors import TableError, UsageError
from truescope.statistics import bootstrap_interval, corrected_resampled_t
from truescope.tabular.compare.measures import MEASURES, Calibration
from truescope.tabular.compare.models import TableModel
from truescope.tabular.tables import Table

LOST_BY_THRESHOLD = 0.05
"""A model whose decisions fall this far behind the best threshold in hindsight is pointed out."""
_N_RESAMPLES = 200


@dataclass(frozen=True)
class Cells:
    """The records of every model that was fitted in every cell, all in one order of cells; and who failed, and why.

    ``n_train`` and ``n_test`` are means over cells, as the corrections for overlapping training sets need them.
    """

    of: Mapping[str, list[Mapping[str, Any]]]
    failed: Mapping[str, str]
    repeats: list[int]
    n_train: int
    n_test: int

    @staticmethod
    def read(names: Sequence[str], records: Sequence[Mapping[str, Any]]) -> Cells:
        """Sort the records by model and cell.

        Raises:
            UsageError: models that were not run in the same cells. TableError: no model could be fitted.
        """
        of: dict[str, list[Mapping[str, Any]]] = {}
        failed: dict[str, str] = {}
        for name in names:
            mine = sorted((r for r in records if r["model"] == name), key=lambda r: (r["repeat"], r["fold"]))
            errors = [record["error"] for record in mine if "error" in record]
            if errors:
                failed[name] = f"{name} failed in {len(errors)} of {len(mine)} folds: {errors[0]}"
            elif mine:
                of[name] = mine
        if not of:
            raise TableError("no model could be fitted", why="; ".join(failed.values())[:400])
        places = {name: [(r["repeat"], r["fold"]) for r in mine] for name, mine in of.items()}
        first = next(iter(of))
        if any(place != places[first] for place in places.values()):
            raise UsageError("the models were not run in the same folds", fix="run the comparison to its end")
        sizes = [max(1, round(float(np.mean([r[part] for r in of[first]])))) for part in ("n_train", "n_test")]
        return Cells(of, failed, [repeat for repeat, _ in places[first]], *sizes)

    def values(self, name: str, measure: str) -> Float[np.ndarray, " cells"]:
        """One measure of one model, cell by cell."""
        return np.array([record[measure] for record in self.of[name]], dtype=np.float64)


@dataclass(frozen=True)
class Result:
    """One model over all cells: means with intervals, complexity, calibration, seconds, and what is to be noted."""

    name: str
    title: str
    opaque: bool
    measures: Mapping[str, Mapping[str, float]]
    complexity: Mapping[str, float | None]
    calibration: Mapping[str, Any]
    seconds: Mapping[str, float]
    notes: tuple[str, ...]

    @staticmethod
    def of(model: TableModel, table: Table, cells: Cells) -> Result:
        """Sum up a model's cells. Intervals are those of the corrected resampled t."""
        mine = cells.of[model.name]
        measures = {}
        for measure in MEASURES:
            test = corrected_resampled_t(cells.values(model.name, measure), cells.n_train, cells.n_test)
            measures[measure] = {"mean": test.mean, "low": test.low, "high": test.high}
        complexity: dict[str, float | None] = {}
        for part in ("nodes", "cues", "words"):
            found = [record["complexity"][part] for record in mine]
            complexity[part] = None if None in found else round(float(np.mean(found)), 3)
        seconds = {part: round(float(np.sum([r[f"seconds_{part}"] for r in mine])), 4) for part in ("fit", "predict")}
        calibration = _calibration(table, mine)
        return Result(model.name, model.title, model.opaque, measures, complexity, calibration, seconds, _notes(mine))

    def to_json(self) -> dict[str, Any]:
        """Every number."""
        return {**self.__dict__, "notes": list(self.notes)}


def _calibration(table: Table, mine: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over the first repeat, in which every case was held out once; the error's interval is of 200 resamples."""
    rows = np.concatenate([record["rows"] for record in mine if "rows" in record]).astype(int)
    said = np.concatenate([record["probability"] for record in mine if "rows" in record]).astype(np.float64)
    positive = table.positive[rows]
    found = Calibration.of(positive, said)
    low, high = _error_interval(positive, said)
    bins = {"said": list(found.said), "came_true": list(found.came_true), "n": list(found.n)}
    # Resampling adds noise to every bin, and the error counts noise: the interval may begin above what was found.
    return {"error": found.error, "low": min(low, found.error), "high": max(high, found.error), **bins}


def _error_interval(positive: Bool[np.ndarray, " n"], said: Float[np.ndarray, " n"]) -> tuple[float, float]:
    def errors(drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        rows = np.moveaxis(drawn, axis, -1).astype(int)
        flat = rows.reshape(-1, rows.shape[-1])
        return np.array([Calibration.of(positive[r], said[r]).error for r in flat]).reshape(rows.shape[:-1])

    return bootstrap_interval(np.arange(len(said), dtype=np.float64), statistic=errors, n_resamples=_N_RESAMPLES)


def _notes(mine: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    notes = []
    one_sided = sum(record["said_yes"] in (0.0, 1.0) for record in mine)
    if one_sided:
        notes.append(f"decided every case the same way in {one_sided} of {len(mine)} folds")
    lost = float(np.mean([record["best_bacc"] - record["bacc"] for record in mine]))
    if lost > LOST_BY_THRESHOLD:
        notes.append(
            f"its threshold loses up to {100 * lost:.1f} points of balanced accuracy against the best in hindsight"
        )
    warned = sorted({text for record in mine for text in record.get("warnings", ())})
    return (*notes, *(f"warned: {text}" for text in warned[:3]))
