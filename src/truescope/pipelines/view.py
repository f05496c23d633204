"""The one record that a page shows of a run: the graph, the groups, the verdicts, and where they come from.

``view.json`` holds what is always visible, ``units.json`` ("layer/index" → evidence) what is looked at unit by unit.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from truescope.core.features import Evidence, Feature
from truescope.core.graphs import Graph, Node, NodeKind


def graph_facts(graph: Graph) -> dict[str, Any]:
    """The graph's sizes and scores, as ``--json`` prints them."""
    return {
        "n_nodes": graph.n_nodes,
        "n_edges": graph.n_edges,
        "closure_gap": graph.closure_gap,
        "replacement": list(graph.replacement),
        "completeness": list(graph.completeness),
    }


def top_logits(graph: Graph) -> list[dict[str, Any]]:
    """The likeliest next tokens."""
    return [{"token": token, "probability": probability} for token, probability in graph.top_logits]


def build_view(
    graph: Graph,
    *,
    title: str,
    family: str,
    run: Mapping[str, Any],
    seconds: Mapping[str, float],
    names: Mapping[Feature, str] | None = None,
    group_of: Mapping[Feature, str] | None = None,
    groups: Sequence[Mapping[str, Any]] = (),
    claims: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """What the page shows of a traced prompt; ``groups`` and ``claims`` are empty where nothing was judged."""
    answer, probability = graph.top_logits[0]
    return {
        "title": title,
        "prompt": graph.prompt,
        "answer": answer,
        "probability": probability,
        "model": {"name": graph.model_name, "hash": graph.model_hash, "family": family},
        "dictionary": graph.dictionary,
        "tokens": list(graph.tokens),
        "n_layers": graph.n_layers,
        "top_logits": top_logits(graph),
        "graph": {
            **graph_facts(graph),
            "left_out": dict(graph.left_out),
            "frozen": list(graph.frozen),
            "nodes": [_node(node, names or {}, group_of or {}, len(graph.tokens) - 1) for node in graph.nodes],
            "edges": _edges(graph),
        },
        "groups": [dict(group) for group in groups],
        "claims": [dict(claim) for claim in claims],
        "run": dict(run),
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
    }


def _node(node: Node, names: Mapping[Feature, str], group_of: Mapping[Feature, str], last: int) -> dict[str, Any]:
    record = {"id": node.id, **asdict(node), "kind": node.kind.value, "group": None}
    if node.kind is NodeKind.UNIT:
        feature = Feature(node.layer, node.index)
        record["label"] = names.get(feature) or node.label or str(feature)
        # Groups are made of what units do at the last position; elsewhere the same unit may do something else.
        record["group"] = group_of.get(feature) if node.position == last else None
    return record


def _edges(graph: Graph) -> list[dict[str, Any]]:
    """Each edge with its share of what its target receives (|w| over the kept edges into the target)."""
    size = np.abs(graph.weight)
    received = np.bincount(graph.target, weights=size, minlength=graph.n_nodes)
    share = size / np.maximum(received[graph.target], 1e-30)
    order = np.argsort(-size, kind="stable")
    return [
        {
            "source": int(graph.source[i]),
            "target": int(graph.target[i]),
            "weight": float(graph.weight[i]),
            "share": round(float(share[i]), 6),
        }
        for i in order
    ]


def build_unit(evidence: Evidence, group: str | None, operands: tuple[str, str] | None = None) -> dict[str, Any]:
    """One unit's panel; ``operands`` names the rows and columns of its operand plot."""
    return {
        "layer": evidence.feature.layer,
        "index": evidence.feature.index,
        "name": evidence.name,
        "n": evidence.n,
        "density": evidence.density,
        "dependence": {name: round(float(share), 4) for name, share in evidence.dependence.items()},
        "group": group,
        "operand_plot": None if evidence.operand_plot is None else quantised(evidence.operand_plot, operands),
        "examples": [asdict(example) for example in evidence.examples],
        "promoted": [[token, round(float(weight), 5)] for token, weight in evidence.promoted],
        "suppressed": [[token, round(float(weight), 5)] for token, weight in evidence.suppressed],
    }


def quantised(plot: Any, operands: tuple[str, str] | None) -> dict[str, Any]:
    """A plot as one byte a cell: value = byte · scale + offset, row-major; rows are the first operand (y)."""
    values = np.asarray(plot, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    scale = (high - low) / 255 or 1.0
    cells = np.rint((values - low) / scale).astype(np.uint8)
    y_label, x_label = operands or ("first operand", "second operand")
    return {
        "x": list(range(values.shape[1])),
        "y": list(range(values.shape[0])),
        "x_label": x_label,
        "y_label": y_label,
        "values": base64.b64encode(cells.tobytes()).decode(),
        "scale": scale,
        "offset": low,
    }
