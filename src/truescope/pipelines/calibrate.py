"""`calibrate`: every method over every model whose mechanism is known, and how far each can be trusted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from truescope.core.claims import Claim, Verdict
from truescope.core.errors import ClaimError, UsageError
from truescope.core.ids import content_id
from truescope.core.progress import Watcher
from truescope.judge import Ledger, false_discovery
from truescope.pipelines.calibration.cells import FULL, QUICK, Cell, Size, cells, one_thread
from truescope.pipelines.calibration.expectations import Expectation, expectations, judge_expectation
from truescope.pipelines.calibration.findings import Findings
from truescope.pipelines.calibration.report import headline, markdown, svg
from truescope.pipelines.calibration.scoring import Row
from truescope.pipelines.calibration.summaries import Key, Summary, summarise
from truescope.pipelines.reruns import Rerun
from truescope.store import Run, Store, code_hash, commit, versions, write_atomic

_JOURNAL, _NOTHING = "cells.jsonl", "false_discovery.json"
_RECORD, _PAGE, _FIGURE = "calibration.json", "calibration.md", "calibration.svg"


@dataclass(frozen=True)
class CalibrationReport:
    """What a calibration found, and the folder of its page, figure and numbers."""

    findings: Findings
    folder: Path
    ledger: Path
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def headline(self) -> list[str]:
        """The first table, as Markdown."""
        return headline(self.findings)

    def summary(self) -> dict[str, Any]:
        """What ``truescope calibrate --json`` prints."""
        seconds = {stage: round(value, 3) for stage, value in self.seconds.items()}
        places = {"folder": str(self.folder), "ledger": str(self.ledger)}
        return self.findings.record() | places | {"seconds": seconds}


def calibrate(
    *,
    quick: bool = False,
    seed: int = 7,
    workers: int = 2,
    out: Path | str | None = None,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> CalibrationReport:
    """Score every method on models whose mechanism is known, and judge what was expected of each.

    Claims are stated in the ledger before anything is measured. The run's id holds the code that measures; verdicts and
    pages are made from its journal each time. ``quick`` runs fewer prompts, programs and seeds;
    ``workers`` processes share the cells. A run that was stopped goes on with the cells that it lacks. ``out`` is a
    folder that gets calibration.md, .json and .svg, which otherwise lie in the run's folder only.

    Raises:
        UsageError: a negative seed, or no worker.
        StoreError: the store, or ``out``, cannot be written.
    """
    if seed < 0 or workers < 1:
        raise UsageError(
            f"cannot calibrate with seed {seed} and {workers} workers", fix="give a seed from 0 and a worker"
        )
    watcher = watcher or Watcher()
    size = QUICK if quick else FULL
    every = cells(size, seed)
    store = store or Store.open()
    code = code_hash("truescope.pipelines.calibration.cells")
    inputs = {"size": size.name, "seed": seed, "cells": content_id([cell.facts for cell in every]), "code": code}
    run = store.run("calibrate", inputs, title=f"calibration, {size.name}")
    ledger = Ledger(store.path / "ledger.jsonl")
    with run.locked(watcher.note):
        stated = _state(size, seed, inputs, ledger)
        with watcher.stage("measure") as said:
            n_new = _measure(run, every, size, seed, workers, watcher)
            said["text"] = f"Measured {len(every):,} cells ({len(every) - n_new:,} were there)"
        found = run.read_lines(_JOURNAL)
        rows = [row for line in found for row in line["rows"]]
        facts = _facts(size, seed, rows, inputs, sum(line["seconds"] for line in found))
        with watcher.stage("judge") as said:
            summaries = summarise(rows, seed)
            verdicts = _judge(stated, summaries, rows)
            for verdict in verdicts if not run.finished else ():
                ledger.append(verdict, _provenance(seed))
            said["text"] = f"Judged {len(verdicts)} claims on {len(rows):,} scores"
        findings = Findings(summaries, verdicts, facts, _false_discovery(run, size, seed, watcher))
        _write(run, findings, Path(out).expanduser() if out is not None else None)
        if not run.finished:
            run.finish({"n_claims": len(verdicts), "n_cells": len(every)})
    return CalibrationReport(findings, run.folder if out is None else Path(out), ledger.path, watcher.seconds)


def _state(size: Size, seed: int, population: Mapping[str, Any], ledger: Ledger) -> list[tuple[Claim, Expectation]]:
    """Write every claim down before anything is measured."""
    stated = [(one.claim(size, seed, population), one) for one in expectations(size)]
    for claim, _ in stated:
        ledger.state(claim, _provenance(seed))
    return stated


def _provenance(seed: int) -> dict[str, Any]:
    return {"versions": versions(), "commit": commit(), "seed": seed}


def _measure(run: Run, every: Sequence[Cell], size: Size, seed: int, workers: int, watcher: Watcher) -> int:
    """Run the cells that the journal lacks, the slowest kinds first, each written down when it is done."""
    done = {line["cell"] for line in run.read_lines(_JOURNAL)}
    todo = [cell.key for cell in every if cell.key not in done]
    total = len(every)
    for count, line in enumerate(_lines(todo, size, seed, workers), total - len(todo) + 1):
        run.append_line(_JOURNAL, line)
        watcher.progress("measure", count, total)
    return len(todo)


def _lines(todo: Sequence[str], size: Size, seed: int, workers: int) -> Iterator[dict[str, Any]]:
    if workers == 1 or len(todo) < 2 * workers:
        for key in todo:
            yield measure_cell(key, size, seed)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=one_thread)
    try:
        # Trained ones are listed last and take longest.
        waiting = [pool.submit(measure_cell, key, size, seed) for key in reversed(todo)]
        for future in as_completed(waiting):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def measure_cell(key: str, size: Size, seed: int) -> dict[str, Any]:
    """One line of the journal: a cell's rows, and how long they took."""
    cell = next(one for one in cells(size, seed) if one.key == key)
    began = time.perf_counter()
    rows = cell.rows()
    return {"cell": key, "seconds": round(time.perf_counter() - began, 2), "rows": rows}


