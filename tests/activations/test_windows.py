"""Documents become prompts that the model can run, and the last tenth of them is never trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from small_models import small_model
from truescope.activations import Window, batches, cut_windows, hold_out, pad
from truescope.core import PromptError, UsageError
from truescope.models import Model


@pytest.fixture(scope="module")
def stories(stories260k: Path) -> Model:
    return Model.from_pretrained(stories260k)


def window(n: int, document: int = 0, n_special: int = 1) -> Window:
    return Window(torch.arange(n), n_special, document)


def test_a_long_document_is_cut_and_every_piece_begins_as_a_prompt_does(stories: Model) -> None:
    text = "Once upon a time there was a little girl. " * 20
    pieces = cut_windows(stories, [text, "The end."], 32)
    whole = stories.tokenizer(text)["input_ids"]
    first = whole[0]
    of_first = [p for p in pieces if p.document == 0]
    assert all(len(p.ids) <= 32 and int(p.ids[0]) == first and p.n_special == 1 for p in pieces)
    assert torch.cat([p.ids[1:] for p in of_first]).tolist() == whole[1:]
    assert {p.document for p in pieces} == {0, 1}
    assert max(len(p.ids) for p in cut_windows(stories, [text * 20], 10_000)) == stories.context


def test_without_a_tokenizer_it_is_said() -> None:
    with pytest.raises(PromptError, match="no tokenizer"):
        cut_windows(small_model("gpt2"), ["a"])


@pytest.mark.parametrize(("n_documents", "n_held"), [(2, 1), (9, 1), (10, 1), (19, 1), (20, 2), (1000, 100)])
def test_the_last_tenth_of_the_documents_is_held_out(n_documents: int, n_held: int) -> None:
    pieces = [window(5, document) for document in range(n_documents) for _ in range(1 + document % 3)]
    train, held = hold_out(pieces)
    assert sorted({p.document for p in held}) == list(range(n_documents - n_held, n_documents))
    assert sorted({p.document for p in train}) == list(range(n_documents - n_held))
    assert len(train) + len(held) == len(pieces)


def test_one_document_is_split_by_its_windows() -> None:
    train, held = hold_out([window(5) for _ in range(20)])
    assert (len(train), len(held)) == (18, 2)
    with pytest.raises(UsageError, match="too short to hold a tenth"):
        hold_out([window(5)])


def test_batches_hold_every_window_once_within_the_bound() -> None:
    pieces = [window(n) for n in (3, 30, 7, 7, 12, 1, 29)]
    seen = []
    for batch in batches(pieces, 40):
        assert batch.tokens.numel() <= 40
        seen += batch.windows
        for row, n in enumerate(batch.windows):
            length = len(pieces[n].ids)
            assert torch.equal(batch.tokens[row, :length], pieces[n].ids)
            assert batch.mask[row].sum() == length and bool(batch.mask[row, :length].all())
            assert batch.harvested[row].sum() == length - 1 and not bool(batch.harvested[row, 0])
    assert sorted(seen) == list(range(7))
    assert pad([window(4), window(2)]).tokens.shape == (2, 4)
