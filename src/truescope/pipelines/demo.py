"""`demo`: the main job on the built-in world, from a prompt to judged claims.

Model ─run→ activations ─explain→ dependence → groups (one half of the prompts)
                                                └→ Claims ─judge (the other half, beside controls)→ Verdicts
Model ─trace→ Graph, which says how much of the answer runs through each group
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from truescope.core.claims import Claim, ControlPlan
from truescope.core.errors import StoreError, UsageError
from truescope.core.features import Feature
from truescope.core.graphs import Graph
from truescope.core.progress import Watcher
from truescope.dictionaries import Dictionary
from truescope.explain import Grouping, GroupingRule, digit_dependence, group_units
from truescope.judge import MATCHED_ON, Ledger, Statement, draw_controls
from truescope.models import Model
from truescope.pipelines.cases import addition_task, with_procedures
from truescope.pipelines.evidence import Domain, units_of
from truescope.pipelines.judge import Halves, judge_claims
from truescope.pipelines.runs import run_facts
from truescope.pipelines.subjects import (
    ADDITION,
    BUILT_IN,
    NEURONS,
    built_in,
    dictionary_id,
    load_dictionary,
    load_model,
    place_of,
    replacement_of,
)
from truescope.pipelines.trace import count_progress, summarise
from truescope.pipelines.view import build_unit, build_view, graph_facts
from truescope.statistics import UnitStatistics
from truescope.store import Run, Store, code_hash
from truescope.trace import UnitScores, load_graph, load_units, save_graph, trace_graph

PROMPT = "36+59="
FEATURES = "transcoder"
"""The demo's units unless others are asked for."""
MIN_CONTROLS = 100
OPERANDS = ("first operand", "second operand")
JUDGED = ("units digits", "magnitude")
THRESHOLDS = tuple(round(0.16 + 0.02 * step, 2) for step in range(43))
"""Shares of a unit's variance that a part of the input must explain, lowest first."""
N_TRIED = 20
"""Random groups that are drawn to see whether a group can be matched."""


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
    dictionary: str | Path = FEATURES,
    n_controls: int = MIN_CONTROLS,
    seed: int = 0,
    fresh: bool = False,
    retrain: bool = False,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> DemoReport:
    """Trace why the addition world answers 95 to "36+59=", and judge what its groups of units are needed for.

    ``dictionary`` gives the units: the features of a built-in dictionary, "transcoder" or "clt", "neurons", or the
    folder of a dictionary that was trained on the world. With ``retrain`` the world and its dictionaries are not those
    that ship but trained anew from ``seed``, kept in the store.
    ``seed`` splits the 10,000 prompts, and draws the controls and the bootstrap samples. The same seed and number of
    controls give the same run, which is loaded rather than computed again unless it is ``fresh``.

    Raises:
        UsageError: fewer than 100 controls.
        DictionaryError: the dictionary is absent, damaged, or belongs to another model.
    """
    if n_controls < MIN_CONTROLS:
        raise UsageError(
            f"{n_controls} controls are too few for a verdict", fix=f"give {MIN_CONTROLS} or more, or leave it out"
        )
    if seed < 0:
        raise UsageError(f"the seed is {seed}", fix="give a whole number from 0 up")
    watcher, store = watcher or Watcher(), store or Store.open()
    world = _retrained(seed, store, watcher) if retrain else ADDITION
    with watcher.stage("load") as said:
        model = load_model(world)
        if retrain and str(dictionary) in BUILT_IN:
            dictionary = built_in(str(dictionary), world)
        loaded = load_dictionary(dictionary, model)
        said["text"] = (
            f"Loaded the addition world ({model.family.name}, {model.n_layers} layers of {model.n_neurons} neurons)"
        )
    inputs = {"model_hash": model.hash, "prompt": PROMPT, "seed": seed, "n_controls": n_controls}
    inputs |= {"dictionary": dictionary_id(loaded), "data_hash": addition_task(model).hash}
    run = store.run("demo", inputs | {"code": code_hash(__name__)})
    with run.locked(watcher.note):
        if fresh or not run.finished:
            _compute(run, _Subject(model, loaded, str(dictionary), str(world)), seed, n_controls, fresh, watcher)
        graph = load_graph(run.path("graph"))
        return DemoReport(graph, run.folder, run.read_json("view.json"))


def _retrained(seed: int, store: Store, watcher: Watcher) -> Path:
    # Training is imported where it is asked for.
    from truescope.pipelines.world import retrained_world

    return retrained_world(seed, store, watcher)


@dataclass(frozen=True)
class _Subject:
    """The model, the dictionary whose features are its units (None: its neurons), and what both are loaded from."""

    model: Model
    dictionary: Dictionary | None
    dictionary_name: str
    world: str


