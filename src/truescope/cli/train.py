"""`truescope train`: a model and a text into a dictionary of features."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from truescope.cli.options import Flag


@Parameter(name="*")
@dataclass(frozen=True)
class Training:
    """What is trained, and on how much."""

    kind: str = "transcoder"
    """"transcoder" (one a layer), "clt" (features also write to later layers), or "sae" (with --site)."""

    features: int = 1024
    """Features of each layer."""

    k: int = 32
    """Features kept at a position, of each layer; with jumprelu, the number to start from."""

    site: str | None = None
    """What an sae reads and writes, such as resid_post.2."""

    activation: str = "topk"
    """"topk" or "jumprelu"."""

    skip: Annotated[bool, Flag] = False
    """Add a linear map of the MLP's input to each reconstruction."""

    tokens: int = 3_000_000
    """How many tokens to train on; texts are gone through again in another order until there are as many."""

    batch: int = 1024
    """Tokens a step."""

    lr: float | None = None
    """The highest learning rate; default: 0.01 · √(1024 / features)."""

    closed_loop: float = 0.2
    """The share of steps, at the end, that also learn from the model with every MLP replaced."""

    seed: int = 0
    """Decides the start and the order of the data."""


def train(
    *,
    model: str,
    text: Path,
    training: Training = Training(),
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

    with TerminalWatcher(quiet=json) as watcher:
        report = run_train(model, text, out=out, revision=revision, watcher=watcher, **asdict(training))
    if json:
        print_json(report.summary())
    else:
        _print(report.summary())
    return 0


def _print(summary: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, emoji=False)
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
