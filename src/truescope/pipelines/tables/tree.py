"""`tree`: a fast-and-frugal tree for a table: grown by the published algorithms or taken from words, scored, drawn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from truescope.core.errors import UsageError, nearest
from truescope.core.progress import Watcher
from truescope.pipelines.tables.reading import read_data, tabular
from truescope.statistics import proportion_interval
from truescope.store import Run, Store, code_hash, commit, versions

if TYPE_CHECKING:
    from truescope.tabular import FastFrugalTreeClassifier, Table

_RESULT, _PICTURE, _CARD = "tree.json", "tree.svg", "card.svg"
_PART, _HELD_OUT = "part of the table", "held out"
DRAWN = ("all", "tree", "icontree", "cues", "roc", "card")
"""What `tree` can write to a file."""


@dataclass(frozen=True)
class TreeReport:
    """A fitted tree, its record, and its pictures in the run's folder."""

    model: FastFrugalTreeClassifier
    record: Mapping[str, Any]
    picture: Path
    card: Path
    out: Path | None = None

    def summary(self) -> dict[str, Any]:
        """What ``truescope tree --json`` prints."""
        paths = {
            "picture": str(self.picture),
            "card": str(self.card),
            "out": None if self.out is None else str(self.out),
        }
        return {**self.record, **paths}


def tree(
    data: Any,
    target: str | None = None,
    *,
    test: str | Path | None = None,
    holdout: float | int = 0,
    words: str | None = None,
    costs: str | Path | Mapping[str, float | int] | None = None,
    outcome_costs: Mapping[str, float | int] | None = None,
    positive: str | None = None,
    drop: Sequence[str] = (),
    missing: Sequence[str] = (),
    seed: int = 0,
    out: str | Path | None = None,
    what: str = "all",
    store: Store | None = None,
    watcher: Watcher | None = None,
    **settings: Any,
) -> TreeReport:
    """Fit fast-and-frugal trees to ``data`` (as of `compare`) and tell the best in words, numbers and pictures.

    ``test`` is a second file to score on; ``holdout`` instead keeps a share of the cases out of the fit (by ``seed``).
    ``words`` is a tree in words to be scored instead of grown. ``costs`` are the cues' costs (a mapping, or a CSV file
    of names and costs), ``outcome_costs`` those of hi, fa, mi and cr. ``settings`` are those of
    `truescope.tabular.FastFrugalTreeClassifier` (algorithm, goal, max_levels, select, …). The picture ``what`` ("all",
    "tree", "icontree", "cues", "roc" or "card") is written to ``out`` (.svg or .html).

    Raises:
        UsageError, TableError, StoreError: as their names say.
    """
    watcher = watcher or Watcher()
    if what not in DRAWN:
        raise UsageError(f"there is no picture {what!r}", why=f"there are {', '.join(DRAWN)}", fix=nearest(what, DRAWN))
    if out is not None and Path(out).suffix not in (".svg", ".html"):
        raise UsageError(f"a picture is written as .svg or .html, not to {str(out)!r}")
    named: dict[str, Any] = {"positive": positive, "drop": drop, "missing": missing}
    with watcher.stage("read") as said:
        table, held = _read(data, target, test, holdout, named, seed)
        said["text"] = f"Read {len(table):,} cases and {len(table.kinds)} cues of {table.name}"
    for note in table.notes:
        watcher.note(note)
    settings |= {"cost_cues": _cue_costs(costs), "cost_outcomes": outcome_costs and dict(outcome_costs)}
    settings = {name: value for name, value in settings.items() if value is not None}
    with watcher.stage("fit") as said:
        model = _fit(table, ~held, words, settings, watcher)
        doing = "Scored the tree in words" if words else f"Grew {len(model.trees_)} trees"
        said["text"] = f"{doing} on {int((~held).sum()):,} cases"
    run = (store or Store.open()).run("tree", _inputs(table, held, words, model), title=f"tree for {table.name}")
    with run.locked(watcher.note):
        _fill(run, model, table, held, words)
    title = f"{table.target} ({table.name})"
    if out is not None:
        figure = model.card(title=title, note=_note(table)) if what == "card" else model.plot(what, title=title)
        out = figure.save(out)
    return TreeReport(
        model, run.read_json(_RESULT), run.path(_PICTURE), run.path(_CARD), None if out is None else Path(out)
    )


