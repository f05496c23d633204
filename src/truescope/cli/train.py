"""`truescope train`: a model and a text into a dictionary of features."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from truescope.cli.options import Flag, Training


def train(
    *,
    model: str,
    text: Path,
    training: Training = Training(),  # noqa: B008 (frozen)
    out: Path | None = None,
    revision: str | None = None,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Train a dictionary for a model on a text, and say how it does on the tenth of the documents that is held out.

    The same command goes on where it was stopped.

    Parameters
    ----------
    model
        A folder with a Hugging Face causal language model, a name on the hub, or "addition" for the built-in one.
    text
        UTF-8 .txt (documents separated by blank lines), .jsonl, or a JSON list of strings.
    out
        Put the dictionary here too; it always lies in the run's folder.
    revision
        The hub revision to load.
    json
        Print one JSON object and nothing else.
    """
    from truescope.cli.terminal import TerminalWatcher, print_json
    from truescope.pipelines.train import train as run_train

    watcher = TerminalWatcher(quiet=json)
    try:
        report = run_train(model, text, out=out, revision=revision, watcher=watcher, **asdict(training))
    finally:
        watcher.close()
    if json:
        print_json(report.summary())
    else:
        _print(report.summary())
    return 0


def _print(summary: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    rows = zip(summary["fvu"], summary["pca_fvu"], summary["l0"], summary["dead"], strict=True)
    console.print(f"\n[bold]Held out: {summary['n_documents']:,} documents, {summary['n_tokens']:,} tokens[/bold]")
    for layer, (fvu, pca, l0, dead) in enumerate(rows):
        yardstick = f"(PCA of rank {summary['pca_rank']}: {pca:.3f})"
        console.print(f"  {layer:>2}  unexplained {fvu:.3f} {yardstick}  active {l0:.1f}  dead {dead:,}")
    console.print(
        f"  loss {summary['ce']:.3f} nats a token; with every MLP replaced at once {summary['ce_delta']:+.3f}, "
        f"at first tokens too {summary['ce_delta_everywhere']:+.3f}"
    )
    console.print(f"\nthe dictionary: {summary['dictionary']}")
