"""A checkpoint: one safetensors file, there whole or not at all, with what it belongs to in its header.

A run that goes on from it is bit-exact on the same machine with the same torch and thread count; these stand in it,
and where they differ it is said. The order of the data is a function of seed and step, so the step is its state.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from truescope.core.errors import StoreError
from truescope.core.ids import canonical_json
from truescope.store import write_atomic

_KEY = "truescope.checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """The state after ``step`` steps of the run that ``inputs`` describe, and where it was made."""

    step: int
    inputs: Mapping[str, Any]
    environment: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def environment() -> dict[str, Any]:
    """What bit-exactness depends on besides the inputs."""
    return {
        "machine": f"{platform.node()} {platform.machine()} {_processor()}".strip(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def differences(then: Mapping[str, Any]) -> list[str]:
    """What has changed since a checkpoint was made, each as "torch was 2.12, is 2.13"."""
    now = environment()
    return [f"{name} was {then.get(name)}, is {now[name]}" for name in now if then.get(name) != now[name]]


def write_checkpoint(path: Path, step: int, inputs: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Put a checkpoint at ``path`` in one piece.

    Raises:
        StoreError: the disk is full or the folder cannot be written; an older checkpoint is then untouched.
    """
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    digest = hashlib.sha256()
    for name in sorted(flat):
        digest.update(name.encode() + flat[name].numpy().tobytes())
    record = {"step": step, "inputs": dict(inputs), "environment": environment(), "sha256": digest.hexdigest()}
    write_atomic(path, save(flat, metadata={_KEY: canonical_json(record)}))


def read_checkpoint(path: Path, inputs: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint at ``path``, None where there is none.

    Raises:
        StoreError: it is truncated or altered, or belongs to another run.
    """
    if not path.is_file():
        return None
    again = f"delete {path} to begin the run again"
    try:
        data = path.read_bytes()
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        record = json.loads(header["__metadata__"][_KEY])
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise StoreError(f"the checkpoint {path} is damaged", why=str(error), fix=again) from error
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].numpy().tobytes())
    if digest.hexdigest() != record["sha256"]:
        raise StoreError(f"the checkpoint {path} was altered", why="its SHA-256 is another", fix=again)
    if canonical_json(record["inputs"]) != canonical_json(dict(inputs)):
        changed = [key for key in inputs if record["inputs"].get(key) != inputs[key]]
        raise StoreError(
            f"the checkpoint {path} belongs to another run", why=f"other {', '.join(changed) or 'inputs'}", fix=again
        )
    return Checkpoint(record["step"], record["inputs"], record["environment"], tensors)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
