"""Explainers of a trained network side by side: fidelity, robust fidelity, stability over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from truescope.core.config import data_folder
from truescope.core.errors import ModelError, UsageError
from truescope.core.progress import Watcher
from truescope.gnn import find_subject
from truescope.gnn.explainers import explainer
from truescope.gnn.fidelity import fidelity, stability
from truescope.pipelines.graphs.running import provenance
from truescope.store import Store, code_hash

EVALUATED = ("saliency", "integrated_gradients", "lrp_gamma", "gnn_explainer", "graphlime", "occlusion", "random")
_SEEDED = ("gnn_explainer", "random", "shapley", "pg_explainer")


def run_evaluate(
    name: str,
    kind: str,
    explainers: Sequence[str] | None,
    part: str,
    share: float,
    n_nodes: int,
    n_seeds: int,
    data: Path | None,
    seed: int,
    store: Store,
    watcher: Watcher,
) -> dict[str, Any]:
    """Train or load, explain, take away what was named, ask again; see `gnn_evaluate`."""
    names = tuple(explainers or EVALUATED)
    for one in names:
        if part not in explainer(one).scores:
            raise UsageError(f"{one} does not score {part}", fix="choose other explainers, or the other part")
    with watcher.stage("load") as said:
        subject, facts = find_subject(name, data or data_folder(), kind=kind, seed=seed)
        said["text"] = f"Loaded {facts['subject']}: {subject.n_nodes:,} nodes, {subject.n_arcs:,} arcs"
    inputs = {**facts, "explainers": list(names), "part": part, "share": share, "n_nodes": n_nodes, "n_seeds": n_seeds}
    run = store.run("gnn-evaluate", inputs | {"seed": seed, "code": code_hash(__name__)}, title=f"{name} {kind}")
    rng = np.random.default_rng(seed)
    candidates = np.arange(subject.n_nodes) if not facts.get("explained") else np.array(facts["explained"])
    nodes = np.sort(rng.choice(candidates, min(n_nodes, len(candidates)), replace=False))
    facts = {k: v for k, v in facts.items() if k != "explained"}
    with run.locked(watcher.note):
        rows = []
        with watcher.stage("evaluate") as said:
            for done, one in enumerate(names):
                watcher.progress("evaluate", done, len(names))
                try:
                    found = [explainer(one).call(subject, nodes, seed)]
                except ModelError as error:
                    watcher.note(f"{one} is left out: {error.what} ({error.why})")
                    continue
                if one in _SEEDED and n_seeds > 1:
                    found += [explainer(one).call(subject, nodes, seed + 1 + i) for i in range(n_seeds - 1)]
                measured = fidelity(subject, found[0], part=part, share=share, seed=seed).record()
                rows.append(measured | {"stability": stability(found, part=part) if len(found) > 1 else None})
            said["text"] = f"Evaluated {len(rows)} explainers on {len(nodes)} nodes"
        record = {"subject": facts, "part": part, "share": share, "n_nodes": len(nodes), "rows": rows}
        record |= {"run": {"id": run.id, **provenance(seed)}}
        run.write_json("evaluation.json", record)
        if not run.finished:
            run.finish({"n_explainers": len(rows)})
    return record