def _compute(run: Run, subject: _Subject, seed: int, n_controls: int, fresh: bool, watcher: Watcher) -> None:
    """Every stage of the demo; what a killed run finished is not computed again."""
    graph, scores = _trace(run, subject, fresh, watcher)
    with watcher.stage("groups") as said:
        model, domain = subject.model, Domain.of(subject.model, subject.dictionary)
        task = addition_task(model)
        halves = Halves.cut(model, task, seed, domain.activations, subject.dictionary)
        grouping = find_groups(domain, halves)
        said["text"] = f"Grouped {grouping.n_live:,} live units on {grouping.n:,} prompts: " + ", ".join(
            f"{len(units)} {name}" for name, units in grouping.groups.items() if units
        )
    statement = halves.statement(model, rule=grouping.rule.to_json(), n_controls=n_controls)
    claims = state_claims(statement, grouping)
    case = case_of(claims, grouping, subject, seed, n_controls)
    claims = with_procedures(claims, case)
    run.write_json("case.json", case)
    if fresh or not run.has("verdicts.json"):
        verdicts = judge_claims(model, claims, halves, Ledger(run.folder.parents[2] / "ledger.jsonl"), watcher)
        run.write_json("verdicts.json", [verdict.to_json() for verdict in verdicts])
    group_of = {u: name for name, members in grouping.groups.items() if name != "silent" for u in members}
    names = _describe(run, model, domain, graph, group_of, watcher)
    view = build_view(
        graph,
        title=f"{PROMPT} — {model.name}",
        family=model.family.name,
        run=run_facts(run, model, seed=seed, data_hash=task.hash),
        seconds=watcher.seconds,
        names=names,
        group_of=group_of,
        groups=group_shares(grouping, scores, len(graph.tokens) - 1, {c.target["group"]: c.id for c in claims}),
        claims=run.read_json("verdicts.json"),
    )
    run.write_json("view.json", view)
    run.finish(graph_facts(graph) | {"claims": {c["id"]: c["status"] for c in view["claims"]}})


def _trace(run: Run, subject: _Subject, fresh: bool, watcher: Watcher) -> tuple[Graph, UnitScores]:
    """The graph of the prompt, and every unit's score before pruning."""
    with watcher.stage("trace") as said:
        if fresh or not run.has("graph"):
            # Tracing switches a model to eager attention; the one that is judged keeps its own.
            own = load_model(subject.world)
            traced = trace_graph(
                own,
                own.tokens(PROMPT),
                replacement=replacement_of(own, subject.dictionary),
                prompt=PROMPT,
                progress=count_progress(watcher, "trace"),
            )
            with run.writing_folder("graph") as folder:
                save_graph(traced.graph, folder, traced.units)
        graph, scores = load_graph(run.path("graph")), load_units(run.path("graph"))
        if scores is None:
            raise StoreError(f"{run} has a graph without scores", fix="run `truescope demo --fresh`")
        said["text"] = f"Traced {PROMPT!r}: {graph.n_nodes:,} nodes, {graph.n_edges:,} edges"
    return graph, scores


def _describe(
    run: Run, model: Model, domain: Domain, graph: Graph, group_of: Mapping[Feature, str], watcher: Watcher
) -> dict[Feature, str]:
    """Write the panel of every unit that the graph shows; their names."""
    with watcher.stage("evidence") as said:
        evidence = domain.evidence(model, units_of(graph))
        panels = {str(e.feature): build_unit(e, group_of.get(e.feature), OPERANDS) for e in evidence}
        run.write_json("units.json", panels)
        said["text"] = f"Described {len(evidence):,} units"
    return {e.feature: e.name for e in evidence}


def find_groups(domain: Domain, halves: Halves) -> Grouping:
    """Group the units by what their activation depends on, over the grouping half and nothing else.

    The threshold is the lowest of `THRESHOLDS` at which a claim about either group can be tested: neither takes more
    than half of a layer's live units, and random groups matched in activation size can be drawn from the rest. Where no
    threshold does both, it is the lowest that leaves the halves.
    """
    seen = halves.grouping
    dependence = digit_dependence(domain.activations[seen], domain.first[seen], domain.second[seen])
    groupings = (group_units(halves.units, dependence, GroupingRule(threshold=each)) for each in THRESHOLDS)
    roomy = [grouping for grouping in groupings if _leaves_half(grouping, halves.units)]
    return next((grouping for grouping in roomy if _can_be_matched(grouping, halves)), roomy[0])


def _leaves_half(grouping: Grouping, units: UnitStatistics) -> bool:
    n_live = Counter(unit.layer for unit, live in zip(units.features, units.live, strict=True) if live)
    sizes = grouping.per_layer()
    return all(2 * n <= n_live[layer] for name in JUDGED for layer, n in sizes[name].items())


def _can_be_matched(grouping: Grouping, halves: Halves) -> bool:
    plan = ControlPlan("random groups", MATCHED_ON, N_TRIED, halves.seed)
    return not any(draw_controls(grouping.groups[name], halves.units, plan).reason for name in JUDGED)


def state_claims(statement: Statement, grouping: Grouping) -> list[Claim]:
    """One claim for the group of the units digits, one for the magnitude; of features more is asked than of neurons,
    whose groups leave more of both paths to others."""
    units, magnitude = grouping.groups["units digits"], grouping.groups["magnitude"]
    if statement.dictionary == NEURONS:
        return [statement.units_digits(units), statement.magnitude(magnitude)]
    return [statement.units_digits(units, most_exact=0.20), statement.neighbourhood(magnitude)]


def case_of(claims: list[Claim], grouping: Grouping, subject: _Subject, seed: int, n_controls: int) -> dict[str, Any]:
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
        "model": place_of(subject.world),
        "dictionary": place_of(subject.dictionary_name),
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
