"""What is known of one prompt of a trained world, in the form in which it is known of a compiled model: a `TrueGraph`.

The facts say which heads do what; on a prompt they say where. Going on with a run, the answer hangs on three tokens and
on the heads that bring them together:

    … a b … a → b     the previous-token heads at the first b know that a stood before it; the induction heads at the
                      second a look for that, and copy b

Sorting, the head at the last digit given looks for the smallest one above it, and copies that. Nodes that cannot reach
the answer (a last layer's head at an earlier position) are left out, since any score of them would be right. Weights
are signs: how much is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Int

from truescope.truth import induction, sorter
from truescope.truth.compiled.graph import ChoiceEdge, TrueGraph, TrueNode, ValueEdge
from truescope.truth.induction_heads import KnownHeads


@dataclass(frozen=True, eq=False)
class KnownPrompt:
    """A prompt, two others of its length, the token to come, and what is known: see `induction_prompts`."""

    tokens: Int[torch.Tensor, " pos"]
    corrupt: Int[torch.Tensor, " pos"]
    other: Int[torch.Tensor, " pos"]
    target: int
    truth: TrueGraph


def induction_graph(tokens: Int[torch.Tensor, " pos"], after: int, target: int, heads: KnownHeads) -> TrueGraph:
    """The known graph of a prompt that ends at the second coming of a token whose first was before position ``after``.

    ``target`` is the token at ``after``, which is to come. The score of an induction head there hangs on the pair of
    the two equal tokens, that of a previous-token head on the two positions: tokens stand in random order, so nothing
    else says which comes before.
    """
    last = len(tokens) - 1
    places = {f"head.{layer}.{h}.{after}": (layer, h, after) for layer, h in heads.previous}
    places |= {f"head.{layer}.{h}.{last}": (layer, h, last) for layer, h in heads.induction}
    every = [(0, h, pos) for _, h in _of_layer(heads, 0) for pos in range(last + 1)]
    every += [(1, h, last) for _, h in _of_layer(heads, 1)]
    found = _token(tokens, last), _token(tokens, after - 1)
    choices = [
        ChoiceEdge(*found, f"head.{layer}.{h}.{last}", last, after, 1.0, attended=True, on_path=True)
        for layer, h in heads.induction
    ]
    choices += [
        ChoiceEdge(_position(after), _position(after - 1), f"head.{layer}.{h}.{after}", after, after - 1, 1.0, True)
        for layer, h in heads.previous
    ]
    return _graph(tokens, target, {after - 1, after, last}, after, every, set(places.values()), choices)


def sorter_graph(tokens: Int[torch.Tensor, " pos"], target: int) -> TrueGraph:
    """The known graph of a prompt that ends at a digit of the answer; ``target`` is the digit to come.

    The head's score hangs on the pair of the last digit and the next: digits come in random order, so their positions
    say nothing about them.

    Raises:
        StopIteration: ``target`` is none of the digits.
    """
    last = len(tokens) - 1
    copied = next(pos for pos in range(1, sorter.LENGTH + 1) if int(tokens[pos]) == target)
    head = (0, 0, last)
    found = _token(tokens, last), _token(tokens, copied)
    choice = ChoiceEdge(*found, f"head.0.0.{last}", last, copied, 1.0, attended=True, on_path=True)
    return _graph(tokens, target, {copied, last}, copied, [head], {head}, [choice])


def _of_layer(heads: KnownHeads, layer: int) -> list[tuple[int, int]]:
    return sorted(head for head in (*heads.previous, *heads.induction, *heads.idle) if head[0] == layer)


def _token(tokens: Int[torch.Tensor, " pos"], position: int) -> str:
    return f"token.{position}.{int(tokens[position])}"


def _position(position: int) -> str:
    return f"constant.pos_embed.-1.{position}"


def _graph(
    tokens: Int[torch.Tensor, " pos"],
    target: int,
    used: set[int],
    copied: int,
    heads: Iterable[tuple[int, int, int]],
    used_heads: set[tuple[int, int, int]],
    choices: Iterable[ChoiceEdge],
) -> TrueGraph:
    """Tokens at the ``used`` positions and ``used_heads`` are on a path; the token at ``copied`` is the value."""
    logit = f"logit.{target}.{len(tokens) - 1}"
    nodes = [
        TrueNode(
            _token(tokens, pos), "token", -1, int(token), pos, "token", on_value_path=pos == copied, on_path=pos in used
        )
        for pos, token in enumerate(tokens.tolist())
    ]
    nodes += [
        TrueNode(f"head.{layer}.{h}.{pos}", "head", layer, h, pos, "head", on_path=(layer, h, pos) in used_heads)
        for layer, h, pos in heads
    ]
    value = ValueEdge(_token(tokens, copied), logit, 1.0, on_value_path=True, on_path=True)
    return TrueGraph(tuple(map(str, tokens.tolist())), (logit,), tuple(nodes), (value,), tuple(choices))


def induction_prompts(n: int, seed: int, heads: KnownHeads) -> list[KnownPrompt]:
    """``n`` prompts that end at a token's second coming; ``corrupt`` is the same prompt in other symbols.

    What is to come has stood once before, so that there is one place to copy it from.
    """
    generator, found = torch.Generator().manual_seed(seed), []
    while len(found) < n:
        both, sources = induction.sequences(2, generator)
        tokens, copied = both[0], sources[0]
        places = torch.nonzero(_second_comings(tokens, copied)).flatten()
        symbols = torch.randperm(induction.N_SYMBOLS, generator=generator)
        renamed = torch.cat([symbols, torch.tensor([induction.BOS])])[tokens]
        if not len(places) or (renamed == tokens)[1:].any():
            continue
        place = int(places[torch.randint(len(places), (), generator=generator)])
        prompt, target = tokens[: place + 1], int(tokens[place + 1])
        truth = induction_graph(prompt, int(copied[place + 1]), target, heads)
        found.append(KnownPrompt(prompt, renamed[: place + 1], both[1, : place + 1], target, truth))
    return found


def _second_comings(tokens: Int[torch.Tensor, " pos"], copied: Int[torch.Tensor, " pos"]) -> torch.Tensor:
    """Which positions hold a token that stands once before and is followed by what came after it, once before too."""
    seen = (tokens[:, None] == tokens[None, :]).tril(-1).sum(1)
    return (copied[1:] > 0) & (seen[:-1] == 1) & (seen[1:] == 1)


def sorter_prompts(n: int, seed: int) -> list[KnownPrompt]:
    """``n`` prompts of held-out sets that end at a digit of the answer; ``corrupt`` has another there and to come."""
    generator, found = torch.Generator().manual_seed(seed), []
    every = sorter.held_out_sequences()
    begins = sorter.LENGTH + 2
    while len(found) < n:
        end = begins + int(torch.randint(1, sorter.LENGTH, (), generator=generator))
        one, two, three = every[torch.randint(len(every), (3,), generator=generator)]
        if one[end - 1] != two[end - 1] and one[end] != two[end]:
            target = int(one[end])
            found.append(KnownPrompt(one[:end], two[:end], three[:end], target, sorter_graph(one[:end], target)))
    return found
