"""`truescope train`: a model and a text into a dictionary of features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

Flag = Parameter(negative=())


def train(
    *,
    model: str,
    text: Path,
    kind: str = "transcoder",
    features: int = 1024,
    k: int = 32,
    out: Path | None = None,
    site: str | None = None,
    activation: str = "topk",
    skip: Annotated[bool, Flag] = False,
    tokens: int = 3_000_000,
    batch: int = 1024,
    lr: float | None = None,
    closed_loop: float = 0.2,
    seed: int = 0,
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
    kind
        "transcoder" (one a layer), "clt" (features also write to later layers), or "sae" (with --site).
    features
        Features of each layer.
    k
        Features kept at a position, of each layer; with jumprelu, the number to start from.
    out
        Put the dictionary here too; it always lies in the run's folder.
    site
        What an sae reads and writes, such as resid_post.2.
    activation
        "topk" or "jumprelu".
    skip
        Add a linear map of the MLP's input to each reconstruction.
    tokens
        How many tokens to train on; texts are gone through again in another order until there are as many.
    batch
        Tokens a step.
    lr
        The highest learning rate; default: 0.01 · √(1024 / features).
    closed_loop
        The share of steps, at the end, that also learn from the model with every MLP replaced.
    seed
        Decides the start and the order of the data.
    revision
        The hub revision to load.
    json
        Print one JSON object and nothing else.
    """
    from truescope.cli.terminal import TerminalWatcher, print_json
    from truescope.pipelines.train import train as run_train

    watcher = TerminalWatcher(quiet=json)
    try:
        report = run_train(
            model,
            text,
            kind=kind,
            features=features,
            k=k,
            out=out,
            site=site,
            activation=activation,
            skip=skip,
            tokens=tokens,
            batch=batch,
            lr=lr,
            closed_loop=closed_loop,
            seed=seed,
            revision=revision,
            watcher=watcher,
        )
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