def parse_costs(text: str) -> dict[str, float]:
    """ "fa=10,mi=20" as a mapping.

    Raises:
        UsageError: it is not of this form.
    """
    found = {}
    for part in text.split(","):
        name, _, cost = part.partition("=")
        try:
            found[name.strip()] = float(cost)
        except ValueError as error:
            raise UsageError(f"{part.strip()!r} is no cost", fix="write name=number, as in fa=10,mi=20") from error
    return found


def _read(
    data: Any, target: str | None, test: str | Path | None, holdout: float | int, named: dict[str, Any], seed: int
) -> tuple[Table, np.ndarray]:
    """The table, and which of its cases are held out."""
    if test is not None and holdout:
        raise UsageError("cases are held out by --test or by --holdout, not by both")
    if not 0 <= holdout < 1:
        raise UsageError(f"holdout is a share of the cases from 0 to 1, not {holdout!r}")
    if test is not None:
        return _read_two(data, target, test, named)
    table = read_data(data, target, **named, seed=seed)
    held = np.zeros(len(table), dtype=bool)
    if holdout:
        from sklearn.model_selection import train_test_split

        places = np.arange(len(table))
        split = train_test_split(places, test_size=float(holdout), random_state=seed, stratify=table.positive)
        held[split[1]] = True
    return table, held


def _read_two(data: Any, target: str | None, test: str | Path, named: dict[str, Any]) -> tuple[Table, np.ndarray]:
    """Both files as one table, so that every column is read the same way in both."""
    with tabular():
        import pandas as pd

        from truescope.tabular import Table
        from truescope.tabular.tables import read_frame
    if target is None:
        raise UsageError("which column is to be predicted?", fix="name it with --target")
    missing = named["missing"]
    frames = [data if isinstance(data, pd.DataFrame) else read_frame(data, missing), read_frame(test, missing)]
    absent = [name for name in frames[0].columns if name not in frames[1].columns]
    if absent:
        raise UsageError(f"{test} has no column {absent[0]!r}", fix=nearest(absent[0], map(str, frames[1].columns)))
    parts = [frame.assign(**{_PART: part}) for frame, part in zip(frames, ("learned", _HELD_OUT), strict=True)]
    name = "table" if isinstance(data, pd.DataFrame) else Path(data).stem
    whole = pd.concat(parts, ignore_index=True).reindex(columns=list(parts[0].columns))
    table = Table.of(whole, target, positive=named["positive"], group=_PART, drop=named["drop"], name=name)
    assert table.groups is not None
    return table, table.groups == _HELD_OUT


def _fit(
    table: Table, learned: np.ndarray, words: str | None, settings: dict[str, Any], watcher: Watcher
) -> FastFrugalTreeClassifier:
    from truescope.tabular import CueWarning, FastFrugalTreeClassifier
    from truescope.tabular.trees.words import read_label

    known = FastFrugalTreeClassifier().get_params()
    for name in settings:
        if name not in known:
            raise UsageError(f"a tree has no setting {name!r}", fix=nearest(name, known))
    negative, positive = (read_label(name) for name in table.class_names)
    y = np.array([positive if is_positive else negative for is_positive in table.positive[learned]])
    X = table.cues.loc[learned].reset_index(drop=True)
    settings["positive"] = positive
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", CueWarning)
        if words:
            model = FastFrugalTreeClassifier.from_words(words, X, y, **settings)
        else:
            model = FastFrugalTreeClassifier(**settings).fit(X, y)
    for one in said:
        watcher.note(str(one.message))
    return model


