"""`demo`: the main job on the built-in world, from a prompt to judged claims.

Model ─run→ activations ─explain→ dependence → groups (one half of the prompts)
                                                └→ Claims ─judge (the other half, beside controls)→ Verdicts
Model ─trace→ Graph, which says how much of the answer runs through each group
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from truescope.core.claims import Claim
from truescope.core.errors import StoreError, UsageError
from truescope.core.features import Feature
from truescope.core.graphs import Graph
from truescope.core.progress import Watcher
from truescope.explain import Grouping, GroupingRule, digit_dependence, group_units
from truescope.judge import Ledger, NumberTask, Statement, token_numbers
from truescope.models import Model
from truescope.pipelines.evidence import Domain, units_of
from truescope.pipelines.judge import Halves, judge_claims
from truescope.pipelines.subjects import ADDITION, load_model
from truescope.pipelines.trace import count_progress, run_facts, summarise
from truescope.pipelines.view import build_unit, build_view, graph_facts
from truescope.store import Run, Store, versions
from truescope.trace import UnitScores, load_graph, load_units, save_graph, trace_graph

PROMPT = "36+59="
MIN_CONTROLS = 100


@dataclass(frozen=True)
class DemoReport:
    """The demo's graph and verdicts, and the run folder that holds them."""

    graph: Graph
    folder: Path
    view: Mapping[str, Any]

    def summary(self) -> dict[str, Any]:
        """What ``truescope demo --json`` prints."""
        return summarise(self.graph, self.view) | {"claims": self.view["claims"], "groups": self.view["groups"]}


