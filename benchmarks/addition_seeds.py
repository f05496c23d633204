"""The demo's claims on addition worlds trained anew: do the medians over five seeds meet the bars?

    python benchmarks/addition_seeds.py [--home FOLDER] [--seeds 0 1 2 3 4] [--out FILE]

For each seed: a world and its dictionaries trained from nothing, groups found on one half of the prompts, claims judged
on the other half beside 100 matched random groups, for the world's neurons and for the features of both dictionaries.
Runs that the store in FOLDER holds are read, not repeated; without one a temporary store is used, and a seed takes five
minutes on two cores. Features are judged twice: taken out as the prompt coded them, which is what the claims say, and
held at their means while the model runs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from machine import describe
from truescope.core.progress import Watcher
from truescope.judge import SCORES
from truescope.pipelines.demo import demo
from truescope.store import Store

UNITS = ("neurons", "transcoder", "clt")
RESULTS = Path(__file__).parent / "results" / "addition_seeds.json"
BARS = {
    "neurons": {
        "units digits": {"within_5": (">=", 0.99), "exact": ("<=", 0.60)},
        "magnitude": {"units_digit": (">=", 0.99), "exact": ("<=", 0.45)},
    },
    "features": {
        "units digits": {"within_5": (">=", 0.99), "exact": ("<=", 0.20)},
        "magnitude": {"units_digit": (">=", 0.98), "within_5": ("<=", 0.10)},
    },
}


def judged(seed: int, dictionary: str, store: Store) -> dict[str, Any]:
    """One demo, as plain numbers."""
    report = demo(dictionary=dictionary, seed=seed, retrain=True, store=store, watcher=Watcher())
    summary = report.summary()
    shares = {group["name"]: group for group in summary["groups"]}
    row: dict[str, Any] = {"seed": seed, "units": dictionary, "model_hash": summary["run"]["model_hash"], "claims": {}}
    card = _card(report.folder)
    if card is not None:
        row["held_out"] = card
    for claim in summary["claims"]:
        name = claim["target"]["group"]
        (control,) = claim["controls"] or [{"n": 0, "n_won": 0, "scores": []}]
        row["claims"][name] = {
            "status": claim["status"],
            "evidence_level": claim["evidence_level"],
            "scores": {s["name"]: [s["value"], s["low"], s["high"]] for s in claim["scores"]},
            "controls": {"n": control["n"], "n_won": control["n_won"]}
            | {s["name"]: [s["low"], s["value"], s["high"]] for s in control["scores"]},
            "share_live": shares[name]["share_live"],
            "share_influence": shares[name]["share_influence"],
            "held_while_running": {name: claim["facts"].get(f"{name}_held_while_running") for name in SCORES},
        }
    row["share_influence"] = sum(claim["share_influence"] for claim in row["claims"].values())
    row["share_live"] = sum(claim["share_live"] for claim in row["claims"].values())
    return row


def _card(folder: Path) -> dict[str, Any] | None:
    """What the case's dictionary leaves unexplained on held-out sums."""
    place = Path(json.loads((folder / "case.json").read_text("utf-8"))["dictionary"]) / "dictionary.json"
    return json.loads(place.read_text("utf-8"))["info"]["held_out"] if place.is_file() else None


def medians(rows: list[dict[str, Any]], units: str) -> dict[str, Any]:
    """The median of each score that has a bar, whether it meets it, and how many controls won in all."""
    chosen = [row for row in rows if row["units"] == units]
    found: dict[str, Any] = {}
    for group, bars in BARS["neurons" if units == "neurons" else "features"].items():
        for score, (relation, bar) in bars.items():
            value = median(row["claims"][group]["scores"][score][0] for row in chosen)
            met = value >= bar if relation == ">=" else value <= bar
            found[f"{group}: {score}"] = {"median": value, "bar": f"{relation} {bar:g}", "met": met}
        found[f"{group}: controls that won"] = sum(row["claims"][group]["controls"]["n_won"] for row in chosen)
        found[f"{group}: statuses"] = [row["claims"][group]["status"] for row in chosen]
    influence = median(row["share_influence"] for row in chosen)
    found["share of influence"] = {"median": influence, "share of live units": median(r["share_live"] for r in chosen)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="the store to keep the runs in; a temporary one by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    machine = describe()
    with tempfile.TemporaryDirectory() as temporary:
        store = Store.open(chosen.home or Path(temporary))
        rows = []
        for seed in chosen.seeds:
            for units in UNITS:
                rows.append(judged(seed, units, store))
                scores = {name: claim["scores"] for name, claim in rows[-1]["claims"].items()}
                print(seed, units, json.dumps(scores), flush=True)
    record = {"machine": machine, "medians": {units: medians(rows, units) for units in UNITS}, "runs": rows}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(record["medians"], indent=1))


if __name__ == "__main__":
    main()
