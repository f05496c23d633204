"""`Run`: a folder whose name is the hash of what goes into it, a manifest, and files that are checked when read.

    runs/<kind>/<id>/
        manifest.json     kind, inputs, versions, commit, times; once finished, the summary and every file's SHA-256
        sums.jsonl        a line for each file written
        *.jsonl           journals: append-only lines, each on the disk before the next
        .lock             held by the process that works on the run

The same inputs give the same folder, so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from truescope.core.errors import StoreError, nearest
from truescope.core.ids import canonical_json, content_id
from truescope.store.atomic import explain, new_file, new_folder, sweep
from truescope.store.catalogue import RunRecord
from truescope.store.journal import append_line, check_json
from truescope.store.locks import lock
from truescope.store.manifests import (
    MANIFEST,
    SUMS,
    check,
    note_lines,
    note_sum,
    place_in,
    read_checked,
    read_journal,
    read_manifest,
    read_sums,
    record_of,
)
from truescope.store.provenance import commit, versions

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_JOURNAL = ".jsonl"


class Run:
    """One run of a store; made by `Store.run` and `Store.find`. A thread makes its own."""

    def __init__(
        self,
        root: Path,
        kind: str,
        inputs: Mapping[str, Any],
        *,
        title: str = "",
        record: Callable[[RunRecord], None],
        say: Callable[[str], None],
    ) -> None:
        if not _KIND.fullmatch(kind):
            raise StoreError(f"{kind!r} is no kind of run", fix="use one short lower-case word, such as trace")
        check_json(dict(inputs), "inputs")
        self.kind = kind
        self.inputs: dict[str, Any] = json.loads(canonical_json(dict(inputs)))
        self.id = content_id({"kind": kind, "inputs": self.inputs})
        self.folder = root / "runs" / kind / self.id
        self.title = title
        self._record = record
        self._say = say
        self._held_since: float | None = None

    def __repr__(self) -> str:
        return f"<run {self.kind} {self.id}>"

    @property
    def manifest(self) -> dict[str, Any]:
        """What is written about the run; before it was ever begun, what is known."""
        if (self.folder / MANIFEST).exists():
            return read_manifest(self.folder)
        known = {"id": self.id, "kind": self.kind, "title": self.title, "inputs": self.inputs}
        return {**known, "created": None, "finished": None, "seconds": None}

    @property
    def finished(self) -> bool:
        """Whether the run's work is done."""
        return self.manifest["finished"] is not None

    @contextmanager
    def locked(self, say: Callable[[str], None] | None = None) -> Iterator[Run]:
        """Be the one process that works on the run; a second one waits, says so, and then finds it finished.

        Entering begins the run or goes on with it: the manifest is written, what killed processes left is removed.
        """
        if self._held_since is not None:
            yield self
            return
        with lock(self.folder / ".lock", f"the run {self.kind} {self.id}", say or self._say):
            self._held_since = time.monotonic()
            try:
                sweep(self.folder, everything=True)
                self._begin()
                yield self
            finally:
                self._held_since = None

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Seal the run: every file is checked, and its SHA-256 written into the manifest beside the summary.

        ``seconds`` are those of this process, from taking the lock on. Raises StoreError if a file was altered.
        """
        began = self._need_lock()
        check_json(dict(summary), "summary")
        for path in self.folder.rglob(f"*{_JOURNAL}"):
            if (name := path.relative_to(self.folder).as_posix()) not in read_sums(self.folder) and name != SUMS:
                note_lines(self.folder, name)
        names = sorted(name for name in read_sums(self.folder) if name != MANIFEST and (self.folder / name).exists())
        seconds = round(time.monotonic() - began, 3)
        sealed = {"finished": _now(), "seconds": seconds, "summary": dict(summary)}
        self._write_manifest({**self.manifest, **sealed, "files": {name: check(self.folder, name) for name in names}})
        self._record(record_of(self.folder, self.manifest))

    def has(self, name: str) -> bool:
        """Whether the file or folder ``name`` is there, whole."""
        known = name.endswith(_JOURNAL) or name in read_sums(self.folder)
        return place_in(self.folder, name).exists() and known

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary path for someone else's writer; it becomes the file ``name`` when the block ends."""
        with new_file(self._place_to_write(name)) as temporary:
            yield temporary
            note_sum(self.folder, name, temporary)

    @contextmanager
    def writing_folder(self, name: str) -> Iterator[Path]:
        """A temporary folder for files that belong together; they appear as ``name/…`` all at once."""
        with new_folder(self._place_to_write(name)) as temporary:
            yield temporary
            for path in sorted(p for p in temporary.rglob("*") if p.is_file()):
                note_sum(self.folder, f"{name}/{path.relative_to(temporary).as_posix()}", path)
            note_sum(self.folder, name, temporary)

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Write a file. Raises StoreError where the disk is full; nothing is then changed."""
        return self._put(name, self._place_to_write(name), data)

    def write_text(self, name: str, text: str) -> Path:
        """Write a file of UTF-8 text; errors as in `write_bytes`."""
        return self.write_bytes(name, text.encode())

    def write_json(self, name: str, record: Any) -> Path:
        """Write a record as JSON. Raises StoreError, naming the place, where it is none (NaN, say)."""
        check_json(record, name)
        return self.write_bytes(name, json.dumps(record, ensure_ascii=False, allow_nan=False).encode())

    def write_tensors(self, name: str, tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> Path:
        """Write named numpy arrays (or what numpy makes arrays of) as one safetensors file."""
        import numpy as np
        from safetensors import SafetensorError
        from safetensors.numpy import save

        # Contiguous, or the bytes would be those of the array it is a view of.
        arrays = {key: np.require(value, requirements="C") for key, value in tensors.items()}
        try:
            data = save(arrays, metadata=dict(metadata) if metadata else None)
        except (SafetensorError, KeyError, ValueError) as error:
            kinds = ", ".join(f"{key}: {array.dtype}" for key, array in arrays.items())
            raise StoreError(f"cannot write {name} as tensors", why=f"{error!r} ({kinds})") from error
        return self.write_bytes(name, data)

    def append_line(self, name: str, record: Any) -> None:
        """Add a JSON record to the journal ``name`` (``….jsonl``); it is on the disk when this returns."""
        append_line(self._place_to_write(name, journal=True), record)

    def path(self, name: str) -> Path:
        """Where a file or folder lies, its bytes checked. Raises StoreError if it is absent, truncated or altered."""
        place = self._place_to_read(name)
        check(self.folder, name)
        return place

    def read_bytes(self, name: str) -> bytes:
        """A file's bytes. Raises StoreError if it is absent, truncated or altered."""
        self._place_to_read(name)
        return read_checked(self.folder, name)

    def read_text(self, name: str) -> str:
        """A file of UTF-8 text; errors as in `read_bytes`."""
        return self.read_bytes(name).decode()

    def read_json(self, name: str) -> Any:
        """A JSON record; errors as in `read_bytes`."""
        return json.loads(self.read_bytes(name))

    def read_tensors(self, name: str) -> dict[str, Any]:
        """The named numpy arrays of a safetensors file; errors as in `read_bytes`."""
        from safetensors.numpy import load

        return load(self.read_bytes(name))

    def read_lines(self, name: str) -> list[Any]:
        """The records appended to a journal so far, [] if none; a line cut off by a kill is left out."""
        return read_journal(self.folder, name) if place_in(self.folder, name).exists() else []

    def _begin(self) -> None:
        provenance = {"versions": versions(), "commit": commit()}
        manifest = self.manifest
        if manifest["created"] is None:
            self._write_manifest({**manifest, "created": _now(), **provenance, "resumed": []})
        elif canonical_json(manifest["inputs"]) != canonical_json(self.inputs):
            raise StoreError(f"{self} belongs to other inputs", why="two records share one id", fix="change the seed")
        elif manifest["finished"] is None:
            again = [*manifest["resumed"], {"at": _now(), **provenance}]
            self._write_manifest({**manifest, "resumed": again})
        self._record(record_of(self.folder, self.manifest))

    def _write_manifest(self, manifest: dict[str, Any]) -> None:
        text = json.dumps(manifest, ensure_ascii=False, allow_nan=False, indent=1)
        self._put(MANIFEST, self.folder / MANIFEST, text.encode() + b"\n")

    def _put(self, name: str, place: Path, data: bytes) -> Path:
        with new_file(place, needed=len(data)) as temporary:
            temporary.write_bytes(data)
            note_sum(self.folder, name, temporary)
        return place

    def _place_to_write(self, name: str, *, journal: bool = False) -> Path:
        self._need_lock()
        place = place_in(self.folder, name)
        if name.endswith(_JOURNAL) != journal:
            raise StoreError(
                f"cannot write {name!r}",
                why=f"names that end in {_JOURNAL}, and only they, are journals",
                fix=f"append_line adds to a {_JOURNAL} file, write_… makes any other",
            )
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, place, None) from error
        return place

    def _place_to_read(self, name: str) -> Path:
        place = place_in(self.folder, name)
        if not self.has(name):
            raise StoreError(f"{self} has no {name}", fix=nearest(name, read_sums(self.folder)))
        return place

    def _need_lock(self) -> float:
        if self._held_since is None:
            raise StoreError(f"{self} is written to without its lock", fix="write inside `with run.locked():`")
        return self._held_since


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
