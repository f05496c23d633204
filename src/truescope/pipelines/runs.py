"""What is in the store: the runs that have a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from truescope.core.errors import StoreError
from truescope.store import Store


def list_runs(limit: int = 50) -> list[dict[str, Any]]:
    """The newest runs, newest first."""
    return [
        {
            "id": record.id,
            "kind": record.kind,
            "title": record.title,
            "created": record.created,
            "finished": record.finished,
            "folder": str(record.folder),
        }
        for record in Store.open().runs(limit=limit)
    ]


def find_page(run: str | None = None) -> Path:
    """The folder of a finished run that has a page: by the beginning of its id, else the newest.

    Raises:
        StoreError: there is no such run, or it has no page.
    """
    store = Store.open()
    if run is not None:
        found = store.find(run)
        if not found.has("view.json"):
            raise StoreError(f"run {found.id} has no page", why="it was stopped before its end", fix="run it again")
        return found.folder
    for record in store.runs():
        if record.finished and (record.folder / "view.json").is_file():
            return record.folder
    raise StoreError("the store has no run with a page", fix="run `truescope demo` first")
