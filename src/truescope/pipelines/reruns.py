"""What a function that runs a claim again is given; `claims` holds the table of them by verb."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from truescope.core.claims import Claim
from truescope.core.errors import UsageError
from truescope.core.progress import Watcher


@dataclass(frozen=True)
class Rerun:
    """A claim, the ``arguments`` of its entry, and where the model and the dictionary lie now, if they have moved.

    ``model`` is a path or name, or a `Model` that is loaded already.
    """

    claim: Claim
    arguments: Mapping[str, Any]
    model: Any = None
    dictionary: str | Path | None = None
    watcher: Watcher = field(default_factory=Watcher)

    def need_nothing(self, why: str) -> None:
        """Raise UsageError, with the reason, where a model or a dictionary was named and cannot be used."""
        if self.model is not None or self.dictionary is not None:
            raise UsageError(why, fix="leave --model and --dictionary out")
