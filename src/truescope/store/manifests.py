"""What stands beside a run's files: the manifest, and the sums by which a truncated or altered file is known.

A file's SHA-256 is on the disk before the file is, so a file that matches no line of ``sums.jsonl`` was not written by
this package. Whoever reads takes the file first and the sums second: then a writer in between raises no false alarm.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from truescope.core.errors import StoreError
from truescope.core.ids import canonical_json, content_id
from truescope.store.catalogue import RunRecord
from truescope.store.journal import append_line, parse_lines
from truescope.store.provenance import file_hash

MANIFEST = "manifest.json"
SUMS = "sums.jsonl"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._+=@-]{0,199}")
_REQUIRED = ("id", "kind", "title", "inputs", "created", "finished", "seconds")


def place_in(folder: Path, name: str) -> Path:
    """Where the file ``name`` of a run lies. Raises StoreError for a name that leaves the folder or is taken."""
    parts = name.split("/")
    if not all(_PART.fullmatch(part) for part in parts):
        raise StoreError(
            f"{name!r} cannot name a file of a run",
            why="a name is letters, digits and . _ - + = @ in parts divided by /, none of them empty or led by a dot",
            fix="use a plain relative name, such as graph.json",
        )
    if name.lower() in (MANIFEST, SUMS):
        raise StoreError(f"{name!r} is the run's own file", fix="use another name")
    place = folder.joinpath(*PurePosixPath(name).parts)
    if not place.resolve().is_relative_to(folder.resolve()):
        raise StoreError(f"{name!r} leads out of {folder}", why="there is a link on the way", fix="delete the link")
    return place


def note_sum(folder: Path, name: str, path: Path) -> None:
    """Write down the hash of what lies at ``path`` and is about to become the file or folder ``name``."""
    append_line(folder / SUMS, {"name": name, "sha256": _digest(path)})


def note_lines(folder: Path, name: str) -> None:
    """Write down the hash of a journal as long as it is now; what is appended later leaves that beginning as it is."""
    data = _read(folder / name)
    data = data[: data.rfind(b"\n") + 1]
    append_line(folder / SUMS, {"name": name, "sha256": sha256(data).hexdigest(), "bytes": len(data)})


def read_sums(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Every sum that was written down, by name, oldest first."""
    try:
        seen = (folder / SUMS).stat()
    except FileNotFoundError:
        return {}
    return _parse_sums(folder / SUMS, seen.st_ino, seen.st_size, seen.st_mtime_ns)


def read_checked(folder: Path, name: str) -> bytes:
    """A file's bytes. Raises StoreError if they are not what was written."""
    data = _read(folder / name)
    _compare(folder, name, sha256(data).hexdigest())
    return data


def check(folder: Path, name: str) -> str:
    """The SHA-256 of a file or folder. Raises StoreError if it is not what was written."""
    digest = _digest(folder / name)
    sums = read_sums(folder).get(name, [])
    if not any("bytes" in entry for entry in sums):
        return _compare(folder, name, digest)
    read_journal(folder, name)
    return digest


def read_journal(folder: Path, name: str) -> list[Any]:
    """The finished lines of a journal. Raises StoreError if what was written down of it has changed."""
    data = _read(folder / name)
    sums = read_sums(folder).get(name, [])
    if sums and all(sha256(data[: entry.get("bytes")]).hexdigest() != entry["sha256"] for entry in sums):
        raise _altered(folder, name)
    return parse_lines(data, folder / name)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run's folder. Raises StoreError, naming the file, if it is damaged or belongs elsewhere."""
    manifest = json.loads(read_checked(folder, MANIFEST))
    if missing := [key for key in _REQUIRED if key not in manifest]:
        raise _damaged(folder, f"it lacks {', '.join(missing)}")
    if not manifest["id"] == folder.name == content_id({"kind": manifest["kind"], "inputs": manifest["inputs"]}):
        raise _damaged(folder, f"its inputs do not give the folder's name {folder.name}")
    return manifest


def record_of(folder: Path, manifest: dict[str, Any]) -> RunRecord:
    """The catalogue's line for a manifest."""
    return RunRecord(**{key: manifest[key] for key in _REQUIRED if key != "inputs"}, folder=folder)


def _compare(folder: Path, name: str, digest: str) -> str:
    if all(digest != entry["sha256"] for entry in read_sums(folder).get(name, [])):
        raise (
            _damaged(folder, "its SHA-256 is not the one written down") if name == MANIFEST else _altered(folder, name)
        )
    return digest


def _digest(path: Path) -> str:
    """A file's SHA-256; a folder's is that of its files' names and hashes."""
    if not path.is_dir():
        return file_hash(path)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    listing = {p.relative_to(path).as_posix(): file_hash(p) for p in files}
    return sha256(canonical_json(listing).encode()).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path}", why=str(error)) from error


@lru_cache(maxsize=64)
def _parse_sums(path: Path, inode: int, size: int, changed: int) -> dict[str, list[dict[str, Any]]]:
    # The file only grows, so its inode, size and time say whether it was read before.
    sums: dict[str, list[dict[str, Any]]] = {}
    for entry in parse_lines(_read(path), path):
        sums.setdefault(entry["name"], []).append(entry)
    return sums


def _altered(folder: Path, name: str) -> StoreError:
    return StoreError(
        f"{folder / name} is damaged",
        why="its SHA-256 is not the one written down: it was truncated or altered after it was written",
        fix=f"delete the folder {folder} and give the same command again",
    )


def _damaged(folder: Path, why: str) -> StoreError:
    return StoreError(
        f"the manifest {folder / MANIFEST} is damaged",
        why=why,
        fix=f"delete the folder {folder} and give the same command again",
    )
