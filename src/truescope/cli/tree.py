"""`truescope tree`: a fast-and-frugal tree for a table, in words, numbers and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from truescope.cli.options import Flag, Words


def tree(
    data: str,
    /,
    *,
    target: str | None = None,
    positive: str | None = None,
    algorithm: str = "ifan",
    goal: str | None = None,
    goal_chase: str | None = None,
    goal_threshold: str | None = None,
    max_levels: int = 4,
    sens_w: float = 0.5,
    stopping_rule: str = "exemplars",
    stopping_par: float = 0.1,
    numthresh_method: str = "optimise",
    numthresh_n: int = 10,
    select: int = 1,
    costs: Path | None = None,
    outcome_costs: str | None = None,
    from_words: str | None = None,
    test: Path | None = None,
    holdout: float = 0.0,
    drop: Annotated[list[str] | None, Words] = None,
    missing: Annotated[list[str] | None, Words] = None,
    seed: int = 0,
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
    target
        The column to predict.
    positive
        The class that counts as yes; may be left out for true/false, 1/0 and yes/no.
    algorithm
        "ifan" ranks the cues once, "dfan" anew at each node.
    goal
        What trees are ordered by: bacc, acc, wacc, dprime or cost.
    goal_chase
        What cues are chosen by.
    goal_threshold
        What thresholds are chosen by.
    max_levels
        The most questions, 1 to 6.
    sens_w
        The weight of sensitivity in wacc.
    stopping_rule
        "exemplars", "levels" or "statdelta".
    stopping_par
        The rule's number: a share of undecided cases, a level, or a gain.
    numthresh_method
        "optimise" or "median".
    numthresh_n
        Thresholds tried for each numeric cue, 3 to 20.
    select
        Which tree is told; 1 is the best on the cases it was grown on.
    costs
        A CSV file with the cost of asking each cue: a header line, then a name and a number a line.
    outcome_costs
        Costs of outcomes, such as fa=10,mi=20 (hi and cr cost nothing unless told).
    from_words
        A tree in words, or a file with one, to be scored instead of grown.
    test
        A second CSV file to score on.
    holdout
        Keep this share of the cases out of the fit, and score on them.
    drop
        A column that is no cue; may be given more than once.
    missing
        A word that means missing; may be given more than once.
    seed
        Decides what is held out.
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
    from truescope.pipelines.tree import parse_costs
    from truescope.pipelines.tree import tree as run_tree

    watcher = TerminalWatcher(quiet=json or words)
    try:
        report = run_tree(
            data,
            target,
            test=test,
            holdout=holdout,
            words=_text(from_words),
            costs=costs,
            outcome_costs=None if outcome_costs is None else parse_costs(outcome_costs),
            positive=positive,
            drop=drop or (),
            missing=missing or (),
            seed=seed,
            out=out,
            what=what,
            watcher=watcher,
            algorithm=algorithm,
            goal=goal,
            goal_chase=goal_chase,
            goal_threshold=goal_threshold,
            max_levels=max_levels,
            sens_w=sens_w,
            stopping_rule=stopping_rule,
            stopping_par=stopping_par,
            numthresh_method=numthresh_method,
            numthresh_n=numthresh_n,
            select=select,
        )
    finally:
        watcher.close()
    summary = report.summary()
    if json:
        print_json(summary)
    elif words:
        print("\n".join(summary["words"]))
    else:
        _print(summary, select)
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
