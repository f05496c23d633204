"""How often `compare` finds a difference where there is none: tables whose labels were shuffled.

    python benchmarks/compare_type1.py [--tables 400] [--seed 0] [--out benchmarks/results/compare_type1.json]

A table of 120 rows and 5 normal cues; for each seed its labels are shuffled anew, the models are cross-validated in 5
folds of their own, and two of them are compared by balanced accuracy. The corrected resampled t (Nadeau and Bengio
2003) at .05 should reject in 5 % of tables or fewer; the rate comes with its interval of Clopper and Pearson (1934).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from machine import describe
from truescope.statistics import proportion_interval
from truescope.tabular.compare import Cells, Plan, difference, make_jobs, make_splits, measure_named, run_cells
from truescope.tabular.generated import unrelated_table

RESULTS = Path(__file__).parent / "results" / "compare_type1.json"
ROWS, FOLDS, LEVEL, ROPE = 120, 5, 0.05, 1.0
PAIRS = (("tree", "logistic"), ("fft-ifan", "logistic"))


def p_values(seed: int) -> list[float]:
    """The p of each pair of models on one shuffle of the labels."""
    base, names = unrelated_table(ROWS), sorted({name for pair in PAIRS for name in pair})
    table = replace(base, positive=np.random.default_rng(seed).permutation(base.positive))
    cut = make_splits(table, repeats=1, folds=FOLDS, seed=seed)
    records: list[dict[str, Any]] = []
    jobs = make_jobs(table, names, cut, Plan(seed=seed), kind="stratified", folds=FOLDS, n_shuffles=0)
    run_cells(jobs, table, n_jobs=1, on_cell=records.append)
    cells = Cells.read(names, records)
    scores = {name: cells.values(name, "bacc") for name in names}
    n_test = ROWS // FOLDS
    sizes = {"n_train": ROWS - n_test, "n_test": n_test, "rope": ROPE}
    return [difference(*pair, scores, measure_named("bacc"), **sizes).p for pair in PAIRS]


def measure(n_tables: int, seed: int) -> dict[str, Any]:
    """For each pair: rejections, tables, their rate and its 95 % interval."""
    found = np.array([p_values(seed + number) for number in range(n_tables)])
    rows: dict[str, Any] = {}
    for (model, reference), p in zip(PAIRS, found.T, strict=True):
        rejected = int((p < LEVEL).sum())
        low, high = proportion_interval(rejected, n_tables)
        rows[f"{model} against {reference}"] = {
            "rejected": rejected,
            "n_tables": n_tables,
            "rate": rejected / n_tables,
            "low": round(low, 4),
            "high": round(high, 4),
            "above_level": low > LEVEL,
        }
    return rows


def main() -> None:
    """Simulate, print, and write the rates with the machine they come from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    start = time.process_time()
    rows = measure(options.tables, options.seed)
    for name, row in rows.items():
        print(f"{name:30} {row}", flush=True)
    record = {
        "machine": describe(),
        "cpu_seconds": round(time.process_time() - start, 1),
        "design": {"rows": ROWS, "folds": FOLDS, "repeats": 1, "measure": "bacc", "level": LEVEL, "seed": options.seed},
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
