"""`truescope trace`: a prompt into an attribution graph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Flag = Parameter(negative=())


def trace(
    prompt: str,
    /,
    *,
    model: str = "addition",
    revision: str | None = None,
    dictionary: str = "neurons",
    target: Annotated[list[str] | None, Parameter(negative=())] = None,
    probability: float = 0.95,
    max_targets: int = 10,
    node_threshold: float = 0.8,
    edge_threshold: float = 0.98,
    max_units: int = 4096,
    text: Path | None = None,
    json: Annotated[bool, Flag] = False,
    no_browser: Annotated[bool, Flag] = False,
    port: int = 8321,
    fresh: Annotated[bool, Flag] = False,
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
    probability
        Explain the likeliest tokens up to this cumulative probability …
    max_targets
        … but at most this many.
    node_threshold
        Keep the most influential nodes up to this share of all influence.
    edge_threshold
        Keep the most influential edges up to this share.
    max_units
        Compute incoming edges for at most this many units, the most influential first; what is left out is counted.
    text
        Text to look for examples of each unit in: UTF-8 .txt, .jsonl, or a JSON list of strings.
    json
        Print one JSON object and exit; nothing is served.
    no_browser
        Serve the page without opening a browser.
    port
        The port to serve on; the next free one is taken, and said, if it is in use.
    fresh
        Run again even if the store has this run.
    """
    from truescope.cli.show import show
    from truescope.cli.terminal import TerminalWatcher
    from truescope.pipelines import trace as run_trace

    watcher = TerminalWatcher(quiet=json)
    try:
        report = run_trace(
            prompt,
            model,
            revision=revision,
            dictionary=dictionary,
            targets=target or None,
            probability=probability,
            max_targets=max_targets,
            node_threshold=node_threshold,
            edge_threshold=edge_threshold,
            max_units=max_units,
            text=text,
            fresh=fresh,
            watcher=watcher,
        )
    finally:
        watcher.close()
    return show(report, watcher, json=json, no_browser=no_browser, port=port, strict=False)
