"""The store as a whole: opening it, finding runs, and a catalogue that can always be made again."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from truescope.core.config import data_folder, home
from truescope.core.errors import StoreError
from truescope.store import Run, Store
from truescope.store.manifests import record_of


def finished(store: Store, kind: str, seed: int) -> Run:
    run = store.run(kind, {"seed": seed, "prompt": f"{seed}+1="})
    with run.locked():
        run.write_json("result.json", seed)
        run.finish({"seed": seed})
    return run


def test_where_things_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUESCOPE_HOME", "~/elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == tmp_path / "elsewhere" and Store.open().path == tmp_path / "elsewhere"
    monkeypatch.setenv("TRUESCOPE_HOME", "")
    assert home() == tmp_path / ".truescope"
    monkeypatch.setenv("TRUESCOPE_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("TRUESCOPE_DATA")
    assert data_folder() is None


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    made = [finished(store, kind, seed) for seed, kind in enumerate(("trace", "judge", "trace"))]
    with store.run("trace", {"seed": 9}, title="by hand").locked():
        pass
    rows = store.runs()
    assert [row.title for row in rows] == ["by hand", "2+1=", "1+1=", "0+1="]
    assert rows[0].finished is None and rows[0].seconds is None
    assert [row.id for row in store.runs("trace", limit=2)][1] == made[2].id
    assert rows[1].folder == made[2].folder and rows[1].finished == made[2].manifest["finished"]
    assert store.runs("nothing") == []


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    made = [finished(store, "trace", seed) for seed in range(17)]  # 17 ids: two begin with the same digit
    for run in made:
        assert store.find(run.id).inputs == run.inputs
        assert store.find(run.id[:12].upper()).read_json("result.json") == run.inputs["seed"]
    firsts = [run.id[0] for run in made]
    twice = next(digit for digit in firsts if firsts.count(digit) > 1)
    with pytest.raises(StoreError, match="runs begin with") as caught:
        store.find(twice)
    assert all(run.id in caught.value.why for run in made if run.id[0] == twice)
    typo = made[3].id[:5] + ("0" if made[3].id[5] != "0" else "1")
    with pytest.raises(StoreError, match="no run begins with") as caught:
        store.find(typo)
    assert made[3].id[:6] in caught.value.fix
    for word in ("", "*", "../trace", "zz"):
        with pytest.raises(StoreError, match="no run begins with"):
            store.find(word)


def test_what_is_no_store_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not a store") as caught:
        Store.open(tmp_path)
    assert "notes.txt" in caught.value.why and [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(StoreError, match="is a file"):
        Store.open(tmp_path / "notes.txt")
    with pytest.raises(StoreError):
        Store.open(tmp_path / "notes.txt" / "below")


@pytest.mark.parametrize(
    ("text", "message"), [('{"version": 2}', "newer truescope"), ("{", "damaged"), ("[]", "damaged"), ("{}", "damaged")]
)
def test_a_store_of_another_make_is_not_touched(tmp_path: Path, text: str, message: str) -> None:
    Store.open(tmp_path)
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(StoreError, match=message) as caught:
        Store.open(tmp_path)
    assert caught.value.fix and (tmp_path / "store.json").read_text() == text


def wreck(path: Path) -> None:
    path.write_bytes(b"no database at all " * 500)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * len(data[4096:])
    path.write_bytes(bytes(data))


def other_table(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE runs (x)")
    db.close()


@pytest.mark.parametrize("damage", [wreck, cut, scribble, other_table, Path.unlink])
@pytest.mark.parametrize("while_open", [True, False])
def test_a_damaged_catalogue_is_made_again_and_said(tmp_path: Path, damage, while_open: bool) -> None:
    said: list[str] = []
    store = Store.open(tmp_path, say=said.append)
    for seed in range(4):
        run = store.run("trace", {"seed": seed}, title="a title that fills pages " * 100)
        with run.locked():
            run.finish({})
    rows = store.runs(limit=-1)
    damage(store.path / "catalogue.sqlite")
    if not while_open:
        store = Store.open(tmp_path, say=said.append)
    assert store.runs(limit=-1) == rows and len(rows) == 4
    assert store.verify() == []
    assert any("made anew" in line for line in said) == (damage is not Path.unlink or while_open)


def test_the_catalogue_follows_the_folders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import shutil

    store = Store.open(tmp_path)
    made = [finished(store, "trace", seed) for seed in range(4)]
    with sqlite3.connect(tmp_path / "catalogue.sqlite") as db:
        db.execute("DELETE FROM runs WHERE id = ?", (made[0].id,))
        db.execute("UPDATE runs SET finished = NULL WHERE id = ?", (made[1].id,))
    db.close()
    shutil.rmtree(made[2].folder)
    (made[3].folder / "manifest.json").write_text("{")
    assert len(store.verify()) == 1
    with caplog.at_level(logging.WARNING, "truescope.store"):
        found = {row.id: row for row in Store.open(tmp_path).runs()}
        assert found.keys() == {made[i].id for i in (0, 1, 3)} and all(row.finished for row in found.values())
        assert store.rebuild() == 2  # what has no sound manifest cannot be listed anew
    assert str(made[3].folder / "manifest.json") in caplog.text


def test_who_read_a_manifest_before_it_was_finished_cannot_undo_that(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    run = store.run("trace", {"seed": 0})
    with run.locked():
        early = record_of(run.folder, run.manifest)
        run.finish({})
    store._catalogue.put([early])
    assert store.runs()[0].finished == run.manifest["finished"]


def test_verify_names_every_damage(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    made = [finished(store, "trace", seed) for seed in range(4)]
    assert store.verify() == []
    (made[0].folder / "result.json").write_text("8")
    (made[1].folder / "result.json").unlink()
    (made[2].folder / "sums.jsonl").write_text("{]\n")
    problems = store.verify()
    assert len(problems) == 3
    assert all(any(str(run.folder) in problem for problem in problems) for run in made[:3])


def test_opening_removes_what_the_dead_left(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = """
import os, signal, sys
from pathlib import Path
from truescope.store import Store, new_file
store = Store.open(Path(sys.argv[1]))
run = store.run("trace", {"seed": 0})
with run.locked(), new_file(store.path / "x") as path, run.writing("big.bin") as temporary:
    path.write_bytes(b"half")
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)])
    assert done.returncode == -9
    assert len([p for p in tmp_path.rglob("*") if p.name.endswith(".tmp")]) == 2
    store = Store.open(tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.name.endswith(".tmp")] == []
    assert not store.run("trace", {"seed": 0}).finished and store.verify() == []
