"""One explainer on one cell: how often what the white box uses outranks what it does not, node by node."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from truescope.core.errors import UsageError, nearest
from truescope.gnn.benchmark.cells import Cell
from truescope.gnn.explainers import (
    Attributions,
    deconvolution,
    gnn_explainer,
    graphlime,
    integrated_gradients,
    lrp,
    oracle_scores,
    published_lrp,
    random_scores,
)
from truescope.gnn.networks import Subject
from truescope.gnn.whiteboxes import Instance
from truescope.judge.axioms import outranking

Entry = Callable[[Subject, Instance], Attributions]

PUBLISHED: Mapping[str, Entry] = {
    "deconvolution": lambda s, i: deconvolution(s, i.nodes),
    "integrated_gradients": lambda s, i: integrated_gradients(s, i.nodes),
    "published_lrp": lambda s, i: published_lrp(s, i.nodes),
    "gnn_explainer": lambda s, i: gnn_explainer(s, i.nodes, epochs=1000, version="published", seed=i.seed),
    "graphlime": lambda s, i: graphlime(s, i.nodes),
}
"""The five published explainers, as they were run."""
ADDED: Mapping[str, Entry] = {
    "lrp_epsilon": lambda s, i: lrp(s, i.nodes),
    "random": lambda s, i: random_scores(s, i.nodes, seed=i.seed),
    "oracle": lambda s, i: oracle_scores(s, i.nodes, i.used),
}
"""What is run beside them: relevance with its rule on every step, chance, and the truth."""
ENTRIES: Mapping[str, Entry] = {**PUBLISHED, **ADDED}
"""Every entry of the benchmark by name."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One explainer on one cell. ``area`` is each node's ROC-AUC of the scores against the important features.

    ``applies`` is false for a node for which no feature can matter (no important walk leads to it): its area is ½ by
    convention in the published numbers, and is never averaged in by ours. ``seconds`` are those of the processor.
    """

    cell: Cell
    explainer: str
    nodes: Int[np.ndarray, " n_targets"]
    area: Float[np.ndarray, " n_targets"]
    classes: Int[np.ndarray, " n_targets"]
    applies: Bool[np.ndarray, " n_targets"]
    used: Bool[np.ndarray, " n_features"]
    seconds: float

    def record(self) -> dict[str, Any]:
        """One line of the journal."""
        return {
            "cell": self.cell.id,
            "explainer": self.explainer,
            "nodes": self.nodes.tolist(),
            "area": self.area.tolist(),
            "classes": self.classes.tolist(),
            "applies": self.applies.astype(int).tolist(),
            "used": self.used.astype(int).tolist(),
            "seconds": round(self.seconds, 4),
        }

    @classmethod
    def read(cls, record: Mapping[str, Any], cell: Cell) -> Measured:
        """The line back."""
        return cls(
            cell,
            record["explainer"],
            np.array(record["nodes"]),
            np.array(record["area"]),
            np.array(record["classes"]),
            np.array(record["applies"], dtype=bool),
            np.array(record["used"], dtype=bool),
            record["seconds"],
        )


def measure(cell: Cell, names: tuple[str, ...], folder: Path | None) -> list[Measured]:
    """Run the named explainers on one cell.

    Raises:
        UsageError: no such explainer, or data that are not there.
    """
    for name in names:
        if name not in ENTRIES:
            raise UsageError(
                f"the benchmark has no explainer {name!r}", fix=nearest(name, ENTRIES) or f"one of {', '.join(ENTRIES)}"
            )
    instance = cell.instance(folder)
    model = cell.model(instance)
    subject = Subject(model, instance.x, instance.edge_index)
    applies = model.sees_features(instance.edge_index, subject.n_nodes)[instance.nodes]
    found = []
    for name in names:
        began = time.process_time()
        scores = ENTRIES[name](subject, instance)
        seconds = time.process_time() - began
        assert scores.features is not None  # every explainer of the benchmark scores features
        area = outranking(np.abs(scores.features), instance.used)
        found.append(Measured(cell, name, instance.nodes, area, scores.classes, applies, instance.used, seconds))
    return found
