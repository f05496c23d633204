"""CPU seconds of `compare` beside scikit-learn's `cross_validate` of the same models on the same folds.

    OMP_NUM_THREADS=1 python benchmarks/compare.py [--rows 1000] [--repeats 1] [--out benchmarks/results/compare.json]

Both sides in one process, on the non-linear generated table (seed 0) with the default models and 10
folds. "cells" is what they have in common: fit, predict and score. "verb" is the whole of `compare`: also the claim,
its control on one table of shuffled labels, the trees nearly as good, and the page.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sklearn.model_selection import cross_validate

from machine import describe, peak_rss_mb
from truescope.pipelines import compare
from truescope.store import Store
from truescope.tabular import Table, generated_table
from truescope.tabular.compare import DEFAULT, Plan, Split, make_jobs, make_splits, registry, run_cells

RESULTS = Path(__file__).parent / "results" / "compare.json"
FOLDS = 10
SCORING = ("balanced_accuracy", "roc_auc", "neg_log_loss", "neg_brier_score")


def by_scikit_learn(name: str, table: Table, cut: Sequence[Split]) -> float:
    """The mean balanced accuracy of a model under `cross_validate`."""
    folds = [(split.train, split.test) for split in cut]
    model = registry()[name].build(table.kinds, "bacc", 0)
    raising: Any = "raise"  # scikit-learn takes the word; its annotation says a number
    scores = cross_validate(model, table.cues, table.positive, cv=folds, scoring=SCORING, error_score=raising)
    return float(scores["test_balanced_accuracy"].mean())


def by_cells(name: str, table: Table, cut: Sequence[Split]) -> float:
    """The mean balanced accuracy of a model in the cells of a comparison."""
    records: list[dict[str, Any]] = []
    jobs = make_jobs(table, [name], cut, Plan(), kind="stratified", folds=FOLDS, n_shuffles=0)
    run_cells(jobs, table, n_jobs=1, on_cell=records.append)
    return sum(record["bacc"] for record in records) / len(records)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, which other work on the machine changes less than those of the clock, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def measure(n: int, repeats: int) -> dict[str, Any]:
    """Both sides for each model, one right after the other, their ratio, and the whole verb."""
    table = generated_table("nonlinear", n=n)
    cut = make_splits(table, repeats=repeats, folds=FOLDS)
    rows: dict[str, Any] = {}
    for name in DEFAULT:
        by_cells(name, table, cut[:1])  # imports and caches are no part of either side
        by_scikit_learn(name, table, cut[:1])
        theirs, their_bacc = timed(lambda name=name: by_scikit_learn(name, table, cut))
        ours, our_bacc = timed(lambda name=name: by_cells(name, table, cut))
        rows[name] = {
            "scikit_learn_seconds": round(theirs, 3),
            "cells_seconds": round(ours, 3),
            "ratio": round(ours / theirs, 2),
            "same_bacc": abs(their_bacc - our_bacc) < 1e-9,
        }
    with TemporaryDirectory() as folder:
        store = Store.open(Path(folder))
        verb, _ = timed(lambda: compare(table, repeats=repeats, folds=FOLDS, n_shuffles=1, n_jobs=1, store=store))
    whole = {side: sum(row[f"{side}_seconds"] for row in rows.values()) for side in ("scikit_learn", "cells")}
    return {
        "models": rows,
        "total": {
            "fits": len(DEFAULT) * len(cut),
            "scikit_learn_seconds": round(whole["scikit_learn"], 2),
            "cells_seconds": round(whole["cells"], 2),
            "ratio": round(whole["cells"] / whole["scikit_learn"], 2),
            "verb_seconds": round(verb, 2),
            "verb_ratio": round(verb / whole["scikit_learn"], 2),
        },
    }


def main() -> None:
    """Measure, print, and write the results with the machine they come from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = measure(options.rows, options.repeats)
    for name, row in (*found["models"].items(), ("total", found["total"])):
        print(f"{name:25} {row}", flush=True)
    design = {"table": "nonlinear", "rows": options.rows, "repeats": options.repeats, "folds": FOLDS, "seed": 0}
    record = {"machine": describe(), "peak_rss_mb": round(peak_rss_mb()), "design": design, **found}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
