"""Files that are there whole or not at all: full disks, closed folders, Ctrl-C, and what the dead leave behind."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from truescope.core.errors import StoreError
from truescope.store import Store, new_file, new_folder, write_atomic
from truescope.store.atomic import sweep


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def refuse(code: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    for data in (b"old", b"", b"new" * 100_000):
        write_atomic(tmp_path / "a.bin", data)
        assert (tmp_path / "a.bin").read_bytes() == data
    assert listing(tmp_path) == ["a.bin"]


def test_a_long_name_fits(tmp_path: Path) -> None:
    write_atomic(tmp_path / ("n" * 250), b"whole")
    assert listing(tmp_path) == ["n" * 250]


def test_a_full_disk_says_what_was_needed_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "a.bin", b"old")
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    with pytest.raises(StoreError, match="disk full while writing") as caught:
        write_atomic(tmp_path / "a.bin", b"x" * 1_500_000)
    assert "1.5 MB needed" in caught.value.why and "free" in caught.value.why
    assert "kept" in caught.value.fix
    assert listing(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == b"old"


def test_a_write_that_the_system_cuts_short_leaves_the_old_file(tmp_path: Path) -> None:
    """Real this time: past the limit on a file's size the kernel writes a part and refuses the rest."""
    write_atomic(tmp_path / "a.bin", b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StoreError, match="cannot write"):
            write_atomic(tmp_path / "a.bin", b"x" * 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert listing(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == b"old"


FILL = """
import sys
from pathlib import Path
from truescope.core.errors import StoreError
from truescope.store import Store
run = Store.open(Path(sys.argv[1])).run("fill", {"seed": 0})
with run.locked():
    run.write_bytes("a.bin", b"old")
    try:
        run.write_bytes("a.bin", bytes(4_000_000))
    except StoreError as error:
        print(error.what, "|", error.why)
    print(run.read_bytes("a.bin"), [p.name for p in run.folder.iterdir() if p.name.endswith(".tmp")])
    try:
        for i in range(100_000):
            run.append_line("log.jsonl", {"text": "x" * 20_000})
    except StoreError as error:
        print(error.what.split(" while")[0])
    assert run.read_lines("log.jsonl") and (run.folder / "log.jsonl").read_bytes().endswith(b"\\n")
"""


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """A file system of one megabyte, in a mount namespace of its own."""
    small = tmp_path / "small"
    small.mkdir()
    script = f'mount -t tmpfs -o size=1m tmpfs "{small}" && exec "$0" -c "$1" "{small}"'
    command = ["unshare", "-Urm", "sh", "-c", script, sys.executable, FILL]
    try:
        probe = subprocess.run([*command[:4], f'mount -t tmpfs tmpfs "{small}"'], capture_output=True)
    except FileNotFoundError:
        pytest.skip("no unshare on this machine")
    if probe.returncode:
        pytest.skip("this machine lets no one make a mount namespace")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    full, whole, lines = done.stdout.splitlines()
    assert full.startswith("disk full while writing") and "4.0 MB needed" in full
    assert whole == "b'old' []"
    assert lines == "disk full"


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_closed_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(os, "replace", refuse(code))
    with pytest.raises(StoreError, match="cannot write") as caught:
        write_atomic(tmp_path / "a.bin", b"new")
    assert str(tmp_path) in caught.value.why and "TRUESCOPE_HOME" in caught.value.fix
    assert listing(tmp_path) == []


READ_ONLY = """
import ctypes, os, sys
from pathlib import Path
from truescope.core.errors import StoreError
from truescope.store import Store, write_atomic
if os.geteuid() == 0:
    os.setuid(65534)   # root may write anywhere; nobody may not
for act in (lambda: write_atomic(Path(sys.argv[1]) / "a", b""), lambda: Store.open(Path(sys.argv[1])),
            lambda: Store.open(Path(sys.argv[1]) / "deeper")):
    try:
        act()
    except StoreError as error:
        print(error.what.split(" /")[0], "|", error.fix)
"""


def test_a_folder_that_is_really_read_only() -> None:
    # pytest's own folder is closed to others, so that nobody would not even come as far as the store.
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        closed = Path(place) / "closed"
        Store.open(closed)
        closed.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", READ_ONLY, str(closed)], capture_output=True, text=True)
        closed.chmod(0o755)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" |")[0] for line in lines] == ["cannot write", "cannot write to the store", "cannot write"]
    assert all("TRUESCOPE_HOME" in line for line in lines)


def test_control_c_in_the_middle_of_a_write(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.bin", b"old")
    with pytest.raises(KeyboardInterrupt), new_file(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert listing(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == b"old"


def test_a_folder_is_replaced_as_one(tmp_path: Path) -> None:
    for files in ({"a": b"1", "b": b"1"}, {"b": b"2", "c": b"2"}):
        with new_folder(tmp_path / "set") as temporary:
            for name, data in files.items():
                (temporary / name).write_bytes(data)
        assert {path.name: path.read_bytes() for path in (tmp_path / "set").iterdir()} == files
    assert listing(tmp_path) == ["set"]


@pytest.mark.parametrize("calls_before", [0, 1])
def test_a_folder_that_cannot_be_swapped_in_stays_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls_before: int
) -> None:
    with new_folder(tmp_path / "set") as temporary:
        (temporary / "a").write_bytes(b"old")
    replace, calls = os.replace, []

    def stop_once(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == calls_before + 1:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop_once)
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "set") as temporary:
        (temporary / "b").write_bytes(b"new")
    assert listing(tmp_path) == ["set"] and listing(tmp_path / "set") == ["a"]


def test_only_what_the_dead_left_is_swept(tmp_path: Path) -> None:
    with new_file(tmp_path / "mine") as living:
        living.write_bytes(b"")
        mine = f"-{os.getpid()}-"
        dead = living.with_name(living.name.replace(mine, f"-{dead_process()}-"))
        elsewhere = living.with_name(dead.name.replace(dead.name.split(".")[-2].split("-")[0], "0" * 8))
        for path in (dead, elsewhere, tmp_path / "notes.tmp", tmp_path / ".hidden.tmp"):
            path.write_bytes(b"")
        assert sweep(tmp_path) == 1
        assert not dead.exists() and living.exists() and elsewhere.exists()
        assert sweep(tmp_path, everything=True) == 2
        living.write_bytes(b"whole")
    assert listing(tmp_path) == [".hidden.tmp", "mine", "notes.tmp"]
