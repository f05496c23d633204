"""`truescope demo`: the main job, from a prompt to judged claims."""

from __future__ import annotations

from typing import Annotated

from truescope.cli.options import Flag, Shown


def demo(
    *,
    dictionary: str = "transcoder",
    n_controls: int = 100,
    seed: int = 0,
    strict: Annotated[bool, Flag] = False,
    fresh: Annotated[bool, Flag] = False,
    retrain: Annotated[bool, Flag] = False,
    shown: Shown = Shown(),
) -> int:
    """Trace why a small model answers 95 to "36+59=", judge what the graph says, and show the page.

    Groups of units are found on one half of the 10,000 sums, without being told the answers; one claim for each is
    stated, hashed, and tested on the other half by setting the group to its means in the model, beside matched random
    groups. On no terminal the page is written into one file.

    Parameters
    ----------
    dictionary
        The units of the graph and the groups: "transcoder" or "clt" (the dictionaries that ship with the model),
        "neurons" (the model's own), or the folder of a dictionary trained on this model.
    n_controls
        Matched random groups for each claim (at least 100 for a verdict that counts).
    seed
        Splits the prompts, draws the controls and the bootstrap samples.
    strict
        Exit with status 1 if a claim failed.
    fresh
        Run again even if the store has this run.
    retrain
        Train the model and its dictionaries anew from the seed (three to five minutes) instead of taking those that
        ship.
    """
    from truescope.cli.show import show
    from truescope.cli.terminal import TerminalWatcher
    from truescope.pipelines import demo as run_demo

    with TerminalWatcher(quiet=shown.json) as watcher:
        report = run_demo(
            dictionary=dictionary, n_controls=n_controls, seed=seed, fresh=fresh, retrain=retrain, watcher=watcher
        )
    return show(report, shown, strict=strict)
