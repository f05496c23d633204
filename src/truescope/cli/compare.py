"""`truescope compare`: what does reading a model cost on this table?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from truescope.cli.options import Flag, Words


@Parameter(name="*")
@dataclass(frozen=True)
class Columns:
    """What the columns of the table are."""

    target: str | None = None
    """The column to predict."""

    positive: str | None = None
    """The class that counts as yes; may be left out for true/false, 1/0 and yes/no."""

    group: str | None = None
    """The column whose equal values stay together."""

    time: str | None = None
    """The column that says in which order the rows came."""

    drop: Annotated[tuple[str, ...], Words] = ()
    """A column that is no cue; may be given more than once."""

    missing: Annotated[tuple[str, ...], Words] = ()
    """A word that means missing; may be given more than once."""


@Parameter(name="*")
@dataclass(frozen=True)
class Plan:
    """What is compared, and on which folds."""

    models: Annotated[tuple[str, ...], Words] = ("default",)
    """Names of models, or "default" (what is compared unless others are named), "interpretable", "opaque", "all"; may
    be given more than once."""

    goal: str = "bacc"
    """The measure that decides: bacc, acc, auc, log_loss or brier."""

    splits: str = "stratified"
    """"stratified", "grouped" (with --group) or "temporal" (with --time)."""

    repeats: int = 10
    """How often the cross-validation is repeated with other folds."""

    folds: int = 10
    """Folds of each repeat."""

    rope: float = 1.0
    """Differences within this many points (hundredths) are practically equal."""

    epsilon: float = 1.0
    """Trees within this many points of the best are listed."""

    n_shuffles: int = 10
    """Tables with shuffled labels, the claim's control."""

    seed: int = 0
    """Decides folds, models and shuffles."""


def compare(
    data: str,
    /,
    *,
    columns: Columns = Columns(),
    plan: Plan = Plan(),
    jobs: int | None = None,
    json: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
    fresh: Annotated[bool, Flag] = False,
) -> int:
    """Compare models that can be read with opaque ones on a table, and say what reading one costs there.

    Every model is cross-validated on the same folds, with everything learned inside them. The claim "the best
    interpretable model is within one point of the best opaque one" is stated in the ledger before anything is fitted;
    its control is the same procedure on tables with shuffled labels.

    Parameters
    ----------
    data
        A CSV file, or a table made on the spot: "nonlinear", "one-cue", "unrelated".
    jobs
        Processes to run in; default: one for each core.
    json
        Print one JSON object and exit.
    strict
        Exit with status 1 if the claim failed.
    fresh
        Run again even if the store has this run.
    """
    from truescope.cli.terminal import TerminalWatcher, exit_status, print_claims, print_json
    from truescope.pipelines import compare as run_compare

    with TerminalWatcher(quiet=json) as watcher:
        report = run_compare(data, **asdict(columns), **asdict(plan), n_jobs=jobs, fresh=fresh, watcher=watcher)
    summary = report.summary()
    if json:
        print_json(summary)
    else:
        _print(summary)
        print_claims(summary["claims"])
        print(f"\nthe page: {report.page.resolve().as_uri()}\nthe ledger: {report.ledger}")
    return exit_status(summary["claims"], strict=strict)


def _print(summary: dict[str, Any]) -> None:
    """The headline, then the models as a table, then each difference as a sentence."""
    from rich.console import Console
    from rich.markup import escape

    from truescope.cli.terminal import print_rows

    console = Console(highlight=False, soft_wrap=True, emoji=False)
    console.print(f"\n[bold]{escape(summary['headline'])}[/bold]\n")
    goal, rows = summary["measure"], []
    for model in summary["models"]:
        found, size = model["measures"], model["complexity"]
        rows.append(
            [
                model["name"] + (" (opaque)" if model["opaque"] else ""),
                f"{found[goal]['mean']:.3f} [{found[goal]['low']:.3f}, {found[goal]['high']:.3f}]",
                *(f"{found[name]['mean']:.3f}" for name in ("auc", "log_loss", "brier")),
                f"{model['calibration']['error']:.3f}",
                *("–" if size[part] is None else f"{size[part]:.1f}" for part in ("nodes", "cues", "words")),
            ]
        )
    head = ["model", f"{goal} [95 % interval]", "auc", "log loss", "brier", "ece", "nodes", "cues asked", "words"]
    print_rows(head, rows)
    for model in summary["models"]:
        for note in model["notes"]:
            console.print(f"  [yellow]{escape(model['name'])} {escape(note)}[/yellow]")
    for words in summary["failed"].values():
        console.print(f"  [red]{escape(words)}[/red]")
    console.print()
    for difference in summary["differences"]:
        console.print(f"  {escape(difference['sentence'])}")
    found = summary["alternatives"]
    console.print(
        f"\n  {len(found['trees'])} of {found['n_grown']} fast-and-frugal trees lie within {found['epsilon']:g} points "
        f"of the best; they disagree on {100 * found['ambiguity']:.1f} % of the rows"
    )
