"""The graph benchmark: white boxes and explainers into measurements, verdicts on the published findings, one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from truescope.core.claims import Claim, Verdict
from truescope.core.config import data_folder
from truescope.core.errors import ClaimError, UsageError, nearest
from truescope.core.progress import Watcher
from truescope.gnn.benchmark import (
    ENTRIES,
    FINDINGS,
    PUBLISHED,
    Cell,
    Comparison,
    Measured,
    Results,
    arc_comparisons,
    explanation,
    facebook_cells,
    judge_findings,
    processors,
    published_cells,
    quick_cells,
    report_html,
    sweep,
)
from truescope.judge import Ledger
from truescope.pipelines.graphs.running import graphs, provenance
from truescope.pipelines.reruns import Rerun
from truescope.store import Run, Store, code_hash, file_hash

_LOG = "cells.jsonl"
_MEASURING = "truescope.gnn.benchmark.sweep"
"""The code that decides the measurements; the page and the claims are made anew from them."""


def run_benchmark(
    quick: bool,
    explainers: Sequence[str] | None,
    data: Path | None,
    n_processes: int | None,
    seed: int,
    store: Store,
    watcher: Watcher,
) -> tuple[dict[str, Any], list[Verdict], Path]:
    """State the findings, measure what is missing, judge, and write the record and the page; see `gnn_benchmark`."""
    names = tuple(explainers) if explainers else tuple(ENTRIES)
    for name in names:
        if name not in ENTRIES:
            raise UsageError(
                f"the benchmark has no explainer {name!r}", fix=nearest(name, ENTRIES) or f"one of {', '.join(ENTRIES)}"
            )
    if seed < 0:
        raise UsageError(f"the seed is {seed}", fix="give a whole number from 0 up")
    folder = data or data_folder()
    cells = quick_cells() if quick else published_cells() + _facebook(folder, watcher)
    inputs = {"cells": [asdict(cell) for cell in cells], "explainers": list(names), "data": _data_hash(folder, cells)}
    run = store.run("gnn-benchmark", inputs | {"code": code_hash(_MEASURING)}, title="explainers of graph networks")
    claims = _state(Ledger(store.path / "ledger.jsonl"), cells, names, quick, seed)
    with run.locked(watcher.note):
        results = _measure(run, cells, names, folder, n_processes or min(2, processors()), watcher)
        with watcher.stage("judge") as said:
            verdicts = judge_findings(results, claims, seed)
            said["text"] = f"Judged {len(verdicts)} published findings beside random scores"
        for verdict in verdicts:
            Ledger(store.path / "ledger.jsonl").append(verdict, provenance(seed))
        record = _record(run, results, verdicts, cells, seed)
        run.write_json("benchmark.json", record)
        page = run.write_text("report.html", report_html(record))
        if not run.finished:
            run.finish({"n_cells": len(cells), "findings": {v.claim.text: v.status.value for v in verdicts}})
    return record, verdicts, page


def _facebook(folder: Path | None, watcher: Watcher) -> list[Cell]:
    if folder is not None and (folder / "graphs" / "facebook_ego" / "1684.edges").is_file():
        return facebook_cells()
    watcher.note("The Facebook part is left out: its data are not there. Name their folder with TRUESCOPE_DATA.")
    return []


def _data_hash(folder: Path | None, cells: Sequence[Cell]) -> str:
    if folder is None or not any(cell.ego for cell in cells):
        return ""
    place = folder / "graphs" / "facebook_ego"
    return "".join(file_hash(place / f"1684.{ending}")[:16] for ending in ("edges", "feat"))


def _population(cells: Sequence[Cell]) -> dict[str, Any]:
    return {
        "cells": len(cells),
        "seeds": sorted({cell.seed for cell in cells}),
        "white_boxes": sorted({cell.white_box for cell in cells}),
        "synthetic": sum(cell.setting is not None for cell in cells),
    }


def _state(ledger: Ledger, cells: Sequence[Cell], names: Sequence[str], quick: bool, seed: int) -> dict[str, Claim]:
    """Write the findings down before anything is measured; those that the explainers can answer."""
    claims = {}
    procedure = {"verb": "gnn benchmark", "arguments": {"quick": quick, "facebook": any(cell.ego for cell in cells)}}
    for finding in FINDINGS:
        if set(finding.explainers) <= set(names):
            claims[finding.text] = finding.claim(_population(cells), seed, procedure)
            ledger.state(claims[finding.text], provenance(seed))
    return claims


def rerun_finding(again: Rerun) -> Verdict:
    """Run a published finding again from its entry: the same cells, measured anew.

    Raises:
        ClaimError: no finding says that, or the cells are no longer those it was stated for.
        UsageError: the Facebook part is wanted and its data are not there, or a model is named.
    """
    claim, arguments, watcher = again.claim, again.arguments, again.watcher
    found = [finding for finding in FINDINGS if finding.text == claim.text]
    cells = quick_cells() if arguments.get("quick") else published_cells()
    folder = data_folder() if arguments.get("facebook") else None
    if arguments.get("facebook"):
        cells = [*cells, *_facebook(folder, watcher)]
    if not found or _population(cells) != claim.population:
        raise ClaimError(
            "this claim cannot be run again here",
            why="no finding says it" if not found else "the cells are others than those it was stated for",
            fix="run truescope gnn benchmark, which states it anew",
        )
    again.need_nothing("the benchmark makes its own models")
    measured = []
    with graphs(), watcher.stage("measure") as said:
        for done, one in enumerate(sweep(cells, found[0].explainers, folder, min(2, processors())), 1):
            measured += one
            watcher.progress("measure", done, len(cells))
        said["text"] = f"Measured {len(found[0].explainers)} explainers on {len(cells)} cells"
    (verdict,) = judge_findings(Results(tuple(measured)), {claim.text: claim}, claim.control.seed)
    return verdict


def _measure(
    run: Run, cells: Sequence[Cell], names: tuple[str, ...], folder: Path | None, n_processes: int, watcher: Watcher
) -> Results:
    by_id = {cell.id: cell for cell in cells}
    known = {(r["cell"], r["explainer"]): r for r in run.read_lines(_LOG)}
    missing = [cell for cell in cells if any((cell.id, name) not in known for name in names)]
    with watcher.stage("measure") as said:
        for count, found in enumerate(sweep(missing, names, folder, n_processes), 1):
            for measured in found:
                known[measured.cell.id, measured.explainer] = measured.record()
                run.append_line(_LOG, known[measured.cell.id, measured.explainer])
            watcher.progress("measure", len(cells) - len(missing) + count, len(cells))
        before = len(cells) - len(missing)
        said["text"] = f"Measured {len(names)} explainers on {len(missing)} cells" + (
            f"; {before} were there" if before else ""
        )
    lines = [known[cell.id, name] for cell in cells for name in names]
    return Results(tuple(Measured.read(line, by_id[line["cell"]]) for line in lines))


def _record(
    run: Run, results: Results, verdicts: Sequence[Verdict], cells: Sequence[Cell], seed: int
) -> dict[str, Any]:
    synthetic, arcs = any(cell.setting is not None for cell in cells), list(results.arc_rows())
    return {
        "n_cells": len(cells),
        "explainers": list(results.explainers),
        "claims": [verdict.to_json() for verdict in verdicts],
        "rows": list(results.rows()),
        "comparisons": [_comparison(c) for c in results.comparisons()],
        "pairs": results.pairs(tuple(PUBLISHED), seed) if synthetic else [],
        "arcs": arcs,
        "arc_comparisons": arc_comparisons(arcs),
        "run": {
            "id": run.id,
            "seed": seed,
            "seeds": ", ".join(str(s) for s in sorted({cell.seed for cell in cells})),
            "seconds": sum(m.seconds for m in results.measured),
            **provenance(seed),
        },
    }


def _comparison(c: Comparison) -> dict[str, Any]:
    explainer, white_box, positive, important, false = c.key
    where = "Facebook" if positive is None else f"{positive:g} positive, false {false:g}"
    return {
        "explainer": explainer,
        "cell": f"{white_box}, {where}, {important:g} important",
        "published": c.published,
        "measured": c.measured,
        "difference": c.difference,
        "agrees": c.agrees,
        "explanation": "" if c.agrees else explanation(c.key),
    }
