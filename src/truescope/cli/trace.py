"""`truescope trace`: a prompt into an attribution graph."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from truescope.cli.options import Flag, Shown, Words


@Parameter(name="*")
@dataclass(frozen=True)
class Pruning:
    """What a graph explains, and how much of it is kept."""

    probability: float = 0.95
    """Explain the likeliest tokens up to this cumulative probability …"""

    max_targets: int = 10
    """… but at most this many."""

    node_threshold: float = 0.8
    """Keep the most influential nodes up to this share of all influence."""

    edge_threshold: float = 0.98
    """Keep the most influential edges up to this share."""

    max_units: int = 4096
    """Compute incoming edges for at most this many units, the most influential first; what is left out is counted."""


def trace(
    prompt: str,
    /,
    *,
    model: str = "addition",
    revision: str | None = None,
    dictionary: Annotated[list[str] | None, Words] = None,
    target: Annotated[list[str] | None, Words] = None,
    pruning: Pruning = Pruning(),
    text: Path | None = None,
    fresh: Annotated[bool, Flag] = False,
    shown: Shown = Shown(),
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
        The units of the graph: "neurons" (the model's own MLP neurons, the default; the error is zero), or the folder
        of a transcoder, cross-layer transcoder or autoencoder made by `truescope train`; given more than once:
        autoencoders of different layers. "transcoder" and "clt" are the built-in ones of the model "addition".
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

    with TerminalWatcher(quiet=shown.json) as watcher:
        report = run_trace(
            prompt,
            model,
            revision=revision,
            dictionary=dictionary or "neurons",
            targets=target or None,
            **asdict(pruning),
            text=text,
            fresh=fresh,
            watcher=watcher,
        )
    return show(report, shown)
