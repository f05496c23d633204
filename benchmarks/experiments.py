"""How much of the demo's answer do its groups carry, and is a path from layer 0 to layer 1 its mechanism?

    python benchmarks/experiments.py [--pairs 400] [--seed 0] [--out FILE]

The groups of transcoder features of the demo have three experiments each: moved towards another prompt's values at four
doses, set to their means, and followed from layer 0 through layer 1, beside 100 matched random groups. docs/judging.md
shows the table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from machine import describe
from truescope.core.progress import Watcher
from truescope.pipelines import demo, judge
from truescope.store import Store

RESULTS = Path(__file__).parent / "results" / "experiments.json"


def experiments_of(claim: dict[str, Any]) -> list[dict[str, Any]]:
    """The three experiments on one group of the demo's case."""
    group, units = claim["group"], claim["units"]
    layers = {layer: [unit for unit in units if unit.startswith(f"{layer}/")] for layer in (0, 1)}
    return [
        {
            "ask": "dose-response",
            "group": group,
            "units": units,
            "text": f"Setting the {group} group to another prompt's values raises that prompt's answer",
            "predictions": ["effect >= 0.3"],
        },
        {
            "ask": "necessity",
            "group": group,
            "units": units,
            "text": f"Without the {group} group a part of the answer is lost",
            "predictions": ["effect >= 0.1"],
        },
        {
            "ask": "path",
            "group": group,
            "from": layers[0],
            "through": layers[1],
            "text": f"The {group} group of layer 0 implements the answer through that of layer 1",
            "predictions": ["effect >= 0.3", "faithfulness >= 0.8", "completeness >= 0.8"],
        },
    ]


def judged(n_pairs: int, seed: int, store: Store) -> dict[str, Any]:
    """The verdicts on both groups, as plain records, and the run that they come from."""
    shown = demo(dictionary="transcoder", seed=seed, store=store, watcher=Watcher())
    case = json.loads((shown.folder / "case.json").read_text("utf-8"))
    asked = [experiment for claim in case["claims"] for experiment in experiments_of(claim)]
    report = judge(case | {"claims": [], "experiments": asked, "n_pairs": n_pairs, "n_controls": 100}, store=store)
    return {"claims": list(report.claims), "run": dict(report.run), "seconds": dict(report.seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    machine = describe()
    with tempfile.TemporaryDirectory() as temporary:
        found = judged(chosen.pairs, chosen.seed, Store.open(Path(temporary)))
    for claim in found["claims"]:
        claim["target"].pop("features", None)
        claim.pop("procedure", None)
        scores = ", ".join(f"{s['name']} {s['value']:.3f} ({s['low']:.3f}–{s['high']:.3f})" for s in claim["scores"])
        print(f"{claim['status']:9} {claim['evidence_level']} {claim['text']}: {scores}")
    record = {"machine": machine, "n_pairs": chosen.pairs, "seed": chosen.seed, **found}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
