"""The induction heads: two layers of attention, really trained to go on with what they have seen before.

    <bos> k c x e b m | x e b | c x e | …        (the bars are not there)

A block of different tokens, then runs from it that begin anywhere; within a run each token follows from the block. Two
layers of one head, width 64, no MLP. What it learns is known (`FACTS`, measured by `check_induction`): the head of
layer 0 attends to the token before; through it the head of layer 1 finds the token that came after this one.
Source of the mechanism: Olsson et al., "In-context Learning and Induction Heads", 2022.

``python -m truescope.truth.induction FOLDER`` trains it anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import GPT2LMHeadModel

from truescope.truth.attention_only import Batch, Progress, Recipe, patterns, save, script, train
from truescope.truth.facts import CheckedFact, Fact, Measure, check_fact
from truescope.truth.tokens import BOS as BOS_WORD

INDUCTION_FOLDER = Path(__file__).parent / "worlds" / "induction"
"""Where the trained weights that come with the package lie."""

N_SYMBOLS = 32
BOS = N_SYMBOLS
VOCABULARY = (*(chr(ord("a") + i) if i < 26 else chr(ord("A") + i - 26) for i in range(N_SYMBOLS)), BOS_WORD)
LENGTH = 32
CONTEXT = LENGTH + 1
BLOCKS = (6, 16)
"""The shortest and the longest block that is drawn."""

RECIPE = Recipe(n_layers=2, n_heads=1, d_model=64, steps=2000, batch=64, weight_decay=0.01)

PREVIOUS_HEAD, INDUCTION_HEAD = (0, 0), (1, 0)
"""The previous-token head and the induction head, as (layer, index)."""

FACTS = (
    Fact("it goes on with runs of random blocks", "continues", 0.99),
    Fact("in the block, the head of layer 0 attends to the token before", "attends_to_previous", 0.9, PREVIOUS_HEAD),
    Fact(
        "at a second coming, the head of layer 1 attends to what came after the first",
        "attends_after",
        0.9,
        INDUCTION_HEAD,
    ),
    Fact(
        "with layer 0's head silent nearly none of that attention is left", "lost_without_previous", 0.8, INDUCTION_HEAD
    ),
)
"""What is known of the shipped model, with the bounds that its measures keep."""


def sequences(n: int, generator: torch.Generator | None = None) -> tuple[Int[Tensor, "n 33"], Int[Tensor, "n 33"]]:
    """``<bos>``, a block, and runs of it; and for each token within a run the position it is copied from, else 0."""
    low, high = BLOCKS
    size = int(torch.randint(low, high + 1, (), generator=generator))
    block = torch.rand(n, N_SYMBOLS, generator=generator).argsort(1)[:, :size]
    source = torch.empty(n, LENGTH, dtype=torch.long)
    source[:, :size] = torch.arange(size)
    follows = torch.zeros(n, LENGTH, dtype=torch.bool)
    for at in range(size, LENGTH):
        begins = torch.rand(n, generator=generator) < 0.2
        begins |= (source[:, at - 1] == size - 1) | (at == size)
        start = torch.randint(0, size, (n,), generator=generator)
        source[:, at] = torch.where(begins, start, source[:, at - 1] + 1)
        follows[:, at] = ~begins
    tokens = torch.cat([torch.full((n, 1), BOS), block.gather(1, source)], 1)
    copied = torch.cat([torch.zeros(n, 1, dtype=torch.long), torch.where(follows, source + 1, 0)], 1)
    return tokens, copied


def _draw(n: int) -> Batch:
    tokens, copied = sequences(n)
    return tokens, copied > 0


@cache
def fresh_sequences() -> tuple[Int[Tensor, "n 33"], Int[Tensor, "n 33"]]:
    """400 sequences, ten of a size, from a generator of their own."""
    generator = torch.Generator().manual_seed(11)
    drawn = [sequences(10, generator) for _ in range(40)]
    return torch.cat([tokens for tokens, _ in drawn]), torch.cat([copied for _, copied in drawn])


def _mean_where(values: Float[Tensor, "n pos"], where: Tensor) -> Float[Tensor, " case"]:
    """The mean of each sequence over the positions marked; sequences without any are left out."""
    n = where.sum(1)
    return ((values * where).sum(1) / n.clamp(min=1))[n > 0]


def continues(model: GPT2LMHeadModel, head: tuple[int, int] | None) -> Float[Tensor, " case"]:
    """Whether the likeliest next token is the one that follows in the block: the share of each sequence's runs."""
    tokens, copied = fresh_sequences()
    right = model(tokens[:, :-1]).logits.argmax(-1) == tokens[:, 1:]
    return _mean_where(right.float(), copied[:, 1:] > 0)


