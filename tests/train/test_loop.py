"""Killed runs go on bit for bit; Ctrl-C, full disks, damaged checkpoints and too little text are said."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import run_to_the_end
import torch
from exact import random_windows, relu_model
from safetensors.torch import load_file, save

from truescope.activations import Activations, harvest
from truescope.core import StoreError, TruescopeError, UsageError
from truescope.core.progress import Watcher
from truescope.train import Learner, TrainConfig, read_checkpoint, train_dictionary, training_sites
from truescope.train import checkpoints as checkpoints_module

CONFIG = TrainConfig(
    kind="transcoder", n_features=48, k=4, tokens=2000, batch=100, closed_loop=0.3, closed_loop_tokens=256,
    dead_after=500, checkpoint_every=5,
)  # fmt: skip


class Notes(Watcher):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def ready() -> tuple[Any, Activations, list[Any]]:
    model, windows = relu_model(), random_windows()
    return model, harvest(model, windows, training_sites(model, CONFIG)), windows


def run(ready: Any, config: TrainConfig = CONFIG, **more: Any) -> Learner:
    model, data, windows = ready
    return train_dictionary(model, config, data, windows, **more)


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("kind", "kills"), [("transcoder", [40]), pytest.param("clt", [20, 40], marks=pytest.mark.slow)]
)
def test_a_killed_run_ends_bit_for_bit_as_an_unbroken_one(kind: str, kills: list[int], tmp_path: Path) -> None:
    script = Path(run_to_the_end.__file__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    place = tmp_path / "b.safetensors"
    # The kill at step 40 falls into the closed-loop part (from step 36 of 60 on).
    for step in kills:
        command = [sys.executable, str(script), kind, str(place), str(tmp_path / "b"), str(step)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as broken:
            assert broken.stdout is not None and broken.stdout.readline() == f"at step {step}\n"
            broken.send_signal(signal.SIGKILL)
        assert broken.returncode == -signal.SIGKILL
        left = read_checkpoint(place, _inputs(place))
        assert left is not None and left.step == step // 7 * 7
    run_to_the_end.main(kind, str(place), str(tmp_path / "b"))
    run_to_the_end.main(kind, str(tmp_path / "a.safetensors"), str(tmp_path / "a"))
    a, b = load_file(tmp_path / "a"), load_file(tmp_path / "b")
    assert len(a) > 30 and same(a, b)


def _inputs(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header["__metadata__"]["truescope.checkpoint"])["inputs"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(ready: Any) -> None:
    first, second = run(ready).state(), run(ready).state()
    assert same(first, second)
    assert not same(first, run(ready, replace(CONFIG, seed=1)).state())


def test_ctrl_c_writes_a_checkpoint_and_says_how_to_go_on(ready: Any, tmp_path: Path) -> None:
    place, notes = tmp_path / "c.safetensors", Notes()

    class Impatient(Notes):
        def progress(self, stage: str, done: int, total: int) -> None:
            if done == 8:
                os.kill(os.getpid(), signal.SIGINT)

    impatient = Impatient()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(ready, checkpoint=place, watcher=impatient)
    assert signal.getsignal(signal.SIGINT) is before
    assert impatient.said == ["stopped after step 8 of 20; the same command goes on from there"]
    learner = run(ready, checkpoint=place, watcher=notes)
    assert notes.said == ["going on from step 8 of 20"]
    assert same(learner.state(), run(ready).state())


def test_a_full_disk_leaves_the_checkpoint_before(ready: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, real, calls = tmp_path / "c.safetensors", os.fsync, []

    def fills_up(handle: int) -> None:
        calls.append(handle)
        # A checkpoint takes two: its bytes, and its folder's names.
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fills_up)
    with pytest.raises(StoreError, match="disk full while writing"):
        run(ready, checkpoint=place)
    monkeypatch.setattr(os, "fsync", real)
    assert [p.name for p in tmp_path.iterdir()] == [place.name]
    notes = Notes()
    learner = run(ready, checkpoint=place, watcher=notes)
    assert notes.said == ["going on from step 5 of 20"] and same(learner.state(), run(ready).state())


def test_damaged_and_foreign_checkpoints_are_said(ready: Any, tmp_path: Path) -> None:
    place = tmp_path / "c.safetensors"
    run(ready, checkpoint=place)
    whole = place.read_bytes()
    for damage in (whole[:5], whole[: len(whole) // 2], whole[:-1], save({"x": torch.zeros(1)})):
        place.write_bytes(damage)
        with pytest.raises(StoreError, match="is damaged"):
            run(ready, checkpoint=place)
    place.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StoreError, match="was altered"):
        run(ready, checkpoint=place)
    place.write_bytes(whole)
    with pytest.raises(StoreError, match="belongs to another run"):
        run(ready, replace(CONFIG, seed=5), checkpoint=place)


def test_another_machine_or_thread_count_is_said(ready: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, notes = tmp_path / "c.safetensors", Notes()
    run(ready, checkpoint=place)
    here = checkpoints_module.environment()
    monkeypatch.setattr(checkpoints_module, "environment", lambda: {**here, "threads": 7})
    run(ready, checkpoint=place, watcher=notes)
    assert any("threads was 1, is 7" in said for said in notes.said)


def test_less_text_than_a_batch_is_said(ready: Any) -> None:
    with pytest.raises(UsageError, match=r"has 1,0\d\d tokens to train on, a batch has 5,000"):
        run(ready, replace(CONFIG, batch=5000))


def test_a_loss_that_explodes_is_said(ready: Any) -> None:
    with pytest.raises(TruescopeError, match=r"the loss of step \d+ is not finite"):
        run(ready, replace(CONFIG, lr=1e38, unit_decoder=False, warmup=0.0))


def test_the_log_has_every_part_of_the_loss(ready: Any) -> None:
    lines: list[Mapping[str, Any]] = []
    run(ready, log=lines.append)
    assert [line["step"] for line in lines] == [20]
    assert {"step", "tokens", "lr", "loss", "l0", "dead", "kl"} <= lines[0].keys() and len(lines[0]["loss"]) == 3
