"""One explainer on one cell: how often what the white box uses outranks what it does not, node by node.

Features for every explainer, arcs for those that score them. Gradients and integrated gradients of both are one
explanation, as published; the relevance of arcs is that of the walks along them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from truescope.core.errors import UsageError, nearest
from truescope.gnn.benchmark.arcs import ArcTruth, Areas
from truescope.gnn.benchmark.cells import Cell
from truescope.gnn.explainers import (
    Attributions,
    arc_integrated_gradients,
    arc_saliency,
    deconvolution,
    degree_scores,
    gnn_explainer,
    graphlime,
    integrated_gradients,
    lrp,
    oracle_scores,
    published_lrp,
    random_scores,
    walk_relevance,
)
from truescope.gnn.networks import Subject
from truescope.gnn.whiteboxes import Instance, WhiteBox
from truescope.judge.axioms import outranking

Entry = Callable[[Subject, Instance], Attributions]


def _both(features: Attributions, arcs: Attributions) -> Attributions:
    return replace(features, arcs=arcs.arcs)


def _oracle(s: Subject, i: Instance) -> Attributions:
    assert isinstance(s.model, WhiteBox)  # the benchmark explains nothing else
    found = oracle_scores(s, i.nodes, i.used)
    return replace(found, arcs=ArcTruth.of(i, s.model.hops).walks.astype(np.float64))


PUBLISHED: Mapping[str, Entry] = {
    "deconvolution": lambda s, i: _both(deconvolution(s, i.nodes), arc_saliency(s, i.nodes)),
    "integrated_gradients": lambda s, i: _both(
        integrated_gradients(s, i.nodes), arc_integrated_gradients(s, i.nodes, with_features=True)
    ),
    "published_lrp": lambda s, i: published_lrp(s, i.nodes),
    "gnn_explainer": lambda s, i: gnn_explainer(s, i.nodes, epochs=1000, version="published", seed=i.seed),
    "graphlime": lambda s, i: graphlime(s, i.nodes),
}
"""The five published explainers, as they were run."""
ADDED: Mapping[str, Entry] = {
    "lrp_epsilon": lambda s, i: _both(lrp(s, i.nodes), walk_relevance(s, i.nodes, rule="epsilon")),
    "random": lambda s, i: random_scores(s, i.nodes, seed=i.seed),
    "degree": lambda s, i: degree_scores(s, i.nodes),
    "oracle": _oracle,
}
"""What is run beside them: relevance with its rule on every step, chance, frequency and degree, and the truth."""
ENTRIES: Mapping[str, Entry] = {**PUBLISHED, **ADDED}
"""Every entry of the benchmark by name."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One explainer on one cell. ``area`` is each node's ROC-AUC of the scores against the important features.

    ``applies`` is false for a node for which no feature can matter (no important walk leads to it): its area is ½ by
    convention in the published numbers, and is never averaged in by ours. ``arcs`` holds the measures of arcs, NaN
    where they do not apply, or nothing where the explainer scores no arcs. ``seconds`` are those of the processor.
    """

    cell: Cell
    explainer: str
    nodes: Int[np.ndarray, " n_targets"]
    area: Float[np.ndarray, " n_targets"]
    classes: Int[np.ndarray, " n_targets"]
    applies: Bool[np.ndarray, " n_targets"]
    used: Bool[np.ndarray, " n_features"]
    seconds: float
    arcs: Areas = field(default_factory=dict)

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
            "arcs": {name: [None if np.isnan(a) else float(a) for a in areas] for name, areas in self.arcs.items()},
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
            {name: np.array(areas, dtype=float) for name, areas in record["arcs"].items()},
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
    truth, found = ArcTruth.of(instance, model.hops), []
    for name in names:
        began = time.process_time()
        scores = ENTRIES[name](subject, instance)
        seconds = time.process_time() - began
        assert scores.features is not None  # every explainer of the benchmark scores features
        area = outranking(np.abs(scores.features), instance.used)
        arcs = {} if scores.arcs is None else truth.areas(np.abs(scores.arcs))
        used, nodes = instance.used, instance.nodes
        found.append(Measured(cell, name, nodes, area, scores.classes, applies, used, seconds, arcs))
    return found
