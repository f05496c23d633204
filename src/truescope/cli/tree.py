"""`truescope tree`: a fast-and-frugal tree for a table, in words, numbers and pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from truescope.cli.options import Flag, Words


@Parameter(name="*")
@dataclass(frozen=True)
class Read:
    """What of the table is read, and what is held out."""

    target: str | None = None
    """The column to predict."""

    positive: str | None = None
    """The class that counts as yes; may be left out for true/false, 1/0 and yes/no."""

    test: Path | None = None
    """A second CSV file to score on."""

    holdout: float = 0.0
    """Keep this share of the cases out of the fit, and score on them."""

    drop: Annotated[tuple[str, ...], Words] = ()
    """A column that is no cue; may be given more than once."""

    missing: Annotated[tuple[str, ...], Words] = ()
    """A word that means missing; may be given more than once."""

    seed: int = 0
    """Decides what is held out."""


@Parameter(name="*")
@dataclass(frozen=True)
class Growth:
    """How trees are grown, and which of them is told."""

    algorithm: str = "ifan"
    """"ifan" ranks the cues once, "dfan" anew at each node."""

    goal: str | None = None
    """What trees are ordered by: bacc, acc, wacc, dprime or cost."""

    goal_chase: str | None = None
    """What cues are chosen by."""

    goal_threshold: str | None = None
    """What thresholds are chosen by."""

    max_levels: int = 4
    """The most questions, 1 to 6."""

    sens_w: float = 0.5
    """The weight of sensitivity in wacc."""

    stopping_rule: str = "exemplars"
    """"exemplars", "levels" or "statdelta"."""

    stopping_par: float = 0.1
    """The rule's number: a share of undecided cases, a level, or a gain."""

    numthresh_method: str = "optimise"
    """"optimise" or "median"."""

    numthresh_n: int = 10
    """Thresholds tried for each numeric cue, 3 to 20."""

    select: int = 1
    """Which tree is told; 1 is the best on the cases it was grown on."""


def tree(
    data: str,
    /,
    *,
    read: Read = Read(),
    growth: Growth = Growth(),
    costs: Path | None = None,
    outcome_costs: str | None = None,
    from_words: str | None = None,
    out: Path | None = None,
    what: str = "all",
    words: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Grow fast-and-frugal trees on a table: at most a few questions, each with an exit, as the R package FFTrees does.

    Parameters
    ----------
    data
        A CSV file, or a table made on the spot: "nonlinear", "one-cue", "unrelated".
    costs
        A CSV file with the cost of asking each cue: a header line, then a name and a number a line.
    outcome_costs
        Costs of outcomes, such as fa=10,mi=20 (hi and cr cost nothing unless told).
    from_words
        A tree in words, or a file with one, to be scored instead of grown.
    out
        Write the picture here, as .svg or .html.
    what
        Which picture: all, tree, icontree, cues, roc, or card (a pocket card of A6 size).
    words
        Print the tree's sentences and nothing else.
    json
        Print one JSON object and exit.
    """
    from truescope.cli.terminal import TerminalWatcher, print_json
    from truescope.pipelines.tables.tree import parse_costs
    from truescope.pipelines.tables.tree import tree as run_tree

    with TerminalWatcher(quiet=json or words) as watcher:
        report = run_tree(
            data,
            **asdict(read),
            **asdict(growth),
            words=_text(from_words),
            costs=costs,
            outcome_costs=None if outcome_costs is None else parse_costs(outcome_costs),
            out=out,
            what=what,
            watcher=watcher,
        )
    summary = report.summary()
    if json:
        print_json(summary)
    elif words:
        print("\n".join(summary["words"]))
    else:
        _print(summary, growth.select)
    return 0


def _text(words: str | None) -> str | None:
    """The words themselves, or those of the file that is named."""
    if words is None or len(words) > 200 or not Path(words).is_file():
        return words
    return Path(words).read_text("utf-8")


def _print(summary: dict[str, Any], chosen: int) -> None:
    from rich.markup import escape
    from rich.table import Table

    from truescope.cli.terminal import stdout_console

    console = stdout_console()
    console.print()
    for sentence in summary["words"]:
        console.print(f"  [bold]{escape(sentence)}[/bold]")
    console.print()
    about, columns = summary["table"], ("hi", "fa", "mi", "cr", "sens", "spec", "acc", "bacc", "mcu")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("cases", *columns):
        table.add_column(name, justify="left" if name == "cases" else "right", no_wrap=True)
    for label, key, n in (("fitted on", "learned", "n_learned"), ("held out", "held_out", "n_held_out")):
        if summary[key] is not None:
            table.add_row(f"{label} {about[n]:,}", *(_shown(name, summary[key][name]) for name in columns))
    console.print(table)
    if summary["held_out"] is not None:
        shares = summary["held_out"]["intervals"]
        told = ", ".join(f"{name} \\[{low:.3f}, {high:.3f}]" for name, (low, high) in shares.items())
        console.print(f"  [dim]95 % intervals on the cases held out: {told}[/dim]")
    if len(summary["trees"]) > 1:
        others = "  ".join(f"{one['tree']}: {one['sens']:.2f}/{one['spec']:.2f}" for one in summary["trees"])
        console.print(f"\n  the fan's trees, sensitivity/specificity: {others}  (told: {chosen}; --select N)")
    console.print(f"\nthe picture: {summary['out'] or summary['picture']}\nthe pocket card: {summary['card']}")


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if name in ("hi", "fa", "mi", "cr") else f"{value:.3f}"
