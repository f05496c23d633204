"""One cell of a comparison: one model fitted on one split's training rows and measured on its test rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import Bool
from joblib import Parallel, delayed, effective_n_jobs

from truescope.core.errors import TableError
from truescope.tabular.compare.measures import best_bacc, measured
from truescope.tabular.compare.models import TableModel, registry
from truescope.tabular.compare.splits import Split, make_splits
from truescope.tabular.tables import Table

FEW_CELLS = 40
"""Fewer cells than this are not worth starting processes for."""
CONTROL_FOLDS = 5
_PER_CORE = 4


@dataclass(frozen=True)
class Plan:
    """What decides a cell's result beside its model and split."""

    goal: str = "bacc"
    seed: int = 0
    shuffle: int | None = None
    """Learn and test on labels shuffled by this seed: the control, which has nothing to find."""


Job = tuple[str, Split, Plan]
"""One cell to run: a model's name, the rows, and the plan."""


def run_cell(model: str, table: Table, split: Split, plan: Plan) -> dict[str, Any]:
    """The record of a cell, ready for JSON: measures, complexity, seconds, and the first repeat's probabilities.

    A model that cannot be fitted or gives no finite probabilities is a result too: ``error`` says why.
    """
    head = {"model": model, "repeat": split.repeat, "fold": split.fold, "shuffle": plan.shuffle}
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            record = _fit_and_measure(registry()[model], table, split, plan)
    except Exception as error:  # other people's models, on other people's data: one that fails must not end the rest
        return {**head, "error": f"{type(error).__name__}: {error}"[:500]}
    return {**head, **record, "warnings": sorted({str(warning.message).splitlines()[0][:200] for warning in caught})}


def _fit_and_measure(model: TableModel, table: Table, split: Split, plan: Plan) -> dict[str, Any]:
    positive = shuffled(table, plan)
    train, test = table.cues.iloc[split.train], table.cues.iloc[split.test]
    start = perf_counter()
    fitted = model.build(table.kinds, plan.goal, plan.seed).fit(train, positive[split.train])
    fitted_at = perf_counter()
    probability = np.asarray(fitted.predict_proba(test)[:, 1], dtype=np.float64)
    decided = np.asarray(fitted.predict(test), dtype=bool)
    done = perf_counter()
    if not np.isfinite(probability).all():
        raise ValueError(f"{int((~np.isfinite(probability)).sum())} probabilities are not finite")
    truth = positive[split.test]
    record: dict[str, Any] = {
        "n_train": len(split.train),
        "n_test": len(split.test),
        **measured(truth, decided, np.clip(probability, 0.0, 1.0)),
        "best_bacc": best_bacc(truth, probability),
        "said_yes": float(decided.mean()),
        "threshold": getattr(fitted, "threshold_", None),
        "seconds_fit": round(fitted_at - start, 5),
        "seconds_predict": round(done - fitted_at, 5),
    }
    if plan.shuffle is None:
        record["complexity"] = asdict(model.describe(fitted, test)[1])
        if split.repeat == 0:
            record["rows"] = split.test.tolist()
            record["probability"] = [round(float(p), 6) for p in probability]
    return record


def shuffled(table: Table, plan: Plan) -> Bool[np.ndarray, " rows"]:
    """The labels as they are, or for a control the same labels in another order."""
    if plan.shuffle is None:
        return table.positive
    return np.random.default_rng([plan.seed, plan.shuffle]).permutation(table.positive)


def make_jobs(
    table: Table, models: Sequence[str], cut: Sequence[Split], plan: Plan, *, kind: str, folds: int, n_shuffles: int
) -> list[Job]:
    """Every cell of a comparison, and then those of its controls: one repeat of at most `CONTROL_FOLDS` folds for each
    of ``n_shuffles`` shuffles of the labels. A shuffle that leaves a fold with one class is left out."""
    jobs = [(model, split, plan) for split in cut for model in models]
    for number in range(1, n_shuffles + 1):
        mixed = replace(plan, shuffle=number)
        other = replace(table, positive=shuffled(table, mixed))
        try:
            parts = make_splits(other, kind, repeats=1, folds=min(CONTROL_FOLDS, folds), seed=plan.seed)
        except TableError:
            continue
        jobs += [(model, split, mixed) for split in parts for model in models]
    return jobs


def run_cells(
    jobs: Sequence[Job],
    table: Table,
    *,
    n_jobs: int | None = None,
    on_cell: Callable[[dict[str, Any]], None] = lambda record: None,
) -> None:
    """Run every cell, in as many processes as there are cores; ``on_cell`` gets each record as it comes."""
    for record in _records(jobs, table, _workers(n_jobs, len(jobs))):
        on_cell(record)


def _records(jobs: Sequence[Job], table: Table, n_jobs: int) -> Iterator[dict[str, Any]]:
    if n_jobs == 1:
        for model, split, plan in jobs:
            yield run_cell(model, table, split, plan)
    else:
        # One thread a process: models that start threads of their own would fight over the cores.
        pool = Parallel(n_jobs=n_jobs, return_as="generator_unordered", inner_max_num_threads=1, backend="loky")
        records: Any = pool(delayed(run_cell)(model, table, split, plan) for model, split, plan in jobs)
        yield from records


def _workers(n_jobs: int | None, n_cells: int) -> int:
    if n_jobs is not None:
        return max(1, n_jobs)
    if n_cells < FEW_CELLS:
        return 1
    return min(effective_n_jobs(-1), max(1, n_cells // _PER_CORE))
