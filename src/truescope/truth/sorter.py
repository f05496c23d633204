"""The sorter: a decoder of one attention head, really trained, that sorts five different digits.

    <bos> 4 0 7 9 2 = 0 2 4 7 9

One layer, one head, width 32, no MLP. It is trained on the answers of 80 % of the 252 sets of five digits, in every
order; 50 sets are held out. What it learns is known (`FACTS`, measured by `check_sorter`): each answer attends to the
smallest digit above the one before, which the head copies.

``python -m truescope.truth.sorter FOLDER`` trains it anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import GPT2LMHeadModel

from truescope.truth.attention_only import Batch, Progress, Recipe, patterns, save, script, train
from truescope.truth.facts import CheckedFact, Fact, Measure, check_fact
from truescope.truth.tokens import BOS as BOS_WORD

SORTER_FOLDER = Path(__file__).parent / "worlds" / "sorter"
"""Where the trained weights that come with the package lie: those of the first of `SEEDS`."""
SEEDS = (0, 1, 2)
"""Seeds of the sorters that come with the package."""

N_DIGITS, LENGTH = 10, 5
EQUALS, BOS = N_DIGITS, N_DIGITS + 1
VOCABULARY = (*(str(digit) for digit in range(N_DIGITS)), "=", BOS_WORD)
CONTEXT = 2 * LENGTH + 2
_HELD_OUT_SEED = 7

RECIPE = Recipe(n_layers=1, n_heads=1, d_model=32, steps=3000, batch=256)

FACTS = (
    Fact("it sorts sets of digits that it never saw", "sorts_held_out", 0.85),
    Fact("each answer's position attends most to the smallest digit not yet given", "attends_to_next", 0.95, (0, 0)),
    Fact("more than three quarters of that attention lies there", "share_on_next", 0.75, (0, 0)),
    Fact("what the head copies from a digit promotes that digit above all others", "copies", 0.9, (0, 0)),
)
"""What is known of the first sorter, with the bounds that its measures keep."""
FACTS_OF_EVERY_SEED = (
    *FACTS[:2],
    Fact("more than half of that attention lies there", "share_on_next", 0.5, (0, 0)),
    FACTS[3],
)
"""What is known of the sorters of all `SEEDS`: how sharply they attend differs between them."""


def folder(seed: int) -> Path:
    """Where the sorter of one of `SEEDS` lies."""
    return SORTER_FOLDER if seed == SEEDS[0] else SORTER_FOLDER.with_name("sorters") / str(seed)


@cache
def digit_sets() -> tuple[Int[Tensor, "trained 5"], Int[Tensor, "held_out 5"]]:
    """The sets of five digits in order: the four fifths that are trained on, and the held-out ones."""
    every = torch.tensor(list(combinations(range(N_DIGITS), LENGTH)))
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(_HELD_OUT_SEED))
    n_held_out = round(0.2 * len(every))
    return every[order[n_held_out:]], every[order[:n_held_out]]


def sequences(sets: Int[Tensor, "n 5"], order: Int[Tensor, "n 5"]) -> Int[Tensor, "n 12"]:
    """``<bos>``, the digits of each set in the given order, ``=``, and the digits sorted."""
    bos, equals = sets.new_full((len(sets), 1), BOS), sets.new_full((len(sets), 1), EQUALS)
    return torch.cat([bos, sets.gather(1, order), equals, sets], 1)


def _draw(n: int) -> Batch:
    trained, _ = digit_sets()
    tokens = sequences(trained[torch.randint(len(trained), (n,))], torch.rand(n, LENGTH).argsort(1))
    wanted = torch.zeros_like(tokens, dtype=torch.bool)
    wanted[:, LENGTH + 2 :] = True
    return tokens, wanted


@cache
def held_out_sequences() -> Int[Tensor, "n 12"]:
    """Every held-out set in 20 of its 120 orders."""
    _, held_out = digit_sets()
    orders = torch.tensor(list(permutations(range(LENGTH))))[::6]
    return sequences(held_out.repeat_interleave(len(orders), 0), orders.repeat(len(held_out), 1))


def _by_set(values: Float[Tensor, " n"] | Bool[Tensor, " n"]) -> Float[Tensor, " sets"]:
    """The mean over each set's orders: sets are the independent cases."""
    return values.float().unflatten(0, (len(digit_sets()[1]), -1)).mean(1)