def _judge(
    stated: Sequence[tuple[Claim, Expectation]], summaries: Mapping[Key, Summary], rows: Sequence[Row]
) -> list[Verdict]:
    found = [judge_expectation(claim, expectation, summaries, rows) for claim, expectation in stated]
    return [verdict for verdict in found if verdict is not None]


def rerun_expectation(again: Rerun) -> Verdict:
    """Measure what one claim is about again, from its entry alone, and judge it.

    Raises:
        ClaimError: this version has no such claim.
        UsageError: a ``model`` or ``dictionary`` is given; a calibration makes its own.
    """
    again.need_nothing("a calibration makes its own models and dictionaries")
    claim, arguments = again.claim, again.arguments
    size = {one.name: one for one in (FULL, QUICK)}[str(arguments["size"])]
    seed, parts = int(arguments["seed"]), tuple(arguments["parts"])
    expectation = next((one for one in expectations(size) if one.parts == parts), None)
    if expectation is None:
        raise ClaimError(f"no calibration states {claim.text!r:.80} any more", fix="run truescope calibrate anew")
    groups = {(parts[0], parts[1]), expectation.control}
    wanted = [cell for cell in cells(size, seed) if (cell.facts["group"], cell.facts["dictionary"]) in groups]
    rows: list[Row] = []
    for count, cell in enumerate(wanted, 1):
        rows += cell.rows()
        again.watcher.progress("measure", count, len(wanted))
    verdict = judge_expectation(claim, expectation, summarise(rows, seed), rows)
    if verdict is None:
        raise ClaimError(f"nothing of {claim.text!r:.80} was measured")
    return verdict


def _false_discovery(run: Run, size: Size, seed: int, watcher: Watcher) -> list[dict[str, Any]]:
    """Claims about nothing, put to the judge."""
    if not run.has(_NOTHING):
        with watcher.stage("false discovery") as said:
            found = [one.to_json() for one in false_discovery(n_runs=size.n_false_discovery, seed=seed)]
            run.write_json(_NOTHING, found)
            said["text"] = f"Judged {sum(one['n'] for one in found):,} claims about nothing"
    return run.read_json(_NOTHING)


def _facts(size: Size, seed: int, rows: Sequence[Row], inputs: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    made = commit()
    named = "unknown" if made is None else str(made["hash"])[:12] + (" and changes" if made["dirty"] else "")
    programs = {row["program"] for row in rows}
    return {
        "size": size.name,
        "seed": seed,
        "commit": named,
        "cells_hash": inputs["cells"],
        "programs": len(programs),
        "scores": len(rows),
        "cell_seconds": round(seconds),
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "json": _RECORD,
        "figure": _FIGURE,
    }


def _write(run: Run, findings: Findings, out: Path | None) -> None:
    record = json.dumps(findings.record(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    files = {_RECORD: record, _PAGE: markdown(findings), _FIGURE: svg(findings)}
    for name, text in files.items():
        if not run.finished:
            run.write_text(name, text)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_atomic(out / name, text.encode())
