"""`judge`: claims about groups of units, stated and then tested on a model.

The claims come from a case (`cases`). Its seed splits the prompts: means, sizes and live units are measured on one
half, the claims are tested on the other. Where every answer is a whole number the scores are ``exact``, ``within_5``,
``units_digit`` and ``error``; otherwise an answer is one token, and ``exact`` alone means something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from truescope.core.claims import Claim, Verdict
from truescope.core.errors import UsageError
from truescope.core.progress import Watcher
from truescope.dictionaries import Dictionary
from truescope.explain import UnitSet, last_activations
from truescope.judge import (
    NEURONS,
    Ledger,
    NumberTask,
    Statement,
    claimed_features,
    judge_suppression,
    values_hash,
)
from truescope.models import Model
from truescope.pipelines.cases import Case, Experiments, run_experiments, with_procedures
from truescope.pipelines.reruns import Rerun
from truescope.pipelines.runs import run_facts
from truescope.pipelines.subjects import dictionary_id, load_dictionary, load_model, place_of, same_model
from truescope.statistics import UnitStatistics, split_half
from truescope.store import Run, Store, code_hash, commit, versions


@dataclass(frozen=True)
class Halves:
    """A task cut in two by a seed, and the units as the first half shows them."""

    task: NumberTask
    seed: int
    grouping: Int[np.ndarray, " n_grouping"]
    judging: Int[np.ndarray, " n_judging"]
    units: UnitStatistics
    dictionary: Dictionary | None = None

    @staticmethod
    def cut(
        model: Model,
        task: NumberTask,
        seed: int,
        activations: np.ndarray | None = None,
        dictionary: Dictionary | None = None,
    ) -> Halves:
        """Split the prompts and measure every unit at the last position over the grouping half."""
        grouping, judging = split_half(len(task), seed)
        # All prompts in one order, so that the means come out the same to the last bit whoever measures them.
        seen = last_activations(model, task.tokens, dictionary=dictionary) if activations is None else activations
        units = UnitStatistics.measure(seen[grouping], UnitSet(model, dictionary).every())
        return Halves(task, seed, grouping, judging, units, dictionary)

    @cached_property
    def judged(self) -> NumberTask:
        """The task on the judging half."""
        return self.task.rows(self.judging)

    def statement(self, model: Model, *, rule: Mapping[str, Any], n_controls: int) -> Statement:
        """What every claim on these halves shares."""
        return Statement(
            model_hash=model.hash,
            task=self.judged,
            units=self.units,
            rule=dict(rule),
            split_seed=self.seed,
            n_population=len(self.task),
            n_controls=n_controls,
            control_seed=self.seed,
            dictionary=NEURONS if self.dictionary is None else self.dictionary.name,
            dictionary_hash="" if self.dictionary is None else self.dictionary.hash,
        )


def judge_claims(
    model: Model, claims: Sequence[Claim], halves: Halves, ledger: Ledger, watcher: Watcher
) -> list[Verdict]:
    """State the claims in the ledger, test them, and write the verdicts down."""
    provenance = {"versions": versions(), "commit": commit(), "seed": halves.seed, "model": model.name}
    for claim in claims:
        ledger.state(claim, provenance)
    with watcher.stage("judge") as said:
        verdicts = judge_suppression(
            model, claims, halves.judged, halves.units, dictionary=halves.dictionary, progress=watcher.progress
        )
        said["text"] = f"Judged {len(claims)} claims on {len(halves.judged):,} prompts, with {_n_controls(claims)}"
    for verdict in verdicts:
        ledger.append(verdict, provenance)
    return verdicts


def _n_controls(claims: Sequence[Claim]) -> str:
    return f"{sum(claim.control.n for claim in claims):,} matched random groups"


@dataclass(frozen=True)
class JudgeReport:
    """The verdicts on a case, the ledger that holds them, and the run that gave them."""

    claims: tuple[Mapping[str, Any], ...]
    """Each verdict as `Verdict.to_json` gives it, in the order of the case."""
    ledger: Path
    folder: Path
    run: Mapping[str, Any]
    seconds: Mapping[str, float]

    def summary(self) -> dict[str, Any]:
        """What ``truescope judge --json`` prints."""
        return {
            "claims": [dict(claim) for claim in self.claims],
            "ledger": str(self.ledger),
            "seconds": dict(self.seconds),
            "run": dict(self.run),
        }


def judge(
    case: Path | str | Mapping[str, Any],
    *,
    model: str | Path | Model | None = None,
    n_controls: int | None = None,
    seed: int | None = None,
    fresh: bool = False,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> JudgeReport:
    """Test the claims of a case, on its own model or on ``model``; ``n_controls`` and ``seed`` override the case's.

    The same claims on the same model and prompts give the same run, which is loaded rather than computed again unless
    it is ``fresh``.

    Raises:
        UsageError: the case is absent, no JSON, or a part of it is missing or wrong; the part is named.
        ClaimError: a claim that cannot be judged as it stands.
    """
    watcher, store = watcher or Watcher(), store or Store.open()
    read = Case.read(case)
    seed, n_controls = _chosen(read, seed, n_controls)
    with watcher.stage("load") as said:
        subject = load_model(model if model is not None else read.model)
        dictionary = load_dictionary(read.dictionary, subject)
        task = read.task(subject)
        said["text"] = f"Loaded {subject.name} ({subject.family.name}, {subject.n_layers} layers)"
    rule = dict(read.grouping or {"rule": "named by the case"})
    inputs = {"model_hash": subject.hash, "data_hash": task.hash, "dictionary": dictionary_id(dictionary)}
    inputs |= {"claims": read.record.get("claims", []), "grouping": rule, "seed": seed, "n_controls": n_controls}
    if read.experiments:
        inputs |= {"experiments": read.record["experiments"], "n_pairs": read.n_pairs}
    title = (*read.claims, *read.experiments)[0].text
    run = store.run("judge", inputs | {"code": code_hash(__name__)}, title=title)
    ledger = Ledger(store.path / "ledger.jsonl")
    with run.locked(watcher.note):
        if fresh or not run.finished:
            halves = Halves.cut(subject, task, seed, dictionary=dictionary)
            source = place_of(model if model is not None else read.model)
            again = dict(read.record) | {"model": source, "seed": seed, "n_controls": n_controls}
            again["dictionary"] = place_of(read.dictionary)
            verdicts = _judged(subject, read, halves, again, rule, ledger, watcher)
            _keep(run, subject, verdicts, {"seed": seed, "data_hash": task.hash}, watcher)
        record = run.read_json("verdicts.json")
    return JudgeReport(tuple(record["claims"]), ledger.path, run.folder, record["run"], record["seconds"])


def _judged(
    model: Model,
    case: Case,
    halves: Halves,
    again: Mapping[str, Any],
    rule: Mapping[str, Any],
    ledger: Ledger,
    watcher: Watcher,
) -> list[Verdict]:
    """The verdicts on a case's claims, then those on its experiments; ``again`` is the case as it is run again."""
    verdicts, n_controls = [], int(again["n_controls"])
    if case.claims:
        claims = case.stated(halves.statement(model, rule=rule, n_controls=n_controls))
        verdicts += judge_claims(model, with_procedures(claims, again), halves, ledger, watcher)
    if case.experiments:
        experiments = Experiments.stated(model, case, halves, again, n_controls)
        provenance = {"versions": versions(), "commit": commit(), "seed": halves.seed, "model": model.name}
        verdicts += run_experiments(experiments, ledger, provenance, watcher)
    return verdicts


