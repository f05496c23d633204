"""Bad input and bad luck, from the command line: one clear error each, and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from truescope.cli.main import main
from truescope.store import Store
from truescope.truth.addition import ADDITION_FOLDER

SOURCE = Path(sys.modules["truescope"].__file__ or "").parents[1]
LOADED = re.compile(r"<(script|link|img|iframe)[^>]*(src|href)=.https?:")


def no_tokenizer(folder: Path) -> None:
    for path in folder.glob("token*"):
        path.unlink()


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def truncated(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 1000)


def cut_by_a_byte(folder: Path) -> None:
    weights = folder / "model.safetensors"
    os.truncate(weights, weights.stat().st_size - 1)


def one_nan(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][5] = torch.nan
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def another_architecture(folder: Path) -> None:
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | {"model_type": "lama"}))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (no_tokenizer, "has no tokenizer"),
        (no_weights, "has no weights"),
        (truncated, "is truncated"),
        (cut_by_a_byte, "is truncated"),
        (one_nan, "model.norm.weight (1 of 96 entries)"),
        (no_json, "cannot be read as JSON"),
        (another_architecture, "lama"),
        (shutil.rmtree, "there is no model folder"),
    ],
)
def test_a_damaged_model(
    damage: Callable[[Path], None], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models" / "mine"
    shutil.copytree(ADDITION_FOLDER, folder)
    damage(folder)
    assert main(["trace", "36+59=", "--model", str(folder), "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and says in printed.err and "fix: " in printed.err and "Traceback" not in printed.err
    assert Store.open().runs() == []


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["1+" * 30 + "1="], 1, "the model's context"),
        (["36+59=\x01"], 1, "cannot read"),
        (["999+1="], 1, "'999'"),
        ([" \n\t"], 1, "the prompt is empty"),
        (["36+59=", "--probability", "nan"], 2, "probability is nan"),
        (["36+59=", "--node-threshold", "inf"], 2, "node_threshold is inf"),
        (["36+59=", "--edge-threshold", "0"], 2, "edge_threshold is 0"),
        (["36+59=", "--max-targets", "0"], 2, "0 logits"),
        (["36+59=", "--max-units", "-1"], 2, "-1 units"),
        (["36+59=", "--port", "70000"], 2, "65535"),
        (["36+59=", "--port", "-1"], 2, ">= 0"),
        (["36+59=", "--port", "http"], 2, "--port"),
    ],
)
def test_a_trace_that_cannot_be(words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", *words, "--json"]) == status
    printed = capsys.readouterr()
    assert printed.out == "" and says in printed.err and "Traceback" not in printed.err
    assert not list(Store.open().path.glob("runs/*/*/graph"))


def traced(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert main(["trace", "36+59=", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("call", [2, 9, 16])
def test_a_full_disk_loses_nothing(
    call: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk is full at the ``call``-th time that something must be on it; afterwards there is room again."""
    fsync, calls = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= call:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert main(["trace", "36+59=", "--json"]) == 1
    printed = capsys.readouterr()
    assert "disk full while writing" in printed.err and "fix: free some space" in printed.err and printed.out == ""
    assert traced(capsys)["answer"] == "95"
    assert Store.open().verify() == []


def test_a_store_that_is_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"x")
    for place, says in (("photos", "is not a store"), ("photos/one.jpg", "is a file"), ("/proc/none", "cannot write")):
        monkeypatch.setenv("TRUESCOPE_HOME", str(tmp_path / place))
        assert main(["trace", "36+59=", "--json"]) == 1
        assert says in (said := capsys.readouterr().err) and "TRUESCOPE_HOME" in said
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["one.jpg"]


def truescope(*words: str, **streams: object) -> subprocess.Popen[str]:
    call = [sys.executable, "-m", "truescope", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SOURCE)}
    return subprocess.Popen(call, env=environment, text=True, **streams)  # type: ignore[call-overload]


def test_two_processes_on_one_store_compute_once() -> None:
    pair = [truescope("trace", "36+59=", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    # One of the two computed it, and both print what that one wrote.
    assert answers[0] == answers[1]
    assert Store.open().verify() == [] and len(Store.open().runs()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal_the_page_is_served_on_the_next_free_port_until_ctrl_c(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import pty

    traced(capsys)
    with socket.socket() as blocker:
        blocker.bind(("127.0.0.1", 0))
        blocker.listen()
        port = blocker.getsockname()[1]
        terminal, inside = pty.openpty()
        serving = truescope("serve", "--no-browser", "--port", str(port), stdin=inside, stdout=inside, stderr=inside)
        os.close(inside)
        said = _read_until(terminal, "Ctrl-C")
        url = re.search(r"http://\S+", said)
        assert f"port {port} is taken: using" in said and url is not None and str(port) not in url[0]
        with urllib.request.urlopen(url[0], timeout=20) as answer:
            assert b"<title>truescope</title>" in answer.read()
        serving.send_signal(signal.SIGINT)
        assert "shows the page again" in _read_until(terminal, "again")
        assert serving.wait(timeout=30) == 130
        os.close(terminal)


def _read_until(terminal: int, word: str) -> str:
    text = ""
    while word not in text:
        try:
            part = os.read(terminal, 4096).decode()
        except OSError:  # the other side has closed it
            break
        if not part:
            break
        text += part
    return text


def test_on_no_terminal_the_page_is_one_file_and_nothing_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "36+59=", "--no-browser"]) == 0
    said = capsys.readouterr().out
    page = Path(said.split("the page: file://")[1].strip())
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and "36+59=" in text and not LOADED.search(text)