def demo(
    *,
    n_controls: int = MIN_CONTROLS,
    seed: int = 0,
    fresh: bool = False,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> DemoReport:
    """Trace why the addition world answers 95 to "36+59=", and judge what its groups of neurons are needed for.

    ``seed`` splits the 10,000 prompts, and draws the controls and the bootstrap samples. The same seed and number of
    controls give the same run, which is loaded rather than computed again unless it is ``fresh``.

    Raises:
        UsageError: fewer than 100 controls.
    """
    if n_controls < MIN_CONTROLS:
        raise UsageError(
            f"{n_controls} controls are too few for a verdict", fix=f"give {MIN_CONTROLS} or more, or leave it out"
        )
    watcher = watcher or Watcher()
    with watcher.stage("load") as said:
        model = load_model(ADDITION)
        said["text"] = (
            f"Loaded the addition world ({model.family.name}, {model.n_layers} layers of {model.n_neurons} neurons)"
        )
    store = store or Store.open()
    inputs = {"model_hash": model.hash, "prompt": PROMPT, "seed": seed, "n_controls": n_controls}
    run = store.run("demo", inputs | {"code": versions()["truescope"]})
    with run.locked():
        if fresh or not run.finished:
            _compute(run, model, seed, n_controls, fresh, watcher)
        graph = load_graph(run.path("graph"))
        return DemoReport(graph, run.folder, run.read_json("view.json"))


def _compute(run: Run, model: Model, seed: int, n_controls: int, fresh: bool, watcher: Watcher) -> None:
    """Every stage of the demo; what a killed run finished is not computed again."""
    with watcher.stage("trace") as said:
        if fresh or not run.has("graph"):
            # Tracing switches a model to eager attention; the one that is judged keeps its own.
            own = load_model(ADDITION)
            traced = trace_graph(own, own.tokens(PROMPT), prompt=PROMPT, progress=count_progress(watcher, "trace"))
            with run.writing_folder("graph") as folder:
                save_graph(traced.graph, folder, traced.units)
        graph, scores = load_graph(run.path("graph")), load_units(run.path("graph"))
        if scores is None:
            raise StoreError(f"{run} has a graph without scores", fix="run `truescope demo --fresh`")
        said["text"] = f"Traced {PROMPT!r}: {graph.n_nodes:,} nodes, {graph.n_edges:,} edges"
    with watcher.stage("groups") as said:
        domain = Domain.of(model)
        numbers = token_numbers(model.token_strings(range(model.n_vocab)))
        task = NumberTask(domain.tokens, domain.answers.numpy(), numbers)
        halves = Halves.cut(model, task, seed, domain.activations)
        grouping = find_groups(domain, halves)
        said["text"] = f"Grouped {grouping.n_live:,} live neurons on {grouping.n:,} prompts: " + ", ".join(
            f"{len(units)} {name}" for name, units in grouping.groups.items() if units
        )
    statement = halves.statement(model, rule=grouping.rule.to_json(), n_controls=n_controls)
    claims = state_claims(statement, grouping)
    run.write_json("case.json", case_of(claims, grouping, seed, n_controls))
    if fresh or not run.has("verdicts.json"):
        verdicts = judge_claims(model, claims, halves, Ledger(run.folder.parents[2] / "ledger.jsonl"), watcher)
        run.write_json("verdicts.json", [verdict.to_json() for verdict in verdicts])
    with watcher.stage("evidence") as said:
        units = units_of(graph)
        evidence = domain.evidence(model, units)
        group_of = {u: name for name, members in grouping.groups.items() if name != "silent" for u in members}
        operands = ("first operand", "second operand")
        shown = {str(e.feature): build_unit(e, group_of.get(e.feature), operands) for e in evidence}
        run.write_json("units.json", shown)
        said["text"] = f"Described {len(units):,} units"
    view = build_view(
        graph,
        title=f"{PROMPT} — {model.name}",
        family=model.family.name,
        run=run_facts(run, model, seed=seed, data_hash=task.hash),
        seconds=watcher.seconds,
        names={e.feature: e.name for e in evidence},
        group_of=group_of,
        groups=group_shares(grouping, scores, len(graph.tokens) - 1, {c.target["group"]: c.id for c in claims}),
        claims=run.read_json("verdicts.json"),
    )
    run.write_json("view.json", view)
    run.finish(graph_facts(graph) | {"claims": {c["id"]: c["status"] for c in view["claims"]}})


def find_groups(domain: Domain, halves: Halves, rule: GroupingRule | None = None) -> Grouping:
    """Group the neurons by what their activation depends on, over the grouping half and nothing else."""
    seen = halves.grouping
    dependence = digit_dependence(domain.activations[seen], domain.first[seen], domain.second[seen])
    return group_units(halves.units, dependence, rule)


def state_claims(statement: Statement, grouping: Grouping) -> list[Claim]:
    """One claim for the group of the units digits, one for the magnitude."""
    return [
        statement.units_digits(grouping.groups["units digits"]),
        statement.magnitude(grouping.groups["magnitude"]),
    ]


def case_of(claims: list[Claim], grouping: Grouping, seed: int, n_controls: int) -> dict[str, Any]:
    """The claims as a case that ``truescope judge`` runs again."""
    entries = [
        {
            "group": claim.target["group"],
            "text": claim.text,
            "units": claim.target["features"],
            "predictions": [str(prediction) for prediction in claim.predictions],
        }
        for claim in claims
    ]
    return {
        "model": ADDITION,
        "prompts": ADDITION,
        "seed": seed,
        "n_controls": n_controls,
        "grouping": grouping.rule.to_json(),
        "claims": entries,
    }


def group_shares(grouping: Grouping, units: UnitScores, last: int, claim_of: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each group's share of live units beside its share of influence: its node scores at position ``last``, where it
    was found, over all units' node scores at all positions; target: the answer's logit, before pruning."""
    features = [Feature(int(layer), int(index)) for layer, index in zip(units.layer, units.index, strict=True)]
    here = units.position == last
    return [
        {
            "name": name,
            "label": name,
            "claim_id": claim_of.get(name),
            "n_units": len(members),
            "share_live": len(members) / max(grouping.n_live, 1),
            "share_influence": units.share(here & np.isin(np.arange(len(features)), _places(features, members))),
        }
        for name, members in grouping.groups.items()
        if members and name != "silent"
    ]


def _places(features: list[Feature], members: tuple[Feature, ...]) -> list[int]:
    chosen = set(members)
    return [place for place, feature in enumerate(features) if feature in chosen]
