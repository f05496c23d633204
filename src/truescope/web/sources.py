"""Where a page's content comes from: a run folder, or records in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from truescope.core.errors import SurfaceError

VIEW_FILE = "view.json"
UNITS_FILE = "units.json"
LEDGER_FILE = "ledger.jsonl"


@runtime_checkable
class ViewSource(Protocol):
    """What a page reads: one view, and the evidence of a unit when it is asked for."""

    def view(self) -> dict[str, Any]:
        """The view: prompt, graph, groups, claims and the run they come from."""
        ...

    def unit(self, layer: int, index: int) -> dict[str, Any] | None:
        """The evidence of unit ``layer/index``, or None where none was gathered."""
        ...

    def ledger(self) -> dict[str, Any]:
        """``{"claims": […], "conflicts": […]}``: what the ledger holds when it is asked for."""
        ...


class MemorySource:
    """A view, its units and a ledger as records; ``units`` maps "layer/index" to a unit's evidence.

    Without a ledger the view's own claims are its entries.
    """

    def __init__(
        self,
        view: dict[str, Any],
        units: Mapping[str, dict[str, Any]] | None = None,
        ledger: dict[str, Any] | None = None,
    ) -> None:
        self._view = view
        self._units = units or {}
        self._ledger = ledger or {"claims": view.get("claims", []), "conflicts": []}

    def view(self) -> dict[str, Any]:
        """The view as it was given."""
        return self._view

    def unit(self, layer: int, index: int) -> dict[str, Any] | None:
        """The evidence of a unit; None where none was given."""
        return self._units.get(f"{layer}/{index}")

    def ledger(self) -> dict[str, Any]:
        """The ledger as it was given."""
        return self._ledger


class FolderSource:
    """A run folder: ``view.json``, and ``units.json`` ("layer/index" → evidence), which may be absent.

    Both are read once, ``units.json`` only when the first unit is asked for. Raises `SurfaceError` where ``view.json``
    is absent or either file is damaged.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not (self.folder / VIEW_FILE).is_file():
            raise SurfaceError(
                f"{self.folder} has no {VIEW_FILE}",
                why="it is no run folder, or the run was stopped before its page was written",
                fix="run `truescope demo` or `truescope trace` again; a stopped run goes on where it stopped",
            )

    def view(self) -> dict[str, Any]:
        """The folder's view."""
        return self._view

    def unit(self, layer: int, index: int) -> dict[str, Any] | None:
        """The evidence of a unit; None where the run gathered none."""
        return self.units.get(f"{layer}/{index}")

    def ledger(self) -> dict[str, Any]:
        """The ledger of the store that the folder lies in, as it is now; the view's own claims where there is none."""
        from truescope.pipelines.claims import page_ledger

        path = self.folder.resolve().parents[2] / LEDGER_FILE
        return page_ledger(path) if path.is_file() else {"claims": self._view.get("claims", []), "conflicts": []}

    @cached_property
    def _view(self) -> dict[str, Any]:
        return _read_record(self.folder / VIEW_FILE)

    @cached_property
    def units(self) -> dict[str, dict[str, Any]]:
        """Every unit's evidence, "layer/index" → record; empty where the run gathered none."""
        path = self.folder / UNITS_FILE
        return _read_record(path) if path.is_file() else {}


def _read_record(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; anything else in it is a `SurfaceError`."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SurfaceError(f"{path} cannot be read", why=str(error), fix="run the trace again") from error
    if not isinstance(record, dict):
        raise SurfaceError(f"{path} holds a {type(record).__name__}, not an object", fix="run the trace again")
    return record


def record_text(record: Any, what: str) -> str:
    """The record as JSON a browser can read; numbers that are not finite are a `SurfaceError`, not a blank page."""
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise SurfaceError(
            f"{what} cannot be shown", why=str(error), fix="the run that wrote it holds a number that is not finite"
        ) from error
