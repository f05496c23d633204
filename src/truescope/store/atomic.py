"""Files and folders that are there whole or not at all: a temporary name beside the place, fsync, rename.

A temporary is called ``.<name>.<host>-<pid>-<random>.tmp``, so what a killed process left behind can be told from what
a living one is writing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from truescope.core.errors import StoreError

_TEMPORARY = re.compile(r"\..*\.(?P<host>[0-9a-f]{8})-(?P<pid>[1-9]\d{0,9})-[0-9a-f]{8}\.tmp")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_atomic(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``: a reader sees the old file or the new one, whatever happens in between.

    Raises StoreError where the disk is full or the folder cannot be written; the old file is then untouched.
    """
    with new_file(path, needed=len(data)) as temporary, open(temporary, "wb") as file:
        file.write(data)


@contextmanager
def new_file(path: Path, needed: int | None = None) -> Iterator[Path]:
    """A temporary path to write to, which becomes ``path`` when the block ends and vanishes when it fails.

    ``needed`` is the size in bytes where it is known; a full disk's message says it.
    """
    temporary = _temporary_name(path)
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        raise explain(error, path, needed) from error
    finally:
        _remove(temporary)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill, which becomes the folder ``path`` when the block ends and vanishes when it fails.

    A reader sees all of the old files or all of the new ones, never a mixture. A process that is killed between the
    two renames of a replacement leaves no folder: absent, not half.
    """
    temporary, aside = _temporary_name(path), _temporary_name(path)
    try:
        temporary.mkdir()
        yield temporary
        for place in [*temporary.rglob("*"), temporary]:
            sync(place)
        if path.exists():
            os.replace(path, aside)
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        raise explain(error, path, None) from error
    finally:
        _remove(temporary)
        if aside.exists() and not path.exists():
            os.replace(aside, path)
        _remove(aside)


def sweep(folder: Path, *, everything: bool = False) -> int:
    """Remove the temporaries that dead processes of this machine left in ``folder``, and count them.

    ``everything`` is for who holds the folder's lock: no temporary in it can then be in use, whosever it was.
    """
    n_swept = 0
    for entry in folder.iterdir() if folder.is_dir() else ():
        match = _TEMPORARY.fullmatch(entry.name)
        if match and (everything or (match["host"] == _host() and not _alive(int(match["pid"])))):
            _remove(entry)
            n_swept += 1
    return n_swept


def is_temporary(name: str) -> bool:
    """Whether ``name`` is one that this module gives to unfinished files."""
    return _TEMPORARY.fullmatch(name) is not None


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def explain(error: OSError, path: Path, needed: int | None) -> StoreError:
    """The operating system's refusal as what, why and fix."""
    if error.errno in _FULL:
        free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else 0
        wanted = f"{_size(needed)} needed" if needed is not None else "more is needed than there is"
        return StoreError(
            f"disk full while writing {path}",
            why=f"{wanted}, {_size(free)} free",
            fix="free some space and give the same command again; what was finished is kept, the old file is untouched",
        )
    if error.errno in _CLOSED:
        return StoreError(
            f"cannot write {path}",
            why=f"{error.strerror} ({path.parent})",
            fix="make the folder writable, or name another store with TRUESCOPE_HOME",
        )
    return StoreError(
        f"cannot write {path}",
        why=error.strerror or str(error),
        fix="what was finished is kept: see to the folder, or name another store with TRUESCOPE_HOME",
    )


def _temporary_name(path: Path) -> Path:
    # The name is cut so that the temporary's own stays below the 255 bytes of common file systems.
    return path.with_name(f".{path.name[:50]}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _size(n_bytes: int | float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "bytes" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
