"""Text to token ids and ids to readable strings, by a tokenizer's own rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Int

from truescope.core.errors import PromptError


def encode(tokenizer: Any, prompt: str, context: int) -> Int[torch.Tensor, " pos"]:
    """The ids of ``prompt`` with the special tokens that the tokenizer adds by itself.

    Raises:
        PromptError: the prompt is empty, longer than ``context``, or has text the tokenizer cannot read.
    """
    if not prompt:
        raise PromptError("the prompt is empty", fix="give at least one word")
    try:
        encoding = tokenizer(prompt, verbose=False, return_offsets_mapping=bool(getattr(tokenizer, "is_fast", False)))
    except Exception as error:
        # A tokenizer without an unknown token refuses a word with whatever exception its library has.
        raise PromptError(
            f"the tokenizer cannot read {prompt!r:.80}",
            why=f"{type(error).__name__}: {error}",
            fix="use words of its vocabulary",
        ) from error
    ids = list(encoding["input_ids"])
    if not ids:
        raise PromptError(f"the prompt {prompt!r:.80} has no tokens", fix="give at least one word")
    unknown = _unknown_id(tokenizer)
    if unknown is not None and unknown in ids:
        spans = encoding.get("offset_mapping") or [(0, 0)] * len(ids)
        words = [prompt[a:b] for (a, b), i in zip(spans, ids, strict=True) if i == unknown and b > a]
        raise PromptError(
            f"the tokenizer cannot read {', '.join(map(repr, words[:5])) or 'a part'} of the prompt {prompt!r:.80}",
            why=f"its vocabulary of {len(tokenizer)} tokens has no such token",
            fix="use words of its vocabulary",
        )
    if len(ids) > context:
        raise PromptError(
            f"the prompt has {len(ids)} tokens, the model's context {context}", fix=f"leave out {len(ids) - context}"
        )
    return torch.tensor(ids, dtype=torch.long)


def _unknown_id(tokenizer: Any) -> int | None:
    """The id for unreadable text, unless it has another meaning too (GPT-2's is the end of text)."""
    unknown = tokenizer.unk_token_id
    others = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    return None if unknown in others else unknown


def token_strings(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """One readable string for each id: a leading space is kept; a byte that is no text is written like ``\\xe2``.

    Without a tokenizer, or for an id that it does not know, the string is ``#id``.
    """
    if tokenizer is None:
        return [f"#{i}" for i in ids]
    pieces = tokenizer.convert_ids_to_tokens([int(i) for i in ids])
    special = set(tokenizer.all_special_tokens)
    byte_level = "ByteLevel" in repr(getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None))
    read = _byte_level if byte_level else _sentence_piece
    return [
        f"#{i}" if piece is None else piece if piece in special else read(piece)
        for i, piece in zip(ids, pieces, strict=True)
    ]


def _sentence_piece(piece: str) -> str:
    if match := re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", piece):
        return _text(bytes([int(match[1], 16)]))
    return piece.replace("▁", " ")


def _byte_level(piece: str) -> str:
    table = _byte_of_character()
    if any(character not in table for character in piece):
        return piece
    return _text(bytes(table[character] for character in piece))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")


@cache
def _byte_of_character() -> dict[str, int]:
    """The alphabet of byte-level BPE: printable bytes stand for themselves, the others for characters from 256 up."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + i): byte for i, byte in enumerate(others)}
