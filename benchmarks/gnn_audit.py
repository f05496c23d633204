"""Who notices that a network uses gender: the tables of docs/graph-networks.md, on three social networks.

    python benchmarks/gnn_audit.py [--data FOLDER] [--home FOLDER] [--seeds 0 1 2] [--out FILE] [--show]

`gnn audit` with its defaults on Reed98, Amherst41 and ego-Facebook 1684, three seeds each; a seed draws the nodes and
the training nodes and starts the network. Runs that the store in FOLDER holds are read, not repeated; without one a
temporary store is used, and all take a quarter of an hour. ``--show`` prints the tables of the results that are there.
One thread, seconds of the processor.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from machine import describe
from truescope.pipelines import gnn_audit
from truescope.store import Store

RESULTS = Path(__file__).parent / "results" / "gnn_audit.json"
SUBJECTS = ("reed98", "amherst41", "ego-facebook")
TITLES = {"reed98": "Reed98", "amherst41": "Amherst41", "ego-facebook": "ego-Facebook"}


def audited(name: str, seed: int, data: Path | None, store: Store) -> dict[str, Any]:
    """One run: each explainer's doses in order of strength, where it notices, and how its claim ended."""
    began = time.process_time()
    record = gnn_audit(name, data=data, seed=seed, store=store).record
    seconds = time.process_time() - began
    claims = {claim["target"]["explainer"]: claim for claim in record["claims"]}
    explainers = {}
    for one, threshold in record["thresholds"].items():
        doses = sorted((d for d in record["doses"] if d["explainer"] == one), key=lambda d: d["strength"])
        claim = claims[one]
        explainers[one] = {
            **{key: [dose[key] for dose in doses] for key in ("area", "low", "high", "first", "n_named")},
            "noticed_from": threshold,
            "always": one in record["false_alarms"],
            "status": claim["status"],
            "matched_areas": next(dose["matched_areas"] for dose in doses if dose["strength"] == 1),
            "n_controls_won": [sum(c[key] for c in claim["controls"]) for key in ("n_won", "n")],
        }
    return {
        "name": name,
        "seed": seed,
        "seconds": round(seconds, 1),
        "run": record["run"]["id"],
        "feature": record["feature"],
        "subject": record["subject"],
        "strengths": [effect["strength"] for effect in record["effects"]],
        "changed": [effect["changed"] for effect in record["effects"]],
        "n_nodes": max(dose["n_nodes"] for dose in record["doses"]),
        "explainers": explainers,
    }


def doses_table(run: Mapping[str, Any]) -> Iterator[str]:
    """One run's areas by strength, as the documentation has them."""
    from truescope.statistics import proportion_interval

    steps = "".join(f"{strength:>6g}" for strength in run["strengths"])
    title = f"{TITLES[run['name']]}, seed {run['seed']}"
    yield f" {title:24}{steps}   at 1 [95 % interval]   noticed from   false alarms"
    at_1 = run["strengths"].index(1)
    for name, one in run["explainers"].items():
        areas = "".join(f"{area:6.2f}" for area in one["area"])
        low, high = proportion_interval(one["n_named"][0], run["n_nodes"])
        rate = f"{one['n_named'][0] / run['n_nodes']:.0%} [{low:.0%}, {high:.0%}]"
        span = f"{one['area'][at_1]:.2f} [{one['low'][at_1]:.2f}, {one['high'][at_1]:.2f}]"
        yield f" {name.replace('_', ' '):24}{areas}   {span}{said(one):>16}{rate:>16}"
    yield f" {'classes it changes':24}{''.join(f'{share:6.0%}' for share in run['changed'])}"


def said(one: Mapping[str, Any]) -> str:
    """From which strength an explainer notices, in words."""
    return "always" if one["always"] else "never" if one["noticed_from"] is None else f"{one['noticed_from']:g}"


def seeds_table(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where each explainer notices on each network, over the seeds, and its false alarms, as documented."""
    seeds = sorted({run["seed"] for run in runs})
    n_all = sum(run["n_nodes"] for run in runs)
    head = f" noticed from, seeds {seeds[0]}–{seeds[-1]}"
    yield f"{head:28}{'Reed98':>6}{'Amherst41':>12}{'ego-Facebook':>15}   false alarms of {n_all}"
    for name in runs[0]["explainers"]:
        cells = []
        for subject in SUBJECTS:
            mine = [run["explainers"][name] for run in runs if run["name"] == subject]
            order = sorted({said(one) for one in mine}, key=lambda word: (not word[0].isdigit(), word))
            cells.append("–".join((order[0], order[-1])) if len(order) > 1 else order[0])
        alarms = sum(run["explainers"][name]["n_named"][0] for run in runs)
        yield f" {name.replace('_', ' '):26}{cells[0]:>7}{cells[1]:>12}{cells[2]:>15}{alarms:>15}"


def written(record: Mapping[str, Any]) -> str:
    """JSON with each list of plain values on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    lists = re.compile(r"\[\n\s+[^\[\]{}]*?\n\s+\]")
    return lists.sub(lambda found: re.sub(r"\n\s+", "", found[0].replace(",\n", ", \n")), text) + "\n"


def main() -> None:
    """Run, print and write, with the machine that the numbers come from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of real data; TRUESCOPE_DATA where none is named")
    parser.add_argument("--home", type=Path, help="the store to keep the runs in; a temporary one by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true")
    chosen = parser.parse_args()
    if not chosen.show:
        warnings.simplefilter("ignore")
        machine, runs = describe(), []
        with tempfile.TemporaryDirectory() as temporary:
            store = Store.open(chosen.home or Path(temporary))
            for name in SUBJECTS:
                for seed in chosen.seeds:
                    runs.append(audited(name, seed, chosen.data, store))
                    held = [one for one, told in runs[-1]["explainers"].items() if told["status"] == "held"]
                    print(name, seed, runs[-1]["seconds"], "s; held:", ", ".join(held) or "none", flush=True)
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(written({"machine": machine, "runs": runs}), "utf-8")
    found = json.loads(chosen.out.read_text("utf-8"))["runs"]
    print("\n".join((*doses_table(found[0]), "", *seeds_table(found))))


if __name__ == "__main__":
    main()
