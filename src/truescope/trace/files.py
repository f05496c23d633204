"""A graph on disk: a folder with ``graph.safetensors`` (numbers) and ``graph.json`` (words), whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from truescope.core.errors import GraphError, TruescopeError
from truescope.core.graphs import Graph, Node, NodeKind
from truescope.store.atomic import new_folder
from truescope.trace.attribute import UnitScores

TENSORS, WORDS = "graph.safetensors", "graph.json"
FORMAT = "truescope graph 1"
_KINDS = list(NodeKind)
_INTEGERS = ("layer", "position", "index")
_FLOATS = ("activation", "pre_activation", "influence", "probability")
_WORDS = ("constant", "label")
_EDGES = {"source": np.int32, "target": np.int32, "weight": np.float32}
_PLAIN = (
    "prompt", "tokens", "token_ids", "model_name", "model_hash", "dictionary", "n_layers", "closure_gap", "replacement",
    "completeness", "frozen", "left_out", "settings",
)  # fmt: skip


def save_graph(graph: Graph, folder: str | Path, units: UnitScores | None = None) -> Path:
    """Write a graph, and the scores of all units where they are given, as one folder; returns the folder.

    The folder is replaced as a whole: it holds these two files and nothing else.

    Raises:
        StoreError: the disk is full or the folder cannot be written; what was there stays.
    """
    folder = Path(folder)
    data = save(_tensors(graph, units))
    words: dict[str, Any] = {"format": FORMAT} | {name: getattr(graph, name) for name in _PLAIN}
    words["top_logits"] = [list(pair) for pair in graph.top_logits]
    words["nodes"] = {name: [getattr(node, name) for node in graph.nodes] for name in _WORDS}
    words["tensors_sha256"] = hashlib.sha256(data).hexdigest()
    words["words_sha256"] = _words_hash(words)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(folder) as temporary:
        (temporary / TENSORS).write_bytes(data)
        (temporary / WORDS).write_text(json.dumps(words, indent=1), encoding="ascii")
    return folder


def load_graph(folder: str | Path) -> Graph:
    """Read what `save_graph` wrote; the graph is the same, bit for bit.

    Raises:
        GraphError: a file is missing, cut short, changed, or not of this format.
    """
    return _read(Path(folder), _graph)


def load_units(folder: str | Path) -> UnitScores | None:
    """The scores of all units that were saved beside a graph, or None.

    Raises:
        GraphError: as `load_graph`.
    """
    return _read(Path(folder), lambda words, tensors: _units(tensors))


def _read(folder: Path, build: Any) -> Any:
    words, tensors = _words(folder), _data(folder)
    if hashlib.sha256(tensors).hexdigest() != words["tensors_sha256"]:
        raise _damaged(folder / TENSORS, "its bytes are not the ones graph.json was written with")
    try:
        return build(words, load(tensors))
    except TruescopeError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, SafetensorError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}") from error


def _data(folder: Path) -> bytes:
    try:
        return (folder / TENSORS).read_bytes()
    except OSError as error:
        raise _damaged(folder / TENSORS, str(error)) from error


def _words(folder: Path) -> dict[str, Any]:
    try:
        words = json.loads((folder / WORDS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(folder / WORDS, str(error)) from error
    if not isinstance(words, dict) or words.get("format") != FORMAT:
        found = words.get("format") if isinstance(words, dict) else type(words).__name__
        raise GraphError(
            f"{folder / WORDS} is not a graph of this version", why=f"its format is {found!r}, not {FORMAT!r}"
        )
    stated = words.pop("words_sha256", None)
    if stated != _words_hash(words) or "tensors_sha256" not in words:
        raise _damaged(folder / WORDS, "it was changed after it was written")
    return words


def _words_hash(words: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode("ascii")).hexdigest()


def _damaged(path: Path, why: str) -> GraphError:
    return GraphError(f"{path} is damaged or missing", why=why, fix="trace the prompt again")


def _tensors(graph: Graph, units: UnitScores | None) -> dict[str, np.ndarray]:
    tensors = {name: np.ascontiguousarray(getattr(graph, name), dtype) for name, dtype in _EDGES.items()}
    tensors["node.kind"] = np.array([_KINDS.index(node.kind) for node in graph.nodes], np.uint8)
    for name in _INTEGERS:
        tensors[f"node.{name}"] = np.array([getattr(node, name) for node in graph.nodes], np.int32)
    for name in _FLOATS:
        tensors[f"node.{name}"] = np.array([getattr(node, name) for node in graph.nodes], np.float64)
    if units is not None:
        for field in fields(units):
            tensors[f"units.{field.name}"] = np.ascontiguousarray(getattr(units, field.name))
    return tensors


def _graph(words: dict[str, Any], tensors: dict[str, np.ndarray]) -> Graph:
    columns: dict[str, list[Any]] = {"kind": [_KINDS[k] for k in tensors["node.kind"]]}
    columns |= {name: tensors[f"node.{name}"].tolist() for name in (*_INTEGERS, *_FLOATS)}
    columns |= {name: words["nodes"][name] for name in _WORDS}
    if len({len(column) for column in columns.values()}) != 1:
        raise ValueError("the nodes' columns differ in length")
    nodes = tuple(Node(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True))
    edges: dict[str, Any] = {name: tensors[name] for name in _EDGES}
    ends = np.concatenate([edges["source"], edges["target"]])
    if len(ends) and not 0 <= ends.min() <= ends.max() < len(nodes):
        raise ValueError("an edge ends at a node that is not there")
    plain: dict[str, Any] = {name: words[name] for name in _PLAIN}
    for name in ("tokens", "token_ids", "replacement", "completeness", "frozen"):
        plain[name] = tuple(plain[name])
    return Graph(**plain, **edges, nodes=nodes, top_logits=tuple((t, p) for t, p in words["top_logits"]))


def _units(tensors: dict[str, np.ndarray]) -> UnitScores | None:
    columns = {f.name: tensors[f"units.{f.name}"] for f in fields(UnitScores) if f"units.{f.name}" in tensors}
    return UnitScores(**columns) if columns else None
