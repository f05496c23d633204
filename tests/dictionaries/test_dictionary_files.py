"""What is saved comes back bit for bit; whatever is missing, cut off, changed or not finite is said."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from random_dictionaries import EVERY, random_dictionary

from truescope.core import DictionaryError, StoreError
from truescope.dictionaries import Dictionary


@pytest.mark.parametrize("parts", EVERY, ids=lambda p: "-".join(map(str, p.values())))
def test_round_trip(tmp_path: Path, parts: dict[str, Any]) -> None:
    saved = random_dictionary(**parts, model_hash="c" * 64, dtype=torch.float32)
    loaded = Dictionary.load(saved.save(tmp_path / "new" / "here"), model_hash="c" * 64)
    for name in ("name", "kind", "activation", "k", "model_hash", "info"):
        assert getattr(loaded, name) == getattr(saved, name)
    assert loaded.reads == saved.reads and loaded.writes == saved.writes
    for mine, theirs in zip(saved.groups, loaded.groups, strict=True):
        assert mine.writes == theirs.writes
        assert mine.normalisation.kind == theirs.normalisation.kind
        assert mine.normalisation.scale == theirs.normalisation.scale
        assert mine.tensors().keys() == theirs.tensors().keys()
        for name, tensor in mine.tensors().items():
            assert torch.equal(tensor, theirs.tensors()[name])
    for site, bias in saved.b_dec.items():
        assert torch.equal(bias, loaded.b_dec[site])


def test_tied_weights_are_saved(tmp_path: Path) -> None:
    saved = random_dictionary("sae", dtype=torch.float32)
    group = saved.groups[0]
    tied = replace(saved, groups=(replace(group, W_dec=group.W_enc),))
    loaded = Dictionary.load(tied.save(tmp_path / "tied"))
    assert torch.equal(loaded.groups[0].W_dec, group.W_enc) and torch.equal(loaded.groups[0].W_enc, group.W_enc)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return random_dictionary(dtype=torch.float32, model_hash="c" * 64).save(tmp_path / "dictionary")


def edit(folder: Path, change: dict[str, Any]) -> None:
    path = folder / "dictionary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_every_truncation_of_the_weights_is_said(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    for length in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        weights.write_bytes(whole[:length])
        with pytest.raises(DictionaryError, match="truncated or damaged"):
            Dictionary.load(folder)


def test_a_changed_weight_is_said(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(DictionaryError, match="altered"):
        Dictionary.load(folder)


def test_missing_files_and_wrong_folders_are_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DictionaryError, match="name a folder in it: dictionary"):
        Dictionary.load(tmp_path)
    with pytest.raises(DictionaryError, match="did you mean dictionary"):
        Dictionary.load(tmp_path / "dictionry")
    (folder / "weights.safetensors").unlink()
    with pytest.raises(DictionaryError, match=r"has no weights\.safetensors"):
        Dictionary.load(folder)


def test_damaged_records_are_said(folder: Path) -> None:
    record = (folder / "dictionary.json").read_text()
    (folder / "dictionary.json").write_text(record[: len(record) // 2])
    with pytest.raises(DictionaryError, match="is damaged"):
        Dictionary.load(folder)
    for change, words in [
        ({"version": 2}, "format version 2"),
        ({"format": "other"}, "does not describe a dictionary"),
        ({"k": 500}, "k is 500, of 20 features"),
        ({"groups": [{"reads": "mlp_in.0"}]}, "is damaged"),
        ({"kind": "transcodr"}, "did you mean transcoder"),
    ]:
        (folder / "dictionary.json").write_text(record)
        edit(folder, change)
        with pytest.raises(DictionaryError, match=words):
            Dictionary.load(folder)


def test_nan_is_refused_when_saved(tmp_path: Path) -> None:
    whole = random_dictionary()
    W_enc = whole.groups[0].W_enc.clone()
    W_enc[2, 3] = torch.nan
    bad = replace(whole, groups=(replace(whole.groups[0], W_enc=W_enc), *whole.groups[1:]))
    with pytest.raises(DictionaryError, match=r"mlp_in\.0/W_enc has 1 values that are NaN"):
        bad.save(tmp_path / "bad")
    assert list(tmp_path.iterdir()) == []


def test_loading_for_another_model_is_refused(folder: Path) -> None:
    with pytest.raises(DictionaryError, match="belongs to another model"):
        Dictionary.load(folder, model_hash="d" * 64)


def test_nothing_else_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(DictionaryError, match="is no dictionary"):
        random_dictionary().save(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_a_full_disk_leaves_the_old_dictionary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "weights.safetensors").read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="disk full"):
        random_dictionary("clt", dtype=torch.float32).save(folder)
    assert (folder / "weights.safetensors").read_bytes() == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
