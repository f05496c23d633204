"""`truescope distil`: a behaviour of a language model as a tree over its features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from truescope.cli.options import Flag


def distil(
    behaviour: str,
    /,
    *,
    dictionary: str = "transcoder",
    algorithm: str = "ifan",
    max_levels: int = 4,
    n_controls: int = 100,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
    fresh: Annotated[bool, Flag] = False,
) -> int:
    """Distil a behaviour of the addition world into a fast-and-frugal tree over its features, and judge its fidelity.

    The tree is grown on one half of the prompts; that it agrees with the model is claimed before, and measured on, the
    other half, beside trees on random features of the same layers.

    Parameters
    ----------
    behaviour
        "carry" (does the sum carry?) or "hundred" (is the answer 100 or more?).
    dictionary
        What the features are: "transcoder", "clt", "neurons", or a dictionary's folder.
    algorithm
        "ifan" or "dfan".
    max_levels
        The most questions, 1 to 6.
    n_controls
        Trees on random features.
    seed
        Splits the prompts, draws the controls and the bootstrap samples.
    json
        Print one JSON object and exit.
    strict
        Exit with status 1 if the claim failed.
    fresh
        Run again even if the store has this run.
    """
    from truescope.cli.terminal import TerminalWatcher, exit_status, print_json
    from truescope.pipelines import distil as run_distil

    with TerminalWatcher(quiet=json) as watcher:
        report = run_distil(
            behaviour,
            dictionary=dictionary,
            algorithm=algorithm,
            max_levels=max_levels,
            n_controls=n_controls,
            seed=seed,
            fresh=fresh,
            watcher=watcher,
        )
    summary = report.summary()
    if json:
        print_json(summary)
    else:
        _print(summary, report.ledger)
    return exit_status(summary["claims"], strict=strict)


def _print(summary: dict[str, Any], ledger: Path) -> None:
    from truescope.cli.terminal import print_claims

    print("\n" + "\n".join(f"  {sentence}" for sentence in summary["words"]))
    print(f"\n  where True means: {summary['statement']}")
    print(f"  {summary['headline']}")
    print_claims(summary["claims"])
    print(f"\nthe picture: {summary['picture']}\nthe ledger: {ledger}")
