"""One process at a time: an advisory lock on a file, which the system lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from truescope.store.atomic import explain

PATIENCE = 1.0  # seconds of waiting before it is said
_LONGEST_NAP = 0.2


@contextmanager
def lock(path: Path, what: str, say: Callable[[str], None], *, shared: bool = False) -> Iterator[None]:
    """Hold the lock file ``path``; whoever waits longer than a second says for whom.

    ``shared`` holders do not exclude each other. Raises StoreError where the lock file cannot be made.
    """
    handle = _acquire(path, what, say, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        if not shared:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        # Let go by name: a forked child may still hold a copy of the handle.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _acquire(path: Path, what: str, say: Callable[[str], None], kind: int) -> int:
    start, nap, said = time.monotonic(), 0.005, False
    handle = _open(path)
    try:
        while not _try(handle, kind) or os.fstat(handle).st_nlink == 0:
            if os.fstat(handle).st_nlink == 0:
                # The folder was deleted while we waited; its lock went with it.
                os.close(handle)
                handle = _open(path)
                continue
            if not said and time.monotonic() - start > PATIENCE:
                holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
                say(f"{what} is being worked on by process {holder or '?'}; waiting until it is done")
                said = True
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise explain(error, path, None) from error


def _try(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
