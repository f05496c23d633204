"""`truescope gnn`: explainers of graph networks, held against models whose mechanism is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App

from truescope.cli.options import Flag, Words

gnn = App(name="gnn", help_format="plaintext", result_action="return_value")
"""The command and its sub-commands."""


@gnn.command
def benchmark(
    *,
    quick: Annotated[bool, Flag] = False,
    explainer: Annotated[list[str] | None, Words] = None,
    data: Path | None = None,
    processes: int | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Run the published benchmark of explainers on white-box classifiers, and judge its five findings.

    The same command goes on where it was stopped.

    Parameters
    ----------
    quick
        A small part: 36 cells of the synthetic sweep, two seeds.
    explainer
        Only this one; may be given more than once.
    data
        The folder of real data, for the Facebook part; TRUESCOPE_DATA where none is named.
    processes
        How many cells are run at once.
    seed
        Draws bootstrap samples and controls; the instances have the published seeds.
    json
        Print one JSON object and nothing else.
    strict
        Exit with 1 when a finding failed.
    """
    from truescope.cli.terminal import TerminalWatcher, exit_status, print_claims, print_json
    from truescope.pipelines.gnn import gnn_benchmark

    with TerminalWatcher(quiet=json) as watcher:
        report = gnn_benchmark(
            quick=quick, explainers=explainer, data=data, n_processes=processes, seed=seed, watcher=watcher
        )
    summary = report.summary()
    if json:
        print_json(summary)
    else:
        _print_means(summary["rows"])
        print_claims(summary["claims"])
        _print_end(summary)
    return exit_status(summary["claims"], strict=strict)


def _print_means(rows: list[dict[str, Any]]) -> None:
    """Each explainer's mean area on each white box, over all settings."""
    from rich.console import Console
    from rich.table import Table

    boxes = ("local", "neighborhood", "two-hop")
    table = Table(title="Share of pairs (important, unimportant) in the right order", title_justify="left", box=None)
    table.add_column("explainer")
    for data in dict.fromkeys(row["data"] for row in rows):
        for box in boxes:
            table.add_column(box if data == "synthetic" else f"Facebook {box}", justify="right")
    for name in dict.fromkeys(row["explainer"] for row in rows):
        cells = []
        for data in dict.fromkeys(row["data"] for row in rows):
            for box in boxes:
                means = [r["mean"] for r in rows if (r["explainer"], r["white_box"], r["data"]) == (name, box, data)]
                cells.append(f"{sum(means) / len(means):.3f}" if means else "–")
        table.add_row(name.replace("_", " "), *cells)
    Console(highlight=False, soft_wrap=True).print(table)


def _print_end(summary: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    compared = summary["comparisons"]
    if compared:
        off = [c for c in compared if not c["agrees"]]
        console.print(f"\n{len(compared) - len(off)} of {len(compared)} published means met")
        for c in off:
            console.print(
                f"  {c['explainer']}, {c['cell']}: published {c['published']:.4f}, here {c['measured']:.4f}; "
                f"[dim]{c['explanation']}[/dim]"
            )
    console.print(f"\nthe report: {summary['page']}")