def rerun_experiment(again: Rerun) -> Verdict:
    """Run an experiment again from its claim's entry, with the experiments that it rests on.

    Raises:
        UsageError: the case does not read.
        ModelError, DictionaryError: the model or the dictionary is not there.
        ClaimError: it is there and is another one than the claim was stated for.
    """
    case, subject, halves = _again(again)
    experiments = Experiments.stated(subject, case, halves, case.record, case.n_controls)
    with again.watcher.stage("experiments") as said:
        verdicts = experiments.judge(again.watcher)
        said["text"] = f"Ran {len(verdicts)} experiments again on {len(experiments.bench.pairs):,} pairs of prompts"
    return verdicts[-1]


def _again(again: Rerun) -> tuple[Case, Model, Halves]:
    """The case of a claim's entry, the model that it was stated for, and its halves."""
    case = Case.read(again.arguments.get("case", {}))
    with again.watcher.stage("load") as said:
        subject = load_model(again.model if again.model is not None else case.model)
        said["text"] = f"Loaded {subject.name} ({subject.family.name}, {subject.n_layers} layers)"
    same_model(again.claim, subject)
    loaded = load_dictionary(again.dictionary if again.dictionary is not None else case.dictionary, subject)
    return case, subject, Halves.cut(subject, case.task(subject), case.seed, dictionary=loaded)


def rerun_suppression(again: Rerun) -> Verdict:
    """Run a suppression claim again from its entry: the case in its ``arguments``, on the model it was stated for.

    Means over the grouping half that differ in their last digits (another processor adds up in another order) are
    noted, and are no obstacle; another model, dictionary or population is.

    Raises:
        UsageError: the case does not read.
        ModelError, DictionaryError: the model or the dictionary is not there.
        ClaimError: it is there and is another one than the claim was stated for.
    """
    claim, watcher = again.claim, again.watcher
    _, subject, halves = _again(again)
    here = values_hash(claimed_features(claim), halves.units)
    now = (
        claim
        if claim.target.get("values_hash") == here
        else replace(claim, target=claim.target | {"values_hash": here})
    )
    with watcher.stage("judge") as said:
        (verdict,) = judge_suppression(
            subject, [now], halves.judged, halves.units, dictionary=halves.dictionary, progress=watcher.progress
        )
        said["text"] = f"Judged it on {len(halves.judged):,} prompts, with {_n_controls([claim])}"
    notes = () if now is claim else ("the means that were set differ from the stated ones in their last digits",)
    return replace(verdict, claim=claim, notes=verdict.notes + notes)


def _chosen(case: Case, seed: int | None, n_controls: int | None) -> tuple[int, int]:
    """The seed and the number of controls: the call's own, else the case's."""
    if seed is not None and seed < 0:
        raise UsageError(f"the seed is {seed}", fix="give a whole number from 0 up")
    if case.grouping is not None and seed is not None and seed != case.seed:
        raise UsageError(
            f"this case's groups were found on the half that seed {case.seed} gives",
            why=f"with seed {seed} they would be judged on prompts that they were found on",
            fix="leave --seed out, or find the groups anew: truescope demo --seed",
        )
    return case.seed if seed is None else seed, case.n_controls if n_controls is None else n_controls


def _keep(run: Run, model: Model, verdicts: Sequence[Verdict], facts: Mapping[str, Any], watcher: Watcher) -> None:
    """Write the verdicts down, with where they come from."""
    claims = [verdict.to_json() for verdict in verdicts]
    seconds = {stage: round(value, 3) for stage, value in watcher.seconds.items()}
    run.write_json("verdicts.json", {"claims": claims, "run": run_facts(run, model, **facts), "seconds": seconds})
    run.finish({"claims": {claim["id"]: claim["status"] for claim in claims}})
