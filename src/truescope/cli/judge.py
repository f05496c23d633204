"""`truescope judge`: claims from a file, tested on a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from truescope.cli.options import Flag


def judge(
    case: Path,
    /,
    *,
    model: str | None = None,
    n_controls: int | None = None,
    seed: int | None = None,
    json: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
    fresh: Annotated[bool, Flag] = False,
) -> int:
    """Test claims about groups of units by setting them to their means in the running model, beside matched controls.

    Parameters
    ----------
    case
        A JSON file with the prompts, their answers, and the claims (docs/judging.md has the form); `truescope demo`
        writes one into its run folder.
    model
        The model to test them on; default: the one that the case names.
    n_controls
        Matched random groups for each claim; default: as many as the case names.
    seed
        Splits the prompts, draws the controls and the bootstrap samples; default: the case's.
    json
        Print one JSON object and exit.
    strict
        Exit with status 1 if a claim failed.
    fresh
        Judge again even if the store has this run.
    """
    from truescope.cli.terminal import TerminalWatcher, exit_status, print_claims, print_json
    from truescope.pipelines import judge as run_judge

    with TerminalWatcher(quiet=json) as watcher:
        report = run_judge(case, model=model, n_controls=n_controls, seed=seed, fresh=fresh, watcher=watcher)
    summary = report.summary()
    if json:
        print_json(summary)
    else:
        print_claims(summary["claims"])
        print(f"\nthe run: {report.folder}\nthe ledger: {report.ledger}")
    return exit_status(summary["claims"], strict=strict)
