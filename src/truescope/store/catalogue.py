"""The catalogue: one SQLite file over the run folders, for lists. The manifests are the truth; it can be read again
from them at any time, so damage costs nothing but a moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from truescope.core.errors import StoreError
from truescope.store.locks import lock

VERSION = 1
BUSY_SECONDS = 30.0
# No such table, malformed, not a database: what only making it anew repairs.
_DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_COLUMNS = "id, kind, title, created, finished, seconds, folder"
_TABLE = """CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, created TEXT NOT NULL,
    finished TEXT, seconds REAL, folder TEXT NOT NULL) WITHOUT ROWID"""
# A run that is finished stays so, whoever read its manifest earlier and comes late.
_PUT = f"""INSERT INTO runs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET title = excluded.title, created = excluded.created, finished = excluded.finished,
    seconds = excluded.seconds WHERE runs.finished IS NULL OR excluded.finished IS NOT NULL"""

T = TypeVar("T")


@dataclass(frozen=True)
class RunRecord:
    """One line of the catalogue. Times are UTC in ISO 8601; ``finished`` and ``seconds`` are None until it is."""

    id: str
    kind: str
    created: str
    finished: str | None
    seconds: float | None
    title: str
    folder: Path


class Catalogue:
    """The rows of all runs of the store at ``root``; ``read_all`` reads them from the manifests."""

    def __init__(self, root: Path, read_all: Callable[[], Iterable[RunRecord]], say: Callable[[str], None]) -> None:
        self.root = root
        self.path = root / "catalogue.sqlite"
        self._read_all = read_all
        self._say = say
        if not self.path.exists():
            self._repair()

    def put(self, records: Iterable[RunRecord]) -> None:
        """Add the rows, or replace the ones with their ids."""
        rows = [self._row(record) for record in records]
        self._do(lambda db: db.executemany(_PUT, rows))

    def drop(self, ids: Iterable[str]) -> None:
        """Take the rows with these ids out."""
        keys = [(key,) for key in ids]
        self._do(lambda db: db.executemany("DELETE FROM runs WHERE id = ?", keys))

    def rows(self, kind: str | None = None, limit: int = 50) -> list[RunRecord]:
        """The newest ``limit`` runs (of one kind, or of all), newest first; a negative limit means all."""
        query = f"SELECT {_COLUMNS} FROM runs WHERE ? IS NULL OR kind = ? ORDER BY created DESC, id LIMIT ?"
        return [self._record(row) for row in self._do(lambda db: db.execute(query, (kind, kind, limit)).fetchall())]

    def check(self) -> None:
        """Read every page of the file, and make it anew if one is damaged."""
        if self._do(lambda db: db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            self._repair()

    def renew(self) -> None:
        """Make the file anew from the manifests."""
        with self._lock(shared=False):
            self._make()

    def _do(self, act: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._once(act)
        except sqlite3.DatabaseError as error:
            if _code(error) not in _DAMAGED:
                raise self._explain(error) from error
        self._repair()
        try:
            return self._once(act)
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error

    def _once(self, act: Callable[[sqlite3.Connection], T]) -> T:
        # Shared: whoever makes the file anew waits until nobody has it open.
        with self._lock(shared=True), self._open() as db, db:
            return act(db)

    def _repair(self) -> None:
        """Make the file anew, unless another process has done so while we waited for the lock."""
        with self._lock(shared=False):
            if not self.path.exists():
                self._make()
            elif not self._is_sound():
                self._make()
                self._say(f"the catalogue {self.path} was damaged; it was made anew from the runs' manifests")

    def _make(self) -> None:
        for ending in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        try:
            with self._open() as db:
                db.execute("PRAGMA journal_mode = WAL")
                with db:
                    db.execute(_TABLE)
                    db.executemany(_PUT, [self._row(record) for record in self._read_all()])
                    db.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error

    def _is_sound(self) -> bool:
        try:
            with self._open() as db:
                db.execute(f"SELECT {_COLUMNS} FROM runs ORDER BY created LIMIT 1").fetchall()
                version = db.execute("PRAGMA user_version").fetchone()[0]
                return version == VERSION and db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        except sqlite3.DatabaseError as error:
            if _code(error) in _DAMAGED:
                return False
            raise self._explain(error) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # One connection for each act: none is carried into a forked child or another thread.
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS)
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            yield db
        finally:
            db.close()

    def _lock(self, *, shared: bool) -> Any:
        return lock(self.root / ".lock", "the catalogue", self._say, shared=shared)

    def _row(self, r: RunRecord) -> tuple[Any, ...]:
        return r.id, r.kind, r.title, r.created, r.finished, r.seconds, r.folder.relative_to(self.root).as_posix()

    def _record(self, row: tuple[Any, ...]) -> RunRecord:
        key, kind, title, created, finished, seconds, folder = row
        return RunRecord(key, kind, created, finished, seconds, title, self.root / folder)

    def _explain(self, error: sqlite3.DatabaseError) -> StoreError:
        full = _code(error) == sqlite3.SQLITE_FULL
        return StoreError(
            f"disk full while writing {self.path}" if full else f"cannot use the catalogue {self.path}",
            why=str(error),
            fix=f"{'free some space' if full else 'check the folder'} and give the same command again; no run is lost",
        )


def _code(error: sqlite3.DatabaseError) -> int:
    # The low byte is the kind of error, the rest its details.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
