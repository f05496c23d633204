"""Append-only files of JSON lines: a line that was cut off by a kill is no line.

Also the check that a record is JSON at all, which says where in it the trouble is.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from truescope.core.errors import StoreError
from truescope.core.ids import canonical_json
from truescope.store.atomic import explain, sync


def append_line(path: Path, record: Any) -> None:
    """Add one record, on the disk when this returns. The caller holds the lock of the folder."""
    check_json(record, path.name)
    line = canonical_json(record).encode() + b"\n"
    try:
        is_new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            whole = _whole_bytes(handle)
            os.ftruncate(handle, whole)
            _append(handle, line, whole)
        finally:
            os.close(handle)
        if is_new:
            sync(path.parent)
    except OSError as error:
        raise explain(error, path, len(line)) from error


def parse_lines(data: bytes, path: Path) -> list[Any]:
    """The records of a journal's bytes; what follows the last newline was never finished and is left out.

    Raises StoreError where a finished line is no JSON: then someone else has written into the file.
    """
    records = []
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise StoreError(
                f"line {number} of {path} is damaged", why=str(error), fix=f"delete {path.parent}; it is made anew"
            ) from error
    return records


def check_json(value: Any, where: str) -> None:
    """Raise StoreError, naming the place, unless ``value`` is JSON and comes back from JSON as it was.

    Keys are strings (JSON would turn 1 into "1", and two records would share one id), numbers are finite, text is
    Unicode. Tuples count as lists.
    """
    waiting = [(value, where)]
    while waiting:
        value, where = waiting.pop()
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise StoreError(f"{where} has the key {key!r}", why="JSON keys are text", fix=f"use {str(key)!r}")
                if not key.isascii():
                    _check_text(key, f"a key of {where}")
                waiting.append((item, f"{where}.{key}"))
        elif isinstance(value, list | tuple):
            waiting += [(item, f"{where}[{place}]") for place, item in enumerate(value)]
        elif isinstance(value, str):
            # Only a lone surrogate is no Unicode: text that is ASCII, as most is, need not be tried.
            if not value.isascii():
                _check_text(value, where)
        elif isinstance(value, float) and not math.isfinite(value):
            raise StoreError(
                f"{where} is {value}", why="JSON has no NaN and no infinity", fix="store None for no value"
            )
        elif not (value is None or isinstance(value, bool | int | float)):
            name = type(value).__name__
            raise StoreError(
                f"{where} is a {name}", why="JSON cannot hold it", fix="turn it into text, numbers or a list"
            )


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"{where} is no Unicode text", why=str(error), fix="decode it as UTF-8 first") from error


def _append(handle: int, line: bytes, whole: int) -> None:
    try:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, whole)
        raise


def _whole_bytes(handle: int) -> int:
    """The length up to and with the last newline."""
    end = os.fstat(handle).st_size
    while end and b"\n" not in (chunk := os.pread(handle, min(end, 4096), end - min(end, 4096))):
        end -= len(chunk)
    return end - len(chunk) + chunk.rindex(b"\n") + 1 if end else 0
