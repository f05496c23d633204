"""Prompts to ids and ids to strings a person can read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import GPT2Tokenizer, PreTrainedTokenizerFast

from small_models import small_hf
from truescope.core import PromptError
from truescope.models import Model


def word_level(unk: str | None = "[UNK]") -> PreTrainedTokenizerFast:
    words = ["[UNK]", "<bos>", "36", "59", "+", "=", "95"]
    backend = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token=unk, bos_token="<bos>")


def test_words(gpt2: Model) -> None:
    model = Model(gpt2.hf, word_level())
    ids = model.tokens("36 + 59 =")
    assert ids.tolist() == [2, 4, 3, 5]
    assert model.token_strings(ids) == ["36", "+", "59", "="]
    assert model.token_strings([1, 6, 40]) == ["<bos>", "95", "#40"]


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("", "empty"),
        ("   ", "no tokens"),
        ("36 + forty =", r"cannot read 'forty'"),
        ("36 " * 33, "33 tokens, the model's context 32"),
    ],
)
def test_prompts_that_cannot_be_run(gpt2: Model, prompt: str, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        Model(gpt2.hf, word_level()).tokens(prompt)


def test_sentence_piece_keeps_spaces_and_bytes(stories260k: Path) -> None:
    model = Model.from_pretrained(stories260k)
    ids = model.tokens("Once upon a time\n")
    assert ids[0] == 1
    assert model.token_strings(ids) == ["<s>", " Once", " upon", " a", " time", "\n"]
    byte = model.tokenizer.convert_tokens_to_ids("<0xE2>")
    assert model.token_strings([byte]) == ["\\xe2"]
    with pytest.raises(PromptError, match="the model's context 512"):
        model.tokens("once upon a time " * 300)


def test_byte_level_keeps_spaces_and_bytes(real_data: Path) -> None:
    files = real_data / "tokenizers" / "gpt2"
    if not files.is_dir():
        pytest.skip(f"no tokenizer at {files}")
    tokenizer = GPT2Tokenizer(str(files / "gpt2_vocab.json"), str(files / "gpt2_merges.txt"))
    model = Model(small_hf("gpt2"), tokenizer)
    ids = model.tokens("Hello world, né\n")
    assert model.token_strings(ids) == ["Hello", " world", ",", " n", "é", "\n"]
    assert "".join(model.token_strings(model.tokens("<|endoftext|> a"))) == "<|endoftext|> a"
    euro = tokenizer("€").input_ids
    assert model.token_strings(torch.tensor(euro)) == ["\\xe2\\x82", "\\xac"] or len(euro) == 1