def _inputs(table: Table, held: np.ndarray, words: str | None, model: FastFrugalTreeClassifier) -> dict[str, Any]:
    settings = {name: value for name, value in model.to_dict()["settings"].items() if value is not None}
    places = [int(place) for place in np.flatnonzero(held)]
    inputs = {"table_hash": table.hash, "table": table.name, "settings": settings, "words": words, "held_out": places}
    return inputs | {"code": code_hash(__name__)}


def _fill(run: Run, model: FastFrugalTreeClassifier, table: Table, held: np.ndarray, words: str | None) -> None:
    title = f"{table.target} ({table.name})"
    if run.finished:
        return
    run.write_text(_PICTURE, model.plot(title=title).svg + "\n")
    run.write_text(_CARD, model.card(title=title, note=_note(table)).svg + "\n")
    record = _record(run, model, table, held)
    run.write_json(_RESULT, record)
    run.finish({"words": record["words"], "bacc": record["learned"]["bacc"]})


def _record(run: Run, model: FastFrugalTreeClassifier, table: Table, held: np.ndarray) -> dict[str, Any]:
    fitted = model.to_dict()
    found = {
        "words": model.words().splitlines(),
        "learned": fitted["trees"][model.trees_.index(model.tree_)]["scores"]["statistics"],
        "held_out": None,
        "levels": fitted["trees"][model.trees_.index(model.tree_)]["scores"]["levels"],
        "trees": [
            {"tree": number, "words": model.words(number).splitlines(), **one["scores"]["statistics"]}
            for number, one in enumerate(fitted["trees"], start=1)
        ],
        "model": fitted,
    }
    if held.any():
        X = table.cues.loc[held].reset_index(drop=True)
        y = np.where(table.positive[held], model.positive_class_, model.negative_class_)
        scored = model.score_trees(X, y).iloc[model.trees_.index(model.tree_)].to_dict()
        counted = {k: v for k, v in scored.items() if k not in ("tree", "nodes")}
        held_out: dict[str, Any] = {k: None if v != v else float(v) for k, v in counted.items()}
        found["held_out"] = held_out | {"intervals": _intervals(scored)}
    about = {
        "name": table.name,
        "hash": table.hash,
        "target": table.target,
        "classes": list(table.class_names),
        "n_learned": int((~held).sum()),
        "n_held_out": int(held.sum()),
        "notes": list(table.notes),
    }
    return {**found, "table": about, "run": {"id": run.id, "commit": commit(), "versions": versions()}}


def _intervals(found: Mapping[str, float]) -> dict[str, list[float]]:
    """Exact 95 % intervals of the shares that were measured on cases held out."""
    shares = {"sens": ("hi", "mi"), "spec": ("cr", "fa"), "ppv": ("hi", "fa"), "npv": ("cr", "mi")}
    pairs = {name: (int(found[right]), int(found[right] + found[wrong])) for name, (right, wrong) in shares.items()}
    pairs["acc"] = (int(found["hi"] + found["cr"]), int(found["n"]))
    return {name: list(proportion_interval(k, n)) for name, (k, n) in pairs.items() if n}


def _cue_costs(costs: str | Path | Mapping[str, float | int] | None) -> dict[str, float] | None:
    """The cues' costs; a file holds a name and a number a line, under one header line."""
    if costs is None:
        return None
    if isinstance(costs, Mapping):
        return {str(name): float(cost) for name, cost in costs.items()}
    with tabular():
        from truescope.tabular.tables import read_frame
    frame = read_frame(costs)
    if frame.shape[1] != 2:
        raise UsageError(f"{costs} has {frame.shape[1]} columns", fix="costs are two columns: the cue's name, its cost")
    try:
        return {str(name): float(cost) for name, cost in frame.itertuples(index=False)}
    except ValueError as error:
        raise UsageError(f"{costs} holds a cost that is no number", why=str(error)) from error


def _note(table: Table) -> str:
    return f"{table.name}, data {table.hash}. A tree is exact about itself; how well it decides is for its data to say."
