"""Documents into windows that fit the model's context, the last tenth of the documents held out.

A document longer than a window is cut; every piece begins with the special tokens that the tokenizer puts first, so
each piece is a prompt as the model expects it. The activations of those tokens are not harvested: a first token is
seen by every prompt, its activations are one constant that would be learned again and again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from truescope.core.errors import PromptError, UsageError
from truescope.models import Model

HELD_OUT = 0.1


@dataclass(frozen=True)
class Window:
    """A piece of a document: its tokens, how many special ones come first, and the document's number."""

    ids: Int[Tensor, " pos"]
    n_special: int
    document: int

    @property
    def n_harvested(self) -> int:
        """The positions whose activations are kept."""
        return len(self.ids) - self.n_special


@dataclass(frozen=True)
class Batch:
    """Windows side by side, padded on the right: tokens, the mask of real ones, and the mask of harvested ones."""

    windows: tuple[int, ...]
    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    harvested: Bool[Tensor, "batch pos"]


def cut_windows(model: Model, texts: Sequence[str], length: int | None = None) -> list[Window]:
    """The texts as windows of at most ``length`` tokens (the model's context at most, 512 by default).

    Raises:
        PromptError: the model has no tokenizer.
        UsageError: no text has a token besides the special ones.
    """
    tokenizer = model.tokenizer
    if tokenizer is None:
        raise PromptError(f"{model.name!r} has no tokenizer, so it cannot read text", fix="Model(…, tokenizer=…)")
    length = min(length or 512, model.context)
    special = set(tokenizer.all_special_ids)
    windows = []
    for document, text in enumerate(texts):
        ids = [int(i) for i in tokenizer(text, verbose=False)["input_ids"]]
        n_first = next((n for n, i in enumerate(ids) if i not in special), len(ids))
        first, rest = ids[:n_first], ids[n_first:]
        room = length - n_first
        if room < 1:
            raise UsageError(
                f"windows of {length} tokens have no room",
                why=f"{n_first} special tokens come first",
                fix="longer ones",
            )
        for at in range(0, len(rest), room):
            windows.append(Window(torch.tensor(first + rest[at : at + room]), n_first, document))
    if not windows:
        raise UsageError("the texts have no tokens", fix="give some text")
    return windows


def hold_out(windows: Sequence[Window], share: float = HELD_OUT) -> tuple[list[Window], list[Window]]:
    """The windows of the first documents and those of the last ``share`` of documents, at least one of each.

    One document alone is split by its windows.

    Raises:
        UsageError: there is only one window.
    """
    by_document = len({window.document for window in windows}) > 1
    keys = [window.document if by_document else n for n, window in enumerate(windows)]
    order = sorted(set(keys))
    if len(order) < 2:
        raise UsageError(
            "the text is too short to hold a tenth of it out",
            why=f"it is one piece of {len(windows[0].ids)} tokens",
            fix="give at least two documents, separated by blank lines in a .txt file",
        )
    first_held = order[len(order) - max(1, math.floor(share * len(order)))]
    train = [window for window, key in zip(windows, keys, strict=True) if key < first_held]
    held = [window for window, key in zip(windows, keys, strict=True) if key >= first_held]
    return train, held


def batches(windows: Sequence[Window], n_tokens: int = 8192) -> Iterator[Batch]:
    """Windows of like length together, at most ``n_tokens`` a batch with padding; the order depends on nothing else."""
    order = sorted(range(len(windows)), key=lambda n: -len(windows[n].ids))
    start = 0
    while start < len(order):
        longest = len(windows[order[start]].ids)
        chosen = order[start : start + max(1, n_tokens // longest)]
        yield pad([windows[n] for n in chosen], tuple(chosen))
        start += len(chosen)


def pad(windows: Sequence[Window], numbers: tuple[int, ...] = ()) -> Batch:
    """One batch of these windows, padded on the right with token 0."""
    longest = max(len(window.ids) for window in windows)
    tokens = torch.zeros(len(windows), longest, dtype=torch.long)
    mask, harvested = torch.zeros_like(tokens, dtype=torch.bool), torch.zeros_like(tokens, dtype=torch.bool)
    for row, window in enumerate(windows):
        n = len(window.ids)
        tokens[row, :n] = window.ids
        mask[row, :n] = True
        harvested[row, window.n_special : n] = True
    return Batch(numbers, tokens, mask, harvested)
