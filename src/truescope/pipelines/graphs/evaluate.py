"""Explainers of trained networks side by side: fidelity, robust fidelity, stability over seeds and over networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from truescope.core.config import data_folder
from truescope.core.errors import GraphError, ModelError, UsageError, nearest
from truescope.core.progress import Watcher
from truescope.core.wording import counted
from truescope.gnn import find_subject
from truescope.gnn.explainers import EXPLAINERS, Attributions, explainer
from truescope.gnn.fidelity import fidelity, stability
from truescope.gnn.networks import Subject
from truescope.pipelines.graphs.running import answers_hash, provenance, subject_hash
from truescope.store import Store, code_hash

EVALUATED = {
    "features": ("saliency", "integrated_gradients", "lrp_gamma", "gnn_explainer", "graphlime", "occlusion", "random"),
    "arcs": ("arc_saliency", "arc_integrated_gradients", "gnn_lrp", "gnn_explainer", "random"),
}
"""The explainers that are asked of each part unless told otherwise."""
_SEEDED = ("gnn_explainer", "random", "shapley", "pg_explainer", "graphmask", "pgm_explainer", "subgraphx")
_LOG = "rows.jsonl"


def run_evaluate(
    name: str,
    kind: str,
    explainers: Sequence[str] | None,
    part: str,
    share: float,
    n_nodes: int,
    n_seeds: int,
    n_networks: int,
    data: Path | None,
    seed: int,
    store: Store,
    watcher: Watcher,
) -> dict[str, Any]:
    """Train or load, explain, take away what was named, ask again; see `gnn_evaluate`."""
    if part not in EVALUATED:
        raise UsageError(
            f"there is no part {part!r} to take away",
            why=f"explainers are evaluated by {' or '.join(EVALUATED)}",
            fix=nearest(part, EVALUATED) or "leave --part out for features",
        )
    names = tuple(explainers or EVALUATED[part])
    for one in names:
        if part not in explainer(one).scores:
            fit = ", ".join(each for each in EXPLAINERS if part in EXPLAINERS[each].scores)
            raise UsageError(f"{one} does not score {part}", fix=f"name explainers that do: {fit}")
    if n_nodes < 1 or n_seeds < 1 or n_networks < 1 or seed < 0 or not 0 < share <= 1:
        raise UsageError("nodes, seeds and networks are 1 or more, the seed 0 or more, the share above 0 and up to 1")
    networks, facts, hashes = _networks(name, kind, n_networks, data or data_folder(), seed, watcher)
    rng = np.random.default_rng(seed)
    candidates = np.array(facts.pop("explained", None) or np.arange(networks[0].n_nodes))
    nodes = np.sort(rng.choice(candidates, min(n_nodes, len(candidates)), replace=False))
    asked = _Question(tuple(networks), nodes, part, share, n_seeds, seed)
    inputs = {**facts, "part": part, "share": share, "n_nodes": n_nodes, "n_seeds": n_seeds, "networks": hashes}
    run = store.run("gnn-evaluate", inputs | {"seed": seed, "code": code_hash(__name__)}, title=f"{name} {kind}")
    with run.locked(watcher.note):
        known = {row["explainer"]: row for row in run.read_lines(_LOG)}
        with watcher.stage("evaluate") as said:
            for done, one in enumerate(names):
                watcher.progress("evaluate", done, len(names))
                if one not in known:
                    known[one] = asked.row(one)
                    run.append_line(_LOG, known[one])
                if "left_out" in known[one]:
                    watcher.note(f"{one} is left out: {known[one]['left_out']}")
            said["text"] = (
                f"Evaluated {counted(len(names), 'explainer')} at {counted(len(nodes), 'node')} "
                f"of {counted(len(networks), 'network')}"
            )
        rows = [known[one] for one in names if "left_out" not in known[one]]
        record = {"subject": facts, "part": part, "share": share, "n_nodes": len(nodes), "n_networks": len(networks)}
        record |= {"rows": rows, "left_out": {one: known[one]["left_out"] for one in names if "left_out" in known[one]}}
        record |= {"run": {"id": run.id, **provenance(seed)}}
        run.write_json("evaluation.json", record)
        if not run.finished:
            run.finish({"n_explainers": len(rows)})
    return record


@dataclass(frozen=True)
class _Question:
    """What every explainer is asked: the same nodes of every network."""

    networks: tuple[Subject, ...]
    nodes: np.ndarray
    part: str
    share: float
    n_seeds: int
    seed: int

    def row(self, name: str) -> dict[str, Any]:
        """An explainer's measures, or why it is left out."""
        try:
            # One seed on every network: over them only the networks differ, and over seeds only the seeds.
            found = [explainer(name).call(one, self.nodes, self.seed) for one in self.networks]
            again = self._again(name, found[0])
        except (GraphError, ModelError) as error:
            return {"explainer": name, "left_out": f"{error.what} ({error.why})"}
        measured = fidelity(self.networks, found, part=self.part, share=self.share, seed=self.seed)
        how: Mapping[str, Any] = {"part": self.part, "share": self.share}
        return {
            **measured.record(),
            "stability": stability(again, **how).record() if len(again) > 1 else None,
            "over_networks": stability(found, **how).record() if len(found) > 1 else None,
        }

    def _again(self, name: str, first: Attributions) -> list[Attributions]:
        """The first network's explanation under each seed, where the explainer draws random numbers."""
        more = range(1, self.n_seeds) if name in _SEEDED else ()
        return [first, *(explainer(name).call(self.networks[0], self.nodes, self.seed + i) for i in more)]


def _networks(
    name: str, kind: str, n: int, folder: Path | None, seed: int, watcher: Watcher
) -> tuple[list[Subject], dict[str, Any], list[str]]:
    """The network and, of a named subject, those that other seeds train on the same nodes; what is known; hashes."""
    found: list[Subject] = []
    accuracies = []
    facts: dict[str, Any] = {}
    with watcher.stage("load") as said:
        for training_seed in range(seed, seed + (1 if ":" in name else n)):
            subject, known = find_subject(name, folder, kind=kind, seed=seed, training_seed=training_seed)
            facts = facts or known
            found.append(subject)
            accuracies.append(known.get("test_accuracy"))
        first = found[0]
        said["text"] = (
            f"Loaded {facts['subject']}: {counted(first.n_nodes, 'node')}, {counted(first.n_arcs, 'arc')}, "
            f"{counted(len(found), 'network')}"
        )
    if accuracies[0] is not None:
        facts["test_accuracies"] = accuracies
    return found, facts, [f"{subject_hash(subject)} {answers_hash(subject)}" for subject in found]
