"""`Store`: a folder of run folders and a catalogue over them.

store.json          that this is a store, and its version
runs/<kind>/<id>/   see `runs`
catalogue.sqlite    see `catalogue`
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from truescope.core.config import home
from truescope.core.errors import StoreError, nearest
from truescope.store.atomic import explain, is_temporary, sweep, write_atomic
from truescope.store.catalogue import Catalogue, RunRecord
from truescope.store.manifests import MANIFEST, check, read_manifest, read_sums, record_of
from truescope.store.runs import Run

VERSION = 1
MARKER = "store.json"
_HEX = re.compile(r"[0-9a-f]{1,16}")


class Store:
    """The runs under one folder; several processes may work in it at once."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path = path
        self._say = say
        self._catalogue = Catalogue(path, self._read_records, say)

    @classmethod
    def open(cls, path: Path | None = None, *, say: Callable[[str], None] | None = None) -> Store:
        """Open the store at ``path`` (`home` where none is named), made if there is none.

        ``say`` gets what a person should know (a wait, a repair); where none is given it is logged as a warning.
        What killed processes left behind is removed. Raises StoreError if the folder is something else, was made by a
        newer version, or cannot be written.
        """
        path = (path or home()).absolute()
        _make_or_check(path)
        store = cls(path, say or logging.getLogger("truescope.store").warning)
        store._reconcile()
        return store

    def run(self, kind: str, inputs: Mapping[str, Any], *, title: str | None = None) -> Run:
        """The run of this kind with these inputs, begun or not. Raises StoreError where the inputs are no JSON.

        Everything that decides the result belongs into ``inputs``: seed, hashes of model and data, prompt, settings,
        code version. ``title`` is for lists (the prompt where none is given) and decides nothing.
        """
        words = inputs.get("prompt", "") if title is None else title
        return self._run(kind, inputs, title=words if isinstance(words, str) else "")

    def runs(self, kind: str | None = None, limit: int = 50) -> list[RunRecord]:
        """The newest ``limit`` runs (of one kind, or of all), newest first; a negative limit means all."""
        return self._catalogue.rows(kind, limit)

    def find(self, prefix: str) -> Run:
        """The begun run whose id begins with ``prefix``. Raises StoreError if there is none, or more than one."""
        folders = {folder.name: folder for folder in self._folders() if (folder / MANIFEST).exists()}
        found = sorted(name for name in folders if _HEX.fullmatch(prefix.lower()) and name.startswith(prefix.lower()))
        if not found:
            near = nearest(prefix.lower(), sorted({name[: max(len(prefix), 6)] for name in folders}))
            raise StoreError(
                f"no run begins with {prefix!r}",
                why=f"{self.path} has {len(folders)} runs",
                fix=near or "`truescope serve --json` lists the runs",
            )
        if len(found) > 1:
            shown = ", ".join(f"{name} ({folders[name].parent.name})" for name in found[:8])
            raise StoreError(f"{len(found)} runs begin with {prefix!r}", why=shown, fix="name more of the id")
        manifest = read_manifest(folders[found[0]])
        return self._run(manifest["kind"], manifest["inputs"], title=manifest["title"])

    def verify(self) -> list[str]:
        """Read everything, and say what is damaged, one sentence each; the catalogue is repaired on the way."""
        problems: list[str] = []
        for folder in self._folders():
            try:
                files = read_manifest(folder).get("files", {}) if (folder / MANIFEST).exists() else {}
                problems += [f"{folder / name} is gone" for name in files if not (folder / name).exists()]
                for name in read_sums(folder):
                    if (folder / name).exists():
                        check(folder, name)
            except StoreError as error:
                problems.append(str(error))
        self._catalogue.check()
        self._reconcile()
        return problems

    def rebuild(self) -> int:
        """Make the catalogue anew from the run folders, and count its rows."""
        self._catalogue.renew()
        return len(self._catalogue.rows(limit=-1))

    def _run(self, kind: str, inputs: Mapping[str, Any], *, title: str) -> Run:
        return Run(self.path, kind, inputs, title=title, record=lambda r: self._catalogue.put([r]), say=self._say)

    def _folders(self) -> Iterator[Path]:
        for kind in sorted((self.path / "runs").glob("*/")):
            yield from (Path(entry.path) for entry in os.scandir(kind) if entry.is_dir() and _HEX.fullmatch(entry.name))

    def _read_records(self) -> Iterator[RunRecord]:
        for folder in self._folders():
            if record := self._read_record(folder):
                yield record

    def _read_record(self, folder: Path) -> RunRecord | None:
        try:
            return record_of(folder, read_manifest(folder)) if (folder / MANIFEST).exists() else None
        except StoreError as error:
            self._say(f"left out of the list: {error}")
            return None

    def _reconcile(self) -> None:
        """Make the catalogue agree with the folders, and remove what killed processes left in them.

        Rows are read first: a folder that another process makes meanwhile is then new, and never counts as gone.
        """
        rows = {row.id: row for row in self._catalogue.rows(limit=-1)}
        folders = {folder.name: folder for folder in self._folders()}
        if gone := rows.keys() - folders.keys():
            self._catalogue.drop(gone)
        open_ones = [folder for key, folder in folders.items() if key not in rows or rows[key].finished is None]
        for folder in open_ones:
            sweep(folder)
        records = [record for folder in open_ones if (record := self._read_record(folder))]
        if news := [record for record in records if rows.get(record.id) != record]:
            self._catalogue.put(news)
        sweep(self.path)


def _make_or_check(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in path.iterdir() if not is_temporary(entry.name)}
    except FileExistsError as error:
        raise StoreError(f"{path} is a file, not a store", fix="name a folder with TRUESCOPE_HOME") from error
    except OSError as error:
        raise explain(error, path / MARKER, None) from error
    # The marker is the first thing a store gets, so a folder that has other things and no marker is not one.
    if MARKER in names:
        _check_marker(path / MARKER)
    elif names:
        raise StoreError(
            f"{path} is not a store",
            why=f"it has no {MARKER}, but holds {', '.join(sorted(names)[:3])}{' …' if len(names) > 3 else ''}",
            fix="name a new or empty folder with TRUESCOPE_HOME",
        )
    else:
        write_atomic(path / MARKER, json.dumps({"format": "truescope store", "version": VERSION}).encode() + b"\n")
    if not os.access(path, os.W_OK | os.X_OK):
        raise StoreError(
            f"cannot write to the store {path}",
            why="the folder is read-only for this user",
            fix="make it writable, or name another store with TRUESCOPE_HOME",
        )


def _check_marker(marker: Path) -> None:
    try:
        version = json.loads(marker.read_bytes())["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = f'if {marker.parent} is a store, write {{"version": {VERSION}}} into the file'
        raise StoreError(f"{marker} is damaged", why=str(error) or repr(error), fix=fix) from error
    if not isinstance(version, int) or version > VERSION:
        raise StoreError(
            f"the store {marker.parent} was made by a newer truescope",
            why=f"its version is {version}, this one knows {VERSION}",
            fix="upgrade truescope, or name another store with TRUESCOPE_HOME",
        )