def _attention(model: GPT2LMHeadModel, head: tuple[int, int] | None) -> tuple[Tensor, Tensor]:
    """The pattern from the five answering positions, and which key holds the digit to come, [n, 5]."""
    assert head is not None
    tokens = held_out_sequences()
    pattern = patterns(model, tokens[:, :-1])[head[0]][:, head[1], LENGTH + 1 :]
    answer = (tokens[:, None, 1 : LENGTH + 1] == tokens[:, LENGTH + 2 :, None]).int().argmax(-1) + 1
    return pattern, answer


def _sorts(model: GPT2LMHeadModel, head: tuple[int, int] | None) -> Float[Tensor, " case"]:
    tokens = held_out_sequences()
    found = model(tokens[:, :-1]).logits[:, LENGTH + 1 :].argmax(-1)
    return _by_set((found == tokens[:, LENGTH + 2 :]).all(1))


def _attends(model: GPT2LMHeadModel, head: tuple[int, int] | None) -> Float[Tensor, " case"]:
    pattern, answer = _attention(model, head)
    return _by_set((pattern.argmax(-1) == answer).float().mean(1))


def _share(model: GPT2LMHeadModel, head: tuple[int, int] | None) -> Float[Tensor, " case"]:
    pattern, answer = _attention(model, head)
    return _by_set(pattern.gather(2, answer[..., None])[..., 0].mean(1))


@torch.no_grad()
def _copies(model: GPT2LMHeadModel, head: tuple[int, int] | None) -> Float[Tensor, " case"]:
    """For each digit at each input position, whether what the head copies from there promotes that digit most.

    That is W_U g C W_O W_V norm(embedding), C centring, g the final gain, less its mean over digits.
    """
    assert head is not None
    layer, index = head
    transformer: Any = model.transformer
    block = transformer.h[layer]
    entering = block.ln_1(transformer.wte.weight[:N_DIGITS] + transformer.wpe.weight[1 : LENGTH + 1, None])
    d_model = entering.shape[-1]
    width = d_model // block.attn.num_heads
    columns = slice(index * width, (index + 1) * width)
    values = entering @ block.attn.c_attn.weight[:, 2 * d_model :][:, columns]
    written = values @ block.attn.c_proj.weight[columns]
    read = (written - written.mean(-1, keepdim=True)) * transformer.ln_f.weight
    effect = (read - read.mean(1, keepdim=True)) @ model.lm_head.weight[:N_DIGITS].T
    return (effect.argmax(-1) == torch.arange(N_DIGITS)).double().flatten()


MEASURES: dict[str, Measure] = {
    "sorts_held_out": _sorts,
    "attends_to_next": _attends,
    "share_on_next": _share,
    "copies": _copies,
}
"""How each fact is measured: one number for each held-out set (for "copies", each digit at each position)."""


def check_sorter(model: GPT2LMHeadModel, facts: Sequence[Fact] = FACTS) -> list[CheckedFact]:
    """Measure every fact on a sorter."""
    return [check_fact(fact, model, MEASURES) for fact in facts]


def train_sorter(seed: int = 0, recipe: Recipe = RECIPE, progress: Progress | None = None) -> GPT2LMHeadModel:
    """Train a sorter from nothing: under a minute on one CPU core."""
    return train(recipe, len(VOCABULARY), CONTEXT, BOS, _draw, seed, progress)


def save_sorter(folder: Path, seed: int = 0, recipe: Recipe = RECIPE) -> dict[str, object]:
    """Train a sorter and write weights, tokenizer and `card.json` with the measured facts; the card is returned."""
    about = {"seed": seed, "recipe": asdict(recipe)}
    return save(folder, "sorter", lambda: train_sorter(seed, recipe), VOCABULARY, check_sorter, about)


if __name__ == "__main__":
    script("truescope.truth.sorter", "Train the sorter and print its card.", save_sorter)
