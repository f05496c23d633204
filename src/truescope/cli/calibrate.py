"""`truescope calibrate`: every method over every model whose mechanism is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from truescope.cli.options import Flag


def calibrate(
    *,
    quick: Annotated[bool, Flag] = False,
    seed: int = 7,
    workers: int = 2,
    out: Path | None = None,
    json: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Score every method on models whose mechanism is known, and judge what was expected of each.

    The same command goes on where it was stopped.

    Parameters
    ----------
    quick
        Fewer prompts, programs and seeds: under two minutes, with wider intervals.
    seed
        Draws prompts, random programs and bootstrap samples.
    workers
        Processes that share the work.
    out
        Put calibration.md, .json and .svg into this folder too; they always lie in the run's folder.
    json
        Print one JSON object and nothing else.
    strict
        Exit with status 1 if a claim failed.
    """
    from truescope.cli.terminal import TerminalWatcher, exit_status, print_json
    from truescope.pipelines import calibrate as run_calibrate

    with TerminalWatcher(quiet=json) as watcher:
        report = run_calibrate(quick=quick, seed=seed, workers=workers, out=out, watcher=watcher)
    summary = report.summary()
    if json:
        print_json(summary)
    else:
        _print(report.headline, summary)
    return exit_status(summary["claims"], strict=strict)


def _print(table: list[str], summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True, emoji=False)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if "---" not in line]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    console.print()
    for n, row in enumerate(rows):
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        line = escape("  ".join([*left, *right]))
        console.print(f"[bold]{line}[/bold]" if n == 0 else line)
    claims = summary["claims"]
    for status, colour, sign in (("failed", "red", "✗"), ("undecided", "yellow", "?")):
        chosen = [claim for claim in claims if claim["status"] == status]
        if chosen:
            console.print(f"\n[{colour}]{sign} {len(chosen)} {status}[/{colour}]")
        for claim in chosen:
            found = [f"{s['name']} {s['value']:.3f} [{s['low']:.3f}, {s['high']:.3f}]" for s in claim["scores"]]
            console.print(f"    {escape(claim['text'])}  [dim]{escape('; '.join(found))}[/dim]")
    held = sum(claim["status"] == "held" for claim in claims)
    console.print(f"\n[green]✓ {held} of {len(claims)} claims held[/green]")
    console.print(f"\nthe report: {summary['folder']}/calibration.md")
