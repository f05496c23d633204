"""Explainers of trained networks side by side: the table of docs/graph-networks.md, on MUTAG and Cora.

    python benchmarks/gnn_evaluate.py [--data FOLDER] [--home FOLDER] [--out FILE] [--show]

Six runs of `gnn evaluate` with its defaults (30 nodes, three networks, three seeds, a fifth of the features): GCN, GIN
and GAT on each graph. Runs that the store in FOLDER holds are read, not repeated; without one a temporary store is
used, and all take some minutes. ``--show`` prints the table of the results that are there. One thread, seconds of the
processor.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from machine import describe
from truescope.pipelines import gnn_evaluate
from truescope.store import Store

RESULTS = Path(__file__).parent / "results" / "gnn_evaluate.json"
RUNS = [(subject, kind) for subject in ("mutag", "cora") for kind in ("gcn", "gin", "gat")]
MEASURES = ("fid_plus", "fid_minus", "characterisation")
BARE = ("necessity", "sufficiency", "robust_plus", "robust_minus")
_HEAD = f"{'':24}{'fid+':19}{'fid−':19}{'characterisation':18}  nec.  suff.  rob+  rob−  seeds  networks"


def evaluated(subject: str, kind: str, data: Path | None, store: Store) -> dict[str, Any]:
    """One run's record and how long it took."""
    began = time.process_time()
    record = gnn_evaluate(subject, kind=kind, data=data, store=store)
    return record | {"seconds": round(time.process_time() - began, 1)}


def table(runs: list[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of the table, as the documentation has them."""
    yield _HEAD
    for run in runs:
        facts = run["subject"]
        shown = ", ".join(f"{accuracy:.3f}" for accuracy in facts["test_accuracies"])
        name = facts["subject"] if facts["subject"].isupper() else facts["subject"].capitalize()
        yield f" {name} {facts['network'].upper()}, test accuracy {shown}"
        for row in run["rows"]:
            spans = (row[name] for name in MEASURES)
            cells = [f"{s['value']:.2f} [{s['low']:.2f}, {s['high']:.2f}]" for s in spans]
            bare = [f"{row[name]['value']:.2f}" for name in BARE]
            overlaps = [(row[name] or {}).get("jaccard") for name in ("stability", "over_networks")]
            seeds, networks = ("–" if one is None else f"{one['value']:.2f}" for one in overlaps)
            yield (
                f"  {row['explainer'].replace('_', ' '):22}{'  '.join(cells)}  "
                f"{bare[0]:>5}{bare[1]:>6}{bare[2]:>7}{bare[3]:>6}{seeds:>7}{networks:>7}"
            )


def main() -> None:
    """Run, print and write, with the machine that the numbers come from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of real data; TRUESCOPE_DATA where none is named")
    parser.add_argument("--home", type=Path, help="the store to keep the runs in; a temporary one by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true")
    chosen = parser.parse_args()
    if not chosen.show:
        warnings.simplefilter("ignore")
        machine, runs = describe(), []
        with tempfile.TemporaryDirectory() as temporary:
            store = Store.open(chosen.home or Path(temporary))
            for subject, kind in RUNS:
                runs.append(evaluated(subject, kind, chosen.data, store))
                print(subject, kind, runs[-1]["seconds"], "s", flush=True)
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps({"machine": machine, "runs": runs}, indent=1) + "\n", "utf-8")
    print("\n".join(table(json.loads(chosen.out.read_text("utf-8"))["runs"])))


if __name__ == "__main__":
    main()
