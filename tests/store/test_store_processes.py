"""Real processes: killed at any moment, and two at once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from truescope.store import Store

# Writes step after step, over and over the same names; says so once a step is safe; goes on where it was killed.
WORKER = """
import hashlib, sys
from pathlib import Path
from truescope.store import Store

run = Store.open(Path(sys.argv[1])).run("work", {"seed": 0})
with run.locked():
    done = len(run.read_lines("steps.jsonl"))
    print("began", done, flush=True)
    for step in range(done, int(sys.argv[2])):
        data = hashlib.sha256(str(step).encode()).digest() * (1 + 3000 * (step % 4))
        run.write_bytes("last.bin", data)
        with run.writing_folder("pair") as folder:
            (folder / "a.bin").write_bytes(data)
            (folder / "b.bin").write_bytes(data)
        run.append_line("steps.jsonl", {"step": step})
        print("step", step, flush=True)
    run.finish({"n_steps": len(run.read_lines("steps.jsonl"))})
print("finished", flush=True)
"""


def start(script: str, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines_until(child: subprocess.Popen[str], enough: Callable[[str], bool]) -> list[str]:
    """What the child says until it has said enough."""
    assert child.stdout
    lines: list[str] = []
    for line in child.stdout:
        lines.append(line.strip())
        if enough(lines[-1]):
            break
    return lines


def end(child: subprocess.Popen[str], number: int) -> list[str]:
    """Send the signal, and return what the child had still said."""
    assert child.stdout and child.stderr
    child.send_signal(number)
    # Read through the same buffer as before: it may already hold lines that the pipe no longer has.
    rest, errors = child.stdout.read(), child.stderr.read()
    child.wait(timeout=30)
    child.stdout.close()
    child.stderr.close()
    assert errors == "" or errors.strip().endswith("KeyboardInterrupt"), errors
    return rest.split("\n")[:-1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_worker_that_is_killed_again_and_again_loses_nothing(tmp_path: Path, number: int) -> None:
    draw = random.Random(int(number))
    n_safe, began = 0, []
    for _ in range(6):
        child = start(WORKER, tmp_path, 10**6)
        said = lines_until(child, lambda line: line.startswith("step"))
        time.sleep(draw.uniform(0.0, 0.05))  # somewhere within a step
        said += end(child, number)
        assert child.returncode != 0
        began.append(int(said[0].split()[1]))
        assert began[-1] >= n_safe  # every step that was said to be safe is there
        n_safe = int(said[-1].split()[1]) + 1
        check_whole(tmp_path, n_safe)
    assert n_safe >= 6
    last, errors = start(WORKER, tmp_path, n_safe + 3).communicate(timeout=60)
    assert last.split()[-1] == "finished", errors
    run = Store.open(tmp_path).run("work", {"seed": 0})
    assert run.finished and run.manifest["summary"] == {"n_steps": n_safe + 3}
    assert len(run.manifest["resumed"]) == 6


def check_whole(path: Path, n_safe: int) -> None:
    """Every file that can be seen is whole, and all that was promised is there."""
    store = Store.open(path)
    assert store.verify() == []
    assert [p for p in path.rglob("*") if p.name.endswith(".tmp")] == []
    run = store.run("work", {"seed": 0})
    steps = [line["step"] for line in run.read_lines("steps.jsonl")]
    assert steps == list(range(len(steps))) and len(steps) in (n_safe, n_safe + 1)
    sizes = {32 * (1 + 3000 * i) for i in range(4)}
    assert len(run.read_bytes("last.bin")) in sizes
    if run.has("pair"):
        assert run.read_bytes("pair/a.bin") == run.read_bytes("pair/b.bin")
        assert sorted(p.name for p in run.path("pair").iterdir()) == ["a.bin", "b.bin"]


# All runs of all processes: some are one's own, some are everyone's.
CROWD = """
import sys
from pathlib import Path
from truescope.store import Store

worked = 0
for seed in range(int(sys.argv[3])):
    store = Store.open(Path(sys.argv[1]))
    for who in (sys.argv[2], "everyone"):
        run = store.run("crowd", {"seed": seed, "who": who})
        with run.locked():
            if not run.finished:
                worked += 1
                run.write_json("result.json", [seed] * 500)
                run.append_line("who.jsonl", sys.argv[2])
                run.finish({"seed": seed})
    assert len(store.runs(limit=-1)) >= seed + 1
print(worked)
"""


def test_processes_in_one_store_lose_nothing(tmp_path: Path) -> None:
    n_processes, n_runs = 3, 12
    children = [start(CROWD, tmp_path / "new", who, n_runs) for who in range(n_processes)]
    worked = 0
    for child in children:
        said, errors = child.communicate(timeout=120)
        assert child.returncode == 0 and errors == "", errors
        worked += int(said)
    assert worked == n_runs * (n_processes + 1)  # what is everyone's was done once
    store = Store.open(tmp_path / "new")
    rows = store.runs(limit=-1)
    assert len(rows) == n_runs * (n_processes + 1) and all(row.finished for row in rows)
    assert store.verify() == []
    for row in rows:
        assert len(store.find(row.id).read_lines("who.jsonl")) == 1


WRECKER = """
import sys, time
from pathlib import Path
path = Path(sys.argv[1]) / "catalogue.sqlite"
for _ in range(8):
    time.sleep(0.15)
    path.write_bytes(b"no database " * 1000)
"""


def test_a_catalogue_wrecked_under_working_processes_costs_no_run(tmp_path: Path) -> None:
    Store.open(tmp_path)
    children = [start(CROWD, tmp_path, who, 8) for who in range(2)]
    wrecker = start(WRECKER, tmp_path)
    for child in [*children, wrecker]:
        _, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors
    store = Store.open(tmp_path)
    assert store.verify() == []
    rows = store.runs(limit=-1)
    assert len(rows) == 24 and all(row.finished for row in rows)


def test_importing_the_store_imports_nothing_heavy(tmp_path: Path) -> None:
    script = """
import json, sys
from pathlib import Path
from truescope.store import Store
run = Store.open(Path(sys.argv[1])).run("trace", {"seed": 0})
with run.locked():
    run.finish({})
print(json.dumps(sorted({"torch", "numpy", "safetensors", "jaxtyping", "transformers"} & sys.modules.keys())))
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
