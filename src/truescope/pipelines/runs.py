"""What is in the store: the runs that have a page, and where the numbers of a run come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from truescope.core.errors import StoreError
from truescope.models import Model
from truescope.store import Run, Store, commit, versions


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
            if found.finished:
                pages = [path.name for path in sorted(found.folder.glob("*.html"))]
                raise StoreError(
                    f"run {found.id} has no page to serve",
                    why=f"it is a run of {found.kind}",
                    fix=f"open {found.folder / pages[0]}" if pages else f"its files are in {found.folder}",
                )
            raise StoreError(f"run {found.id} has no page", why="it was stopped before its end", fix="run it again")
        return found.folder
    for record in store.runs():
        if record.finished and (record.folder / "view.json").is_file():
            return record.folder
    raise StoreError("the store has no run with a page", fix="run `truescope demo` first")


def run_facts(run: Run, model: Model, **more: Any) -> dict[str, Any]:
    """Where every number of a run comes from."""
    return {
        "id": run.id,
        "created": run.manifest["created"],
        "seed": None,
        "commit": commit(),
        "code": run.inputs["code"],
        "versions": versions(),
        "data_hash": None,
        "model_hash": model.hash,
        **more,
    }
