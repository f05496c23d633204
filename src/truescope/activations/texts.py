"""Reading a corpus: UTF-8 ``.txt`` (one document, or several separated by blank lines), ``.jsonl``, or a JSON list."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from truescope.core.errors import UsageError

FORMS = "give UTF-8 .txt, .jsonl (a string or an object with a text field a line), or a JSON list of strings"


def read_texts(path: Path | str) -> list[str]:
    """The documents of a file, in order, without the empty ones.

    Raises:
        UsageError: the file is absent, not UTF-8, not of its form, or holds no text; the line is named.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no text file {path}", fix=FORMS)
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8",
            why=f"byte {error.start} is {error.object[error.start]:#04x}",
            fix=f"convert it, e.g. iconv -f latin1 -t utf-8 {path.name}",
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=str(error)) from error
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            texts = [
                _text_of(_parse(line, path, n), path, n)
                for n, line in enumerate(content.splitlines(), 1)
                if line.strip()
            ]
        case ".json":
            records = _parse(content, path, 1)
            if not isinstance(records, list):
                raise UsageError(f"{path} holds a JSON {type(records).__name__}, not a list", fix=FORMS)
            texts = [_text_of(record, path, n) for n, record in enumerate(records, 1)]
        case _:
            texts = re.split(r"\n\s*\n", content)
    texts = [text.strip() for text in texts if text.strip()]
    if not texts:
        raise UsageError(f"{path} holds no text", fix=FORMS)
    return texts


def _parse(content: str, path: Path, line: int) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        at = line + error.lineno - 1
        raise UsageError(f"{path}, line {at}, is not JSON", why=str(error), fix=FORMS) from error


def _text_of(record: Any, path: Path, n: int) -> str:
    if isinstance(record, dict):
        record = record.get("text")
    if not isinstance(record, str):
        raise UsageError(f"{path}: entry {n} is no text", why=f"it is {str(record)[:60]!r}", fix=FORMS)
    return record
