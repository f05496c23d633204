"""Every form of corpus reads to the same documents, and every damaged one is an error that names the place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from truescope.activations import read_texts
from truescope.core.errors import UsageError

TEXTS = ["Once upon a time", "über \u4f60\u597d\nsecond line"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "\n\n".join(TEXTS)),
        ("a.json", json.dumps(TEXTS)),
        ("b.jsonl", "\n".join(json.dumps(t) for t in TEXTS)),
        ("c.jsonl", "\n".join(json.dumps({"text": t, "id": 3}) for t in TEXTS) + "\n\n"),
        ("d.json", json.dumps([*TEXTS, "  "])),
        ("bom.txt", "\ufeff" + "\n\n".join(TEXTS)),
    ],
)
def test_every_form_reads_the_same(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_texts(tmp_path / name) == TEXTS


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"caf\xe9", "not UTF-8"),
        ("a.txt", b"  \n\n ", "holds no text"),
        ("a.json", b"[]", "holds no text"),
        ("a.json", b'{"a": 1}', "not a list"),
        ("a.json", b'["a", 3]', "entry 2"),
        ("a.jsonl", b'"fine"\n{broken', "line 2"),
        ("a.jsonl", b'{"body": "x"}', "entry 1"),
    ],
)
def test_damaged_corpora_are_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_texts(tmp_path / name)


def test_an_absent_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no text file"):
        read_texts(tmp_path / "none.txt")
