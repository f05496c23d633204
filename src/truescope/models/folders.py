"""A local folder that should hold a model, checked before transformers sees it: configuration, shards, whole files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from truescope.core.errors import ModelError, nearest

_SINGLE = ("model.safetensors", "pytorch_model.bin")


def is_path(text: str) -> bool:
    """Whether a text can only mean a folder: a hub name has at most one slash, and nothing before it lies here."""
    path = Path(text)
    if path.is_absolute() or text.startswith((".", "~")) or text.endswith(("/", os.sep)) or "\\" in text:
        return True
    return len(path.parts) > 2 or path.is_file() or (len(path.parts) == 2 and path.parent.is_dir())


def siblings(folder: Path) -> str:
    """The nearest folders beside a folder that is not there."""
    parent = folder.parent
    if not parent.is_dir():
        return f"the folder above, {parent}, does not exist either"
    names = sorted(child.name for child in parent.iterdir() if child.is_dir())
    near = nearest(folder.name, names)
    if near:
        return f"in {parent}, {near}"
    return f"{parent} has the folders {', '.join(names[:8])}" if names else f"{parent} has no folders in it"


def no_folder(folder: Path) -> ModelError:
    """What to say of a path that is no folder."""
    if folder.is_file():
        return ModelError(
            f"{str(folder)!r} is a file", why="a model is a folder", fix=f"name the folder: {str(folder.parent)!r}"
        )
    return ModelError(f"there is no model folder {str(folder)!r}", fix=siblings(folder))


def check_folder(folder: Path) -> None:
    """See that a folder has a configuration and whole weight files.

    Raises:
        ModelError: one is missing or damaged; it is named.
    """
    config = folder / "config.json"
    if not config.is_file():
        inner = [child.parent.name for child in folder.glob("*/config.json")]
        raise ModelError(
            f"the folder {str(folder)!r} is no model: it has no config.json",
            why=f"it has {', '.join(sorted(child.name for child in folder.iterdir())[:8]) or 'nothing in it'}",
            fix=f"name a folder in it: {', '.join(inner[:5])}" if inner else "name a folder saved by save_pretrained",
        )
    _read_json(config)
    for index in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        if (folder / index).is_file():
            _check_files(folder, _shards(folder / index), why=f"{index} names it")
            return
    present = [name for name in _SINGLE if (folder / name).is_file()]
    if not present:
        raise ModelError(
            f"the folder {str(folder)!r} has no weights",
            why="there is no model.safetensors, no index of shards, and no pytorch_model.bin",
            fix="copy the weights beside config.json",
        )
    _check_files(folder, present[:1], why="it holds the weights")


def _shards(index: Path) -> list[str]:
    names = _read_json(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise ModelError(f"{str(index)!r} names no files of weights", fix="fetch the file again")
    return sorted(set(names.values()))


def _check_files(folder: Path, names: list[str], why: str) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise ModelError(f"the folder {str(folder)!r} has no {name}", why=why, fix="fetch the file again")
        if name.endswith(".safetensors"):
            check_safetensors(folder / name)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ModelError(f"{str(path)!r} cannot be read as JSON", why=str(error), fix="fetch the file again") from error
    if not isinstance(record, dict):
        raise ModelError(f"{str(path)!r} is not a JSON object", fix="fetch the file again")
    return record


def check_safetensors(path: Path) -> None:
    """See that a safetensors file is whole: its header is JSON and its data is as long as the header says.

    Raises:
        ModelError: the file is damaged or truncated.
    """
    damaged = ModelError(f"{str(path)!r} is damaged", why="it has no safetensors header", fix="fetch the file again")
    size = path.stat().st_size
    with path.open("rb") as file:
        n_header = int.from_bytes(file.read(8), "little")
        if size < 8 or n_header > size - 8:
            raise damaged if n_header > 100_000_000 or size < 8 else _truncated(path, size, 8 + n_header)
        try:
            header = json.loads(file.read(n_header))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise damaged from error
    expected = 8 + n_header + max(ends, default=0)
    if size < expected:
        raise _truncated(path, size, expected)


def _truncated(path: Path, size: int, expected: int) -> ModelError:
    return ModelError(
        f"{str(path)!r} is truncated",
        why=f"it has {size:,} bytes of {expected:,} or more",
        fix="fetch the file again; a broken download or a full disk leaves such files",
    )
