"""What the model itself says a part is worth: the change of its answer when the part's output is set to zero.

One forward pass holds a copy of the prompt for each part; in copy i part i is silent at its position. A head is silent
where its values are zero, a token or a position where its embedding is (the balance stays, or every norm would change).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import GPT2LMHeadModel

from truescope.truth.compiled.directions import HIGH, LOW, Directions
from truescope.truth.compiled.graph import TrueNode

ABLATED_KINDS = ("unit", "head", "token", "constant")
NEEDED = 0.01
"""The least change of a logit that counts; the answer's is 10."""


@torch.no_grad()
def ablation_effects(
    model: GPT2LMHeadModel,
    directions: Directions,
    token_ids: Int[Tensor, " pos"],
    nodes: Sequence[TrueNode],
    targets: Sequence[int],
) -> Float[Tensor, " n_nodes"]:
    """The largest change among the demeaned logits of ``targets`` at the last position, one for each silenced node."""
    kept = [directions.index(name) for name in (HIGH, LOW)] if directions.balanced else []
    copies = token_ids.expand(len(nodes) + 1, -1)
    with _silenced(model, nodes, kept):
        logits = model(copies).logits[:, -1]
    centred = (logits - logits.mean(-1, keepdim=True))[:, list(targets)]
    # The last copy has nothing silenced.
    return (centred[:-1] - centred[-1]).abs().amax(-1)


@contextmanager
def _silenced(model: GPT2LMHeadModel, nodes: Sequence[TrueNode], kept: list[int]) -> Iterator[None]:
    rows = list(enumerate(nodes))
    with ExitStack() as stack:
        for layer, block in enumerate(model.transformer.h):
            part: Any = block
            units = [(i, n.position, slice(n.index, n.index + 1)) for i, n in rows if _is(n, "unit", layer)]
            stack.callback(part.mlp.c_proj.register_forward_pre_hook(_before(units)).remove)
            width = part.attn.head_dim
            heads = [
                (i, n.position, slice(n.index * width, (n.index + 1) * width)) for i, n in rows if _is(n, "head", layer)
            ]
            stack.callback(part.attn.c_proj.register_forward_pre_hook(_before(heads)).remove)
        for kind, embedding in (("token", model.transformer.wte), ("constant", model.transformer.wpe)):
            entering = [(i, n.position) for i, n in rows if _is(n, kind, -1)]
            hook = _after(entering, len(nodes) + 1, kept)
            stack.callback(embedding.register_forward_hook(hook).remove)
        yield


def _is(node: TrueNode, kind: str, layer: int) -> bool:
    return node.kind == kind and node.layer == layer


def _before(silent: list[tuple[int, int, slice]]) -> Callable[..., tuple[Tensor]]:
    def hook(module: Any, args: tuple[Tensor, ...]) -> tuple[Tensor]:
        x = args[0].clone()
        for row, position, columns in silent:
            x[row, position, columns] = 0.0
        return (x,)

    return hook


def _after(silent: list[tuple[int, int]], n_rows: int, kept: list[int]) -> Callable[..., Tensor]:
    def hook(module: Any, args: Any, output: Tensor) -> Tensor:
        # Position embeddings are made once for all rows.
        x = output.expand(n_rows, -1, -1).clone()
        for row, position in silent:
            balance = x[row, position, kept].clone()
            x[row, position] = 0.0
            x[row, position, kept] = balance
        return x

    return hook
