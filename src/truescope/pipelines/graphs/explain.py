"""Explaining nodes of a named or a user's network, all in one call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from truescope.core.config import data_folder
from truescope.core.progress import Watcher
from truescope.core.wording import counted
from truescope.gnn import find_subject
from truescope.gnn.explainers import Attributions, explainer
from truescope.gnn.networks import Subject


def run_explain(
    name: str,
    method: str,
    nodes: Sequence[int] | None,
    kind: str,
    n_features: int,
    data: Path | None,
    seed: int,
    watcher: Watcher,
) -> dict[str, Any]:
    """Load, explain, and list what counts most; see `gnn_explain`."""
    chosen = explainer(method)
    with watcher.stage("load") as said:
        subject, facts = find_subject(name, data or data_folder(), kind=kind, seed=seed)
        said["text"] = (
            f"Loaded {facts['subject']}: {counted(subject.n_nodes, 'node')}, {counted(subject.n_arcs, 'arc')}"
        )
    if subject.constant and subject.n_nodes > 1:
        watcher.note("The model gives every node the same output: there is nothing to explain.")
    began = time.perf_counter()
    with watcher.stage("explain") as said:
        found = chosen.call(subject, None if nodes is None else list(nodes), seed)
        said["text"] = f"Explained {counted(len(found.nodes), 'node')} with {method}"
    return {
        "subject": facts,
        "explainer": method,
        "seed": seed,
        "seconds": time.perf_counter() - began,
        "scored": list(found.scored),
        "notes": list(found.notes),
        "nodes": [_node(subject, found, place, n_features) for place in range(len(found.nodes))],
    }


def _node(subject: Subject, found: Attributions, place: int, n: int) -> dict[str, Any]:
    node = int(found.nodes[place])
    # A model with one output has no classes: what is explained is that output.
    several = subject.outputs.shape[1] > 1
    target = int(found.classes[place])
    parts: dict[str, Any] = {"node": node, "class": target if several else None}
    parts["output"] = float(subject.outputs[node, target])
    if found.features is not None:
        parts["features"] = _top(found.features[place], subject.feature_names, n)
    if found.by_node is not None:
        parts["nodes"] = _top(found.by_node[place], None, n)
    if found.arcs is not None:
        sources, targets = subject.edge_index.numpy()
        names = [f"{a} → {b}" for a, b in zip(sources, targets, strict=True)]
        parts["arcs"] = _top(found.arcs[place], names, n)
    return parts


def _top(scores: np.ndarray, names: Sequence[str] | None, n: int) -> list[dict[str, Any]]:
    order = [i for i in np.argsort(-scores, kind="stable")[:n] if scores[i] != 0]
    return [{"name": names[i] if names else str(i), "score": float(scores[i])} for i in order]
