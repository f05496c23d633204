"""What the unmodified model computes on a prompt: the values that a graph must account for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int

from truescope.core.sites import Site
from truescope.models import Model


@dataclass(frozen=True)
class Record:
    """One forward pass of one prompt, nothing edited and nothing frozen.

    Lists have one entry a layer. ``up`` is the up-projection's output, ``neurons`` what enters the down-projection,
    ``mlp_out`` what the MLP module puts out (before a post-norm), ``mlp_added`` what is added to the stream (after it).
    ``raw_logits`` are the unembedding's output, before a final soft-cap; ``logits`` what the model returns. ``sites``
    has what else was asked for.
    """

    model: Model
    tokens: Int[torch.Tensor, " pos"]
    mlp_in: list[Float[torch.Tensor, "pos d_model"]]
    up: list[Float[torch.Tensor, "pos n_neurons"]]
    neurons: list[Float[torch.Tensor, "pos n_neurons"]]
    mlp_out: list[Float[torch.Tensor, "pos d_model"]]
    mlp_added: list[Float[torch.Tensor, "pos d_model"]]
    raw_logits: Float[torch.Tensor, "pos vocab"]
    logits: Float[torch.Tensor, "pos vocab"]
    sites: Mapping[Site, Float[torch.Tensor, "pos _"]] = field(default_factory=dict)

    @property
    def n_pos(self) -> int:
        return int(self.tokens.shape[0])


def record(model: Model, tokens: Int[torch.Tensor, " pos"], sites: Iterable[Site] = ()) -> Record:
    """Run the model once, with eager attention, and keep what tracing needs, and the values of ``sites``.

    Raises:
        PromptError: no tokens, more than the context, or ids outside the vocabulary.
    """
    model.use_eager("its attention patterns are frozen")
    n_layers, parts = model.n_layers, model.parts
    up: dict[int, torch.Tensor] = {}
    out: dict[int, torch.Tensor] = {}
    raw: dict[int, torch.Tensor] = {}

    def keep(store: dict[int, torch.Tensor], layer: int) -> Callable[..., None]:
        def hook(module: Any, args: Any, output: torch.Tensor) -> None:
            store[layer] = output[0].detach()

        return hook

    with model.lock, ExitStack() as stack:
        for layer in range(n_layers):
            stack.callback(parts.up(layer).register_forward_hook(keep(up, layer)).remove)
            stack.callback(parts.mlp(layer).register_forward_hook(keep(out, layer)).remove)
        stack.callback(parts.unembed.register_forward_hook(keep(raw, 0)).remove)
        read = [Site(kind, layer) for layer in range(n_layers) for kind in ("mlp_in", "mlp_neurons", "mlp_out")]
        sites = list(sites)
        run = model.run(tokens, read=[*read, *sites])
    layers = range(n_layers)
    return Record(
        model=model,
        tokens=tokens,
        mlp_in=[run.sites[Site("mlp_in", layer)][0] for layer in layers],
        up=[up[layer] for layer in layers],
        neurons=[run.sites[Site("mlp_neurons", layer)][0] for layer in layers],
        mlp_out=[out[layer] for layer in layers],
        mlp_added=[run.sites[Site("mlp_out", layer)][0] for layer in layers],
        raw_logits=raw[0],
        logits=run.logits[0],
        sites={site: run.sites[site][0] for site in sites},
    )
