"""Dictionaries of a real model: what per-layer transcoders and a cross-layer transcoder reach, and what they cost.

    python benchmarks/dictionaries.py [--home FOLDER] [--out FILE] [--only KIND:K …]

Trains on the first 900 of 1,000 TinyStories, for a Llama of 260 thousand parameters (5 layers, d_model 64), 1,024
features a layer, and evaluates on the other 100. k = 32 is hardly sparse at d_model 64, so smaller k stand beside it,
each with the FVU of as many principal components of the outputs. Finished runs in the store are read, not repeated.
CPU seconds are those of the whole training with harvest and evaluation, in the process that finished it. Every run is
written down as it ends, with the machine as it was then; with --only the other rows of the file stay.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from machine import describe, peak_rss_mb
from truescope.pipelines.train import train
from truescope.store import Store

RUNS = [("transcoder", 32), ("clt", 32), ("transcoder", 16), ("transcoder", 8), ("transcoder", 4)]
RESULTS = Path(__file__).parent / "results" / "dictionaries.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="the store to keep the runs in; a temporary one by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", help="these runs alone, such as transcoder:8")
    chosen = parser.parse_args()
    runs = [(kind, k) for kind, k in RUNS if chosen.only is None or f"{kind}:{k}" in chosen.only]
    if not runs:
        sys.exit(f"no such run; there are {', '.join(f'{kind}:{k}' for kind, k in RUNS)}")
    torch.set_num_threads(chosen.threads)
    data = Path(os.environ.get("TRUESCOPE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not data.is_dir():
        sys.exit(f"no real data at {data}; TRUESCOPE_DATA names another place")
    with tempfile.TemporaryDirectory() as temporary:
        store = Store.open(chosen.home or Path(temporary))
        for kind, k in runs:
            text = data / "text" / "tinystories_1000.json"
            report = train(data / "models" / "stories260k", text, kind=kind, features=1024, k=k, store=store)
            row = {"kind": kind, "k": k, "n_features": 1024, **report.evaluation, "run": dict(report.run)}
            keep(row | {"machine": describe(), "peak_rss_mb": round(peak_rss_mb())}, chosen.out)
            print(kind, k, [round(share, 4) for share in report.fvu], round(report.ce_delta, 4), flush=True)


def keep(row: dict[str, Any], path: Path) -> None:
    """Put a run's row into the file, in the place of an older one of the same kind and k."""
    old = json.loads(path.read_text("utf-8"))["runs"] if path.is_file() else []
    rows = {(other["kind"], other["k"]): other for other in [*old, row]}
    place = {run: n for n, run in enumerate(RUNS)}
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = sorted(rows.values(), key=lambda other: place[other["kind"], other["k"]])
    path.write_text(json.dumps({"runs": ordered}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
