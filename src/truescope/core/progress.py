"""How a long verb tells what it is doing: receipts for finished stages, counts for running ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any


class Watcher:
    """Listens to a verb's stages; this one keeps the seconds and says nothing. A terminal's watcher extends it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def receipt(self, stage: str, text: str) -> None:
        """``stage`` ended; ``text`` is its receipt, in the past tense, with counts."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of ``stage`` are behind us."""

    def note(self, text: str) -> None:
        """Something the reader should know that is neither a stage nor an error."""

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage. The block puts its receipt under ``"text"`` into the dictionary it is given."""
        said: dict[str, Any] = {}
        start = perf_counter()
        yield said
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start
        if said.get("text"):
            self.receipt(name, said["text"])
