"""A run's folder: what is written comes back, what was altered does not, and the manifest says what made it."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from truescope.core.errors import StoreError
from truescope.store import Run, Store, file_hash

INPUTS = {"seed": 0, "prompt": "36+59=", "model_hash": "ab" * 32, "data_hash": None, "settings": {"node_share": 0.8}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


@pytest.fixture
def run(store: Store) -> Run:
    return store.run("trace", INPUTS)


def test_the_same_inputs_give_the_same_folder(store: Store) -> None:
    run = store.run("trace", INPUTS)
    assert run.folder == store.path / "runs" / "trace" / run.id
    assert store.run("trace", dict(reversed(INPUTS.items()))).id == run.id
    assert store.run("trace", {**INPUTS, "seed": 1}).id != run.id
    assert store.run("judge", INPUTS).id != run.id
    assert not run.folder.exists()  # to ask for a run makes nothing


def test_everything_written_comes_back(run: Run) -> None:
    tensors = {
        "edges": np.arange(12, dtype=np.float32).reshape(3, 4).T,  # a view whose bytes lie in another order
        "count": np.array(7),
        "none": np.zeros((0, 5), dtype=np.int64),
        "kept": np.array([True, False]),
    }
    with run.locked():
        run.write_json("graph.json", {"tokens": ["36", "Σ"], "none": None, "share": 0.1})
        run.write_text("page.html", "<p>36+59 → 95</p>\n")
        run.write_bytes("deep/er/raw.bin", bytes(range(256)))
        run.write_tensors("graph.safetensors", tensors, metadata={"closure_gap": "1e-7"})
        with run.writing("other.npy") as path, path.open("wb") as file:
            np.save(file, tensors["edges"])
    assert run.read_json("graph.json") == {"tokens": ["36", "Σ"], "none": None, "share": 0.1}
    assert run.read_text("page.html") == "<p>36+59 → 95</p>\n"
    assert run.read_bytes("deep/er/raw.bin") == bytes(range(256))
    found = run.read_tensors("graph.safetensors")
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    np.testing.assert_array_equal(np.load(run.path("other.npy")), tensors["edges"])


def test_the_manifest_says_what_made_the_run(store: Store, run: Run) -> None:
    with run.locked():
        run.write_json("graph.json", [1])
        run.append_line("steps.jsonl", 1)
        run.finish({"n_nodes": 1})
    manifest = json.loads((run.folder / "manifest.json").read_bytes())
    assert manifest == run.manifest == store.find(run.id[:6]).manifest
    assert manifest["inputs"] == INPUTS and manifest["kind"] == "trace" and manifest["title"] == "36+59="
    assert manifest["summary"] == {"n_nodes": 1} and manifest["resumed"] == []
    assert {"python", "truescope", "torch", "transformers", "numpy"} <= manifest["versions"].keys()
    assert "commit" in manifest
    names = ("graph.json", "steps.jsonl")
    assert manifest["files"] == {name: file_hash(run.folder / name) for name in names}
    assert manifest["created"] <= manifest["finished"] and manifest["seconds"] >= 0


def test_a_run_goes_on_where_it_stopped(store: Store, run: Run) -> None:
    with pytest.raises(RuntimeError), run.locked():
        run.write_json("first.json", 1)
        run.append_line("steps.jsonl", {"step": 0})
        raise RuntimeError
    again = store.run("trace", INPUTS)
    assert not again.finished
    with again.locked():
        assert again.has("first.json") and not again.has("second.json")
        assert again.read_lines("steps.jsonl") == [{"step": 0}]
        again.write_json("second.json", 2)
        again.finish({})
    assert run.finished and len(run.manifest["resumed"]) == 1
    before = (run.folder / "manifest.json").read_bytes()
    with again.locked():  # to look at a finished run changes nothing
        assert again.finished
    assert (run.folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"[2]", lambda data: b""])
def test_an_altered_file_is_never_read(run: Run, damage) -> None:
    with run.locked():
        run.write_json("graph.json", [1])
        path = run.path("graph.json")
        path.write_bytes(damage(path.read_bytes()))
        for read in (run.read_json, run.read_bytes, run.path):
            with pytest.raises(StoreError, match=r"graph\.json is damaged") as caught:
                read("graph.json")
            assert str(run.folder) in caught.value.fix
        with pytest.raises(StoreError, match="is damaged"):
            run.finish({})
        assert not run.finished
        run.write_json("graph.json", [3])  # writing it anew repairs it
        run.finish({})
    assert run.read_json("graph.json") == [3]


def test_a_kill_between_the_sum_and_the_file_leaves_the_old_one_good(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with run.locked():
        run.write_json("graph.json", "old")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "replace", killed)
            run.write_json("graph.json", "new")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "replace", killed)
            run.write_json("never.json", "new")
        assert run.read_json("graph.json") == "old" and not run.has("never.json")
        run.finish({})
    assert list(run.manifest["files"]) == ["graph.json"]


def test_who_holds_the_lock_removes_what_another_machine_left(run: Run) -> None:
    left = run.folder / ".graph.json.00000000-1-0a1b2c3d.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    with run.locked():
        assert not left.exists()


def test_files_that_belong_together_appear_together(run: Run) -> None:
    with run.locked():
        for n in (2, 3):
            with run.writing_folder("graph") as folder:
                for i in range(n):
                    (folder / f"{i}.json").write_text(str(n))
                assert run.has("graph") == (n == 3)
        assert run.read_json("graph/2.json") == 3
        run.finish({})
    assert run.path("graph") == run.folder / "graph"
    (run.folder / "graph" / "1.json").unlink()
    with pytest.raises(StoreError, match="graph is damaged"):
        run.path("graph")


def test_a_journal_forgets_only_the_line_that_was_cut_off(run: Run) -> None:
    with run.locked():
        for i in range(3):
            run.append_line("steps.jsonl", {"step": i, "text": "x" * 5000})
        path = run.folder / "steps.jsonl"
        path.write_bytes(path.read_bytes() + b'{"step":3,"te')
        assert [line["step"] for line in run.read_lines("steps.jsonl")] == [0, 1, 2]
        run.append_line("steps.jsonl", {"step": 3})
        assert [line["step"] for line in run.read_lines("steps.jsonl")] == [0, 1, 2, 3]
        path.write_bytes(path.read_bytes() + b'{"cut')
        run.finish({})
        run.append_line("steps.jsonl", {"step": 4})
        assert len(run.read_lines("steps.jsonl")) == 5 and run.has("steps.jsonl")
        path.write_bytes(path.read_bytes().replace(b'"step":1', b'"step":9'))
        with pytest.raises(StoreError, match="is damaged"):
            run.read_lines("steps.jsonl")


def test_a_line_that_is_no_json_is_named(run: Run) -> None:
    with run.locked():
        run.append_line("steps.jsonl", 1)
        (run.folder / "steps.jsonl").write_bytes(b"1\n{]\n3\n")
        with pytest.raises(StoreError, match=r"line 2 of .*steps\.jsonl is damaged"):
            run.read_lines("steps.jsonl")
    assert run.read_lines("absent.jsonl") == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data.replace(b'"seed": 0', b'"seed": 1'),
        lambda data: data.replace(b'"n_nodes": 1', b'"n_nodes": 2'),
    ],
)
def test_a_damaged_manifest_is_named_with_the_way_out(store: Store, run: Run, damage) -> None:
    with run.locked():
        run.finish({"n_nodes": 1})
    path = run.folder / "manifest.json"
    path.write_bytes(damage(path.read_bytes()))
    for act in (lambda: run.manifest, lambda: store.find(run.id), lambda: run.locked().__enter__()):
        with pytest.raises(StoreError, match="manifest") as caught:
            act()
        assert str(path) in caught.value.what and str(run.folder) in caught.value.fix
    assert len(store.verify()) == 1


def test_a_manifest_of_another_run_is_no_manifest(store: Store, run: Run) -> None:
    other = store.run("trace", {"seed": 1})
    for one in (run, other):
        with one.locked():
            one.finish({})
    for name in ("manifest.json", "sums.jsonl"):
        (run.folder / name).write_bytes((other.folder / name).read_bytes())
    with pytest.raises(StoreError, match="is damaged") as caught:
        _ = run.manifest
    assert run.id in caught.value.why


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "",
        ".",
        "a//b",
        "a/",
        ".lock",
        "a\\b",
        "a\0b",
        "manifest.json",
        "Sums.jsonl",
        "n" * 300,
    ],
)
def test_a_name_cannot_leave_the_folder(run: Run, name: str) -> None:
    with run.locked():
        for act in (
            run.read_bytes,
            run.has,
            run.path,
            lambda n: run.write_bytes(n, b""),
            lambda n: run.append_line(n, 1),
        ):
            with pytest.raises(StoreError):
                act(name)
    assert {path.name for path in run.folder.iterdir()} == {".lock", "manifest.json", "sums.jsonl"}


def test_a_link_cannot_lead_out_either(run: Run, tmp_path: Path) -> None:
    with run.locked():
        (run.folder / "out").symlink_to(tmp_path)
        with pytest.raises(StoreError, match="leads out"):
            run.write_bytes("out/x", b"")
    assert not (tmp_path / "x").exists()


def test_misspelt_names_get_the_nearest_and_misuse_the_way(store: Store, run: Run) -> None:
    with run.locked():
        run.write_json("graph.json", 1)
        with pytest.raises(StoreError, match=r"did you mean graph\.json"):
            run.read_json("grahp.json")
        with pytest.raises(StoreError, match="journals"):
            run.write_json("steps.jsonl", 1)
        with pytest.raises(StoreError, match="journals"):
            run.append_line("graph.json", 1)
        with pytest.raises(StoreError, match="as tensors"):
            run.write_tensors("t.safetensors", {"x": np.array([object()])})
        with pytest.raises(StoreError, match=r"verdict\.json\.score is nan"):
            run.write_json("verdict.json", {"score": float("nan")})
    for act in (lambda: run.write_bytes("x", b""), lambda: run.finish({}), lambda: run.append_line("x.jsonl", 1)):
        with pytest.raises(StoreError, match="without its lock"):
            act()
    with pytest.raises(StoreError, match="no kind of run"):
        store.run("../trace", {})


def test_the_second_worker_waits_says_so_and_finds_it_done(store: Store) -> None:
    said: list[str] = []
    held, seen = threading.Event(), []

    def second() -> None:
        held.wait()
        mine = store.run("trace", INPUTS)
        with mine.locked(said.append):
            seen.append(mine.finished)

    worker = threading.Thread(target=second)
    worker.start()
    run = store.run("trace", INPUTS)
    with run.locked(), run.locked():  # one's own lock is no obstacle
        held.set()
        time.sleep(1.3)
        assert seen == []
        run.finish({})
    worker.join(5)
    assert seen == [True]
    assert len(said) == 1 and f"process {os.getpid()}" in said[0] and run.id in said[0]


def test_a_folder_deleted_while_one_waits_is_made_anew(store: Store) -> None:
    import shutil

    done: list[bool] = []

    def second() -> None:
        mine = store.run("trace", INPUTS)
        with mine.locked():
            mine.finish({})
        done.append(mine.finished)

    run = store.run("trace", INPUTS)
    with run.locked():
        worker = threading.Thread(target=second)
        worker.start()
        time.sleep(0.2)
        shutil.rmtree(run.folder)
    worker.join(5)
    assert done == [True] and run.finished
