"""`compare`: models that can be read against opaque ones on one table, as a claim stated before a model is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from truescope.core.claims import Claim, Verdict
from truescope.core.errors import ClaimError, UsageError
from truescope.core.progress import Watcher
from truescope.judge import Ledger
from truescope.pipelines.reruns import Rerun
from truescope.pipelines.tables.reading import read_data, tabular
from truescope.store import Run, Store, code_hash, commit, versions

if TYPE_CHECKING:
    from truescope.tabular import Table
    from truescope.tabular.compare import Comparison, Split, TableModel

_CELLS, _RESULT, _PAGE = "cells.jsonl", "comparison.json", "page.html"
_DISTRIBUTIONS = {"interpret": "interpret-core"}


@dataclass(frozen=True)
class CompareReport:
    """What a comparison found, its claim, and its page."""

    record: Mapping[str, Any]
    page: Path
    ledger: Path

    @property
    def headline(self) -> str:
        """The outcome in one sentence, whichever way it went."""
        return str(self.record["headline"])

    def summary(self) -> dict[str, Any]:
        """What ``truescope compare --json`` prints."""
        return {**self.record, "page": str(self.page), "ledger": str(self.ledger)}


@dataclass(frozen=True)
class _Subject:
    """Everything that a comparison is of, checked."""

    table: Table
    models: tuple[TableModel, ...]
    cut: tuple[Split, ...]
    design: Mapping[str, Any]
    claim: Claim | None
    notes: tuple[str, ...]


def compare(
    data: Any,
    target: str | None = None,
    *,
    models: Sequence[str] = ("default",),
    goal: str = "bacc",
    splits: str = "stratified",
    repeats: int = 10,
    folds: int = 10,
    positive: str | None = None,
    group: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    missing: Sequence[str] = (),
    rope: float = 1.0,
    epsilon: float = 1.0,
    n_shuffles: int = 10,
    seed: int = 0,
    n_jobs: int | None = None,
    fresh: bool = False,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> CompareReport:
    """Cross-validate every model on the same splits, and say what reading a model costs here, if anything.

    ``data`` is a CSV file, a data frame, a `truescope.tabular.Table`, or the name of a generated table ("nonlinear",
    "one-cue", "unrelated"). ``goal`` is the measure that decides ("bacc", "acc", "auc", "log_loss", "brier"),
    ``splits`` "stratified", "grouped" (by ``group``) or "temporal" (by ``time``). Differences within ``rope`` points
    count as practically equal; trees within ``epsilon`` points of the best are listed. The claim "the best
    interpretable model is within ``rope`` points of the best opaque one" is stated first; its control is the same
    procedure on ``n_shuffles`` tables with shuffled labels. The same inputs give the same run: one that was stopped
    goes on where it was.

    Raises:
        UsageError, TableError, StoreError: as their names say.
    """
    watcher = watcher or Watcher()
    columns: dict[str, Any] = {"positive": positive, "group": group, "time": time, "drop": drop, "missing": missing}
    table = read_data(data, target, **columns, seed=seed)
    design = {"goal": goal, "splits": splits, "repeats": repeats, "folds": folds, "seed": seed, "rope": rope}
    design |= {"epsilon": epsilon, "n_shuffles": n_shuffles}
    again = {"data": str(data), "target": target, **columns} if isinstance(data, str | Path) else None
    subject = _prepare(table, models, design, again)
    for note in subject.notes:
        watcher.note(note)
    store = store or Store.open()
    ledger = Ledger(store.path / "ledger.jsonl")
    names = [model.name for model in subject.models]
    inputs = {"table_hash": table.hash, "table": table.name, "models": names, "design": dict(subject.design)}
    run = store.run(
        "compare",
        inputs | {"packages": _packages(subject.models), "code": code_hash(__name__)},
        title=f"{table.name}: {len(names)} models",
    )
    with run.locked(watcher.note):
        if fresh or not run.finished:
            _fill(run, subject, ledger, n_jobs, fresh, watcher)
    return CompareReport(run.read_json(_RESULT), run.path(_PAGE), ledger.path)


def _prepare(table: Table, names: Sequence[str], design: dict[str, Any], again: Mapping[str, Any] | None) -> _Subject:
    """Check everything before anything is run, and put the claim into words; ``again`` is how the table is read."""
    with tabular():
        from truescope.tabular.compare import make_splits, measure_named, models_named
        from truescope.tabular.compare.claims import parity_claim
    for name, least in (("rope", 0), ("epsilon", 0), ("n_shuffles", 1), ("seed", 0)):
        if not design[name] >= least:
            raise UsageError(f"{name.replace('_', '-')} is {design[name]:g}", fix=f"it goes from {least} up")
    measure = measure_named(design["goal"])
    notes = list(table.notes)
    models = models_named(names, notes)
    sizes = {part: design[part] for part in ("repeats", "folds", "seed")}
    cut = make_splits(table, design["splits"], **sizes)
    design = {**design, "repeats": 1 + cut[-1].repeat}
    claim = None
    if {model.opaque for model in models} == {True, False}:
        claim = parity_claim(table, [model.name for model in models], measure, design)
        if again is not None:
            claim = claim.with_procedure("compare", **again, models=[model.name for model in models], **design)
    return _Subject(table, models, cut, design, claim, tuple(notes))


def _packages(models: Sequence[TableModel]) -> dict[str, str]:
    """The versions that decide the numbers."""
    extra = {_DISTRIBUTIONS.get(package, package) for model in models for package in model.packages}
    return {package: version(package) for package in sorted({"scikit-learn", *extra})}


def _fill(run: Run, subject: _Subject, ledger: Ledger, n_jobs: int | None, fresh: bool, watcher: Watcher) -> None:
    """State the claim, run the cells that are not in the journal yet, sum them up, judge, and write the page."""
    from truescope.tabular.compare import alternative_trees, comparison_page

    table, design = subject.table, subject.design
    provenance = {"versions": versions(), "commit": commit(), "seed": design["seed"], "table_hash": table.hash}
    if subject.claim is not None:
        ledger.state(subject.claim, provenance)
    records = _run_cells(run, subject, n_jobs, fresh, watcher)
    with watcher.stage("compare") as said:
        found, verdict = _judged(subject, records)
        if verdict is not None:
            ledger.append(verdict, provenance)
        trees = alternative_trees(table, design["goal"], design["epsilon"])
        record = _record(run, subject, found, [] if verdict is None else [verdict.to_json()], trees)
        said["text"] = f"Compared {len(found.results)} models by {found.measure.title}"
    run.write_json(_RESULT, record)
    run.write_text(_PAGE, comparison_page(record))
    run.finish({"headline": record["headline"], "n_cells": len(records)})


def _judged(subject: _Subject, records: Sequence[Mapping[str, Any]]) -> tuple[Comparison, Verdict | None]:
    """What the cells say, and the verdict on the claim if one was stated and both kinds of models could be fitted."""
    from truescope.tabular.compare import Comparison, Parity
    from truescope.tabular.compare.claims import parity_verdict

    table, models, design = subject.table, subject.models, subject.design
    real = [record for record in records if record["shuffle"] is None]
    found = Comparison.of(table, models, real, goal=design["goal"], rope=design["rope"])
    if subject.claim is None or found.parity is None:
        return found, None
    shuffled = Parity.of_shuffles(models, records, found.measure, design["rope"])
    return found, parity_verdict(subject.claim, found.parity, shuffled, table, found.headline())


def rerun_comparison(again: Rerun) -> Verdict:
    """Run a comparison's claim again from its entry; every model is fitted anew.

    The rerun's ``model`` may say where the table is.

    Raises:
        ClaimError: the table, or what the claim says of it, is not what it was stated for.
        UsageError, TableError: the table is not there, or cannot be read.
    """
    claim, arguments = again.claim, again.arguments
    columns = {name: arguments[name] for name in ("positive", "group", "time", "drop", "missing")}
    data = arguments["data"] if again.model is None else str(again.model)
    table = read_data(data, arguments["target"], **columns, seed=int(arguments["seed"]))
    design = dict(claim.population["design"])
    subject = _prepare(table, arguments["models"], design, None)
    if subject.claim is None or subject.claim.id != claim.id:
        raise ClaimError(
            f"the claim {claim.id} is about another table than {table.name}",
            why=f"it was stated for {claim.population.get('hash')}, this one is {table.hash}",
            fix="name the table that it was stated for: --model PATH",
        )
    with TemporaryDirectory() as folder:
        run = Store.open(Path(folder) / "store").run("compare", {"claim": claim.id})
        with run.locked():
            records = _run_cells(run, subject, None, True, again.watcher)
    verdict = _judged(subject, records)[1]
    if verdict is None:
        raise ClaimError("no model of one kind could be fitted this time", fix="look at the table's page")
    return replace(verdict, claim=claim)


def _run_cells(run: Run, subject: _Subject, n_jobs: int | None, fresh: bool, watcher: Watcher) -> list[dict[str, Any]]:
    """The records of every cell: those in the journal, and those that were still to be run."""
    from truescope.tabular.compare import Plan, make_jobs, run_cells

    design = subject.design
    names = [model.name for model in subject.models]
    n_shuffles = 0 if subject.claim is None else design["n_shuffles"]
    jobs = make_jobs(
        subject.table,
        names,
        subject.cut,
        Plan(design["goal"], design["seed"]),
        kind=design["splits"],
        folds=design["folds"],
        n_shuffles=n_shuffles,
    )
    wanted = {(model, split.repeat, split.fold, plan.shuffle): (model, split, plan) for model, split, plan in jobs}
    lines = [] if fresh else run.read_lines(_CELLS)
    done = {key: r for r in lines if (key := (r["model"], r["repeat"], r["fold"], r["shuffle"])) in wanted}
    records = list(done.values())
    with watcher.stage("cells") as said:

        def keep(record: dict[str, Any]) -> None:
            run.append_line(_CELLS, record)
            records.append(record)
            watcher.progress("cells", len(records), len(wanted))

        run_cells([job for key, job in wanted.items() if key not in done], subject.table, n_jobs=n_jobs, on_cell=keep)
        said["text"] = (
            f"Fitted {len(names)} models in {len(subject.cut)} folds, and on {n_shuffles} tables with shuffled labels: "
            f"{len(wanted):,} fits" + (f", {len(done):,} of them from the store" if done else "")
        )
    return records


def _record(run: Run, subject: _Subject, found: Comparison, claims: list[dict[str, Any]], trees: Any) -> dict[str, Any]:
    """Everything that is shown, as JSON."""
    table, design = subject.table, subject.design
    return {
        **found.to_json(),
        "within_epsilon": found.within(design["epsilon"]),
        "alternatives": trees.to_json(),
        "claims": claims,
        "words": _in_words(subject, found),
        "table": {
            "name": table.name,
            "hash": table.hash,
            "rows": len(table),
            "cues": {name: kind.value for name, kind in table.kinds.items()},
            "target": table.target,
            "classes": list(table.class_names),
            "base_rate": table.base_rate,
            "notes": list(subject.notes),
        },
        "design": dict(design),
        "run": {"id": run.id, "commit": commit(), "packages": dict(run.inputs["packages"]), "versions": versions()},
    }


def _in_words(subject: _Subject, found: Comparison) -> list[dict[str, Any]]:
    """What each interpretable model says when it is fitted on the whole table."""
    fitted = {result.name for result in found.results}
    said = []
    for model in subject.models:
        if not model.opaque and model.name in fitted:
            whole = model.build(subject.table.kinds, subject.design["goal"], subject.design["seed"])
            text, complexity = model.describe(whole.fit(subject.table.cues, subject.table.positive), subject.table.cues)
            said.append({"model": model.name, "text": text, "complexity": asdict(complexity)})
    return said
