"""`truescope trace`: a prompt into an attribution graph."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from truescope.cli.options import Flag, Pruning, Shown, Words


def trace(
    prompt: str,
    /,
    *,
    model: str = "addition",
    revision: str | None = None,
    dictionary: str = "neurons",
    target: Annotated[list[str] | None, Words] = None,
    pruning: Pruning = Pruning(),  # noqa: B008 (frozen)
    text: Path | None = None,
    fresh: Annotated[bool, Flag] = False,
    shown: Shown = Shown(),  # noqa: B008 (frozen)
) -> int:
    """Trace a prompt through a model into an attribution graph whose edges add up.

    Parameters
    ----------
    prompt
        The text to trace; the graph explains the next token.
    model
        A folder with a Hugging Face causal language model, a name on the hub, or "addition" for the built-in one.
    revision
        The hub revision to load.
    dictionary
        The units of the graph: "neurons" (the model's own MLP neurons; the error is zero), or the folder of a
        transcoder or cross-layer transcoder made by `truescope train`.
    target
        Tokens to explain (may be given more than once); default: the likeliest ones.
    text
        Text to look for examples of each unit in: UTF-8 .txt, .jsonl, or a JSON list of strings.
    fresh
        Run again even if the store has this run.
    """
    from truescope.cli.show import show
    from truescope.cli.terminal import TerminalWatcher
    from truescope.pipelines import trace as run_trace

    watcher = TerminalWatcher(quiet=shown.json)
    try:
        report = run_trace(
            prompt,
            model,
            revision=revision,
            dictionary=dictionary,
            targets=target or None,
            **asdict(pruning),
            text=text,
            fresh=fresh,
            watcher=watcher,
        )
    finally:
        watcher.close()
    return show(report, watcher, shown)
