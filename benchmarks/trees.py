"""Seconds of growing and applying fast-and-frugal trees, beside two floors.

    python benchmarks/trees.py [--repeats 3] [--out benchmarks/results/trees.json]

The tables are random: 20 normal cues, a target made of steps, an absolute value, a product and a sine (seed 0). Floors:
one argsort of every cue, which any exact search over thresholds needs, and a scikit-learn decision tree of depth 4.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier

from machine import describe, peak_rss_mb
from truescope.tabular import FastFrugalTreeClassifier

RESULTS = Path(__file__).parent / "results" / "trees.json"
DATA = Path(os.environ.get("TRUESCOPE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def random_table(n: int) -> tuple[np.ndarray, np.ndarray]:
    """``n`` cases of 20 cues and a target that no single cue tells."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20))
    signal = np.abs(X[:, 0]) + X[:, 1] * X[:, 2] + np.sin(3 * X[:, 3]) + (X[:, 4] > 0.5)
    return X, signal + rng.normal(size=n) > 1


def fastest(work: Callable[[], Any], repeats: int) -> dict[str, float]:
    """CPU and wall seconds of the fastest repeat."""
    cpu, wall = [], []
    for _ in range(repeats):
        c, w = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return {"cpu_seconds": round(min(cpu), 4), "wall_seconds": round(min(wall), 4)}


def measure(repeats: int) -> dict[str, Any]:
    """Every case with its bar and, where there are any, its floors."""
    found: dict[str, Any] = {}
    for n, few in ((10_000, repeats), (1_000_000, 1)):
        X, y = random_table(n)
        size = f"{n:,} x 20"
        found[f"argsort of every cue, {size}"] = fastest(lambda X=X: [np.argsort(column) for column in X.T], few)
        if n == 10_000:
            tree = DecisionTreeClassifier(max_depth=4, random_state=0)
            found[f"scikit-learn tree of depth 4, {size}"] = fastest(lambda t=tree, X=X, y=y: t.fit(X, y), few)
        for algorithm, bar in (("ifan", 0.15 if n == 10_000 else 10.0), ("dfan", 0.5 if n == 10_000 else None)):
            model = FastFrugalTreeClassifier(algorithm)
            row = fastest(lambda model=model, X=X, y=y: model.fit(X, y), few)
            floor = found[f"argsort of every cue, {size}"]["cpu_seconds"]
            found[f"{algorithm}, {size}"] = row | {"bar": bar, "times_argsort": round(row["cpu_seconds"] / floor, 2)}
            if n == 1_000_000 and algorithm == "ifan":
                found[f"predict, {size}"] = fastest(lambda model=model, X=X: model.predict(X), repeats) | {"bar": 0.1}
    if DATA.is_dir():
        table = pd.read_csv(DATA / "tabular" / "heartdisease.csv")
        folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
        X, y = table.drop(columns="diagnosis"), table["diagnosis"]
        row = fastest(lambda: cross_val_score(FastFrugalTreeClassifier(), X, y, cv=folds), 1)
        found["10 x 10 cross-validation of heart disease"] = row | {"bar": 5.0}
    return found


def main() -> None:
    """Measure, print and write the results with the machine they come from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = measure(options.repeats)
    for name, row in rows.items():
        print(f"{name:45} {row}", flush=True)
    record = {"machine": describe(), "peak_rss_mb": round(peak_rss_mb()), "rows": rows}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