def attends_to_previous(model: GPT2LMHeadModel, head: tuple[int, int] | None) -> Float[Tensor, " case"]:
    """The share on the token before, over the block: only there are keys made that later queries look for."""
    assert head is not None
    tokens, _ = fresh_sequences()
    onto = patterns(model, tokens)[head[0]][:, head[1]].diagonal(-1, 1, 2)
    return _mean_where(onto, _n_before(tokens)[:, 1:].cumsum(1) == 0)


def _n_before(tokens: Int[Tensor, "n pos"]) -> Int[Tensor, "n pos"]:
    """How often each token has come before."""
    return (tokens[:, :, None] == tokens[:, None, :]).tril(-1).sum(2)


def attends_after(model: GPT2LMHeadModel, head: tuple[int, int] | None) -> Float[Tensor, " case"]:
    """The share on the token that is copied, at its first coming, seen from where it is predicted, at its second.

    Later runs have more than one such token; a head may divide its attention among them.
    """
    assert head is not None
    tokens, copied = fresh_sequences()
    pattern = patterns(model, tokens)[head[0]][:, head[1], :-1]
    onto = pattern.gather(2, copied[:, 1:, None])[..., 0]
    # A token is at its second coming where it stands once before.
    seen = _n_before(tokens)
    return _mean_where(onto, (copied[:, 1:] > 0) & (seen[:, :-1] == 1) & (seen[:, 1:] == 1))


def _lost(model: GPT2LMHeadModel, head: tuple[int, int] | None) -> Float[Tensor, " case"]:
    with without(model, [PREVIOUS_HEAD]):
        return 1 - attends_after(model, head)


@contextmanager
def without(model: GPT2LMHeadModel, heads: Sequence[tuple[int, int]]) -> Iterator[None]:
    """The model with some heads, each (layer, index), silent at every position."""
    handles = []
    for layer in sorted({layer for layer, _ in heads}):
        attn: Any = model.transformer.h[layer].attn
        silenced = [index for other, index in heads if other == layer]

        def silence(
            module: Any, args: tuple[Tensor, ...], n_heads: int = attn.num_heads, silenced: list[int] = silenced
        ) -> tuple[Tensor]:
            z = args[0].unflatten(-1, (n_heads, -1)).clone()
            z[:, :, silenced] = 0.0
            return (z.flatten(-2),)

        handles.append(attn.c_proj.register_forward_pre_hook(silence))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


MEASURES: dict[str, Measure] = {
    "continues": continues,
    "attends_to_previous": attends_to_previous,
    "attends_after": attends_after,
    "lost_without_previous": _lost,
}
"""How each fact is measured: one number for each fresh sequence."""


def check_induction(model: GPT2LMHeadModel) -> list[CheckedFact]:
    """Measure every fact on a model."""
    return [check_fact(fact, model, MEASURES) for fact in FACTS]


def train_induction(seed: int = 0, recipe: Recipe = RECIPE, progress: Progress | None = None) -> GPT2LMHeadModel:
    """Train the model from nothing: about a minute on one CPU core."""
    return train(recipe, len(VOCABULARY), CONTEXT, BOS, _draw, seed, progress)


def save_induction(folder: Path, seed: int = 0, recipe: Recipe = RECIPE) -> dict[str, object]:
    """Train the model and write weights, tokenizer and `card.json` with the measured facts; the card is returned."""
    about = {"seed": seed, "recipe": asdict(recipe)}
    return save(folder, "induction", lambda: train_induction(seed, recipe), VOCABULARY, check_induction, about)


if __name__ == "__main__":
    script("truescope.truth.induction", "Train the induction heads and print their card.", save_induction)
