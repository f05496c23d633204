"""Every method's scores of the edges, nodes and attention choices of one prompt, and how they rank the truth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from truescope.core.graphs import Graph, NodeKind
from truescope.core.sites import Site
from truescope.judge import edge_outranking, path_recall, retrieval, sign_agreement
from truescope.judge.axioms import outranking
from truescope.models import Model
from truescope.pipelines.calibration.known import NEGLIGIBLE, TRUTHS, Frame, Prompt, UnitOf, is_candidate, renamed
from truescope.trace import Choice, DirectEffects, Glance, attribute_choices, trace_graph
from truescope.trace.patching import (
    EdgeScores,
    LogitMetric,
    Nodes,
    SourceBaseline,
    integrated_gradients,
    live_effects,
    node_gradients,
    node_values,
    replacement_effects,
    restoration_effects,
)

Row = dict[str, Any]
"""One number: level, method, truth, metric, value (None where it does not apply)."""
STEPS = 10
"""Steps of every integrated path."""


def row(level: str, method: str, truth: str, metric: str, value: float) -> Row:
    """A number with its names."""
    return {
        "level": level,
        "method": method,
        "truth": truth,
        "metric": metric,
        "value": None if math.isnan(value) else float(value),
    }


def edge_matrices(
    effects: DirectEffects, frame: Frame, *, graphs_only: bool = False
) -> dict[str, Float[np.ndarray, "targets sources"]]:
    """Every method's score of every edge: from a graph alone, and (not with ``graphs_only``) from the metric."""
    found = {
        "frozen graph": effects.weight.astype(np.float64),
        "frozen graph, influence": effects.influence()[1],
        "live effects": live_effects(effects),
    }
    if graphs_only:
        return found
    prompt, only = frame.prompt, frame.shared(effects)
    scores = EdgeScores(effects, LogitMetric(torch.tensor([prompt.target]), demean=True))
    zero = SourceBaseline.zero(effects)
    corrupt, other = (SourceBaseline.values_at(effects, ids[None]) for ids in (prompt.corrupt, prompt.other))
    mean = SourceBaseline.values_at(effects, torch.stack([prompt.tokens, prompt.corrupt, prompt.other]))
    return found | {
        "gradient": scores.gradient(),
        "gradient × input": scores.times_input(),
        "attribution patching": scores.attribution(corrupt),
        "integrated gradients": scores.integrated(corrupt, STEPS),
        "activation patching": scores.patched(corrupt, only),
        "zero ablation": scores.patched(zero, only),
        "mean ablation": scores.patched(mean, only),
        "resample ablation": scores.patched(other, only),
    }


def edge_rows(frame: Frame, matrices: Mapping[str, np.ndarray]) -> Iterator[Row]:
    """AUROC against each truth, and agreement of signs with the true direct effects, of aligned matrices."""
    for method, matrix in matrices.items():
        for truth in TRUTHS:
            candidates = frame.among(truth)
            area = edge_outranking(matrix, frame.edges(truth) & candidates, candidates)
            yield row("edge", method, truth, "auroc", area)
        yield row(
            "edge", method, "direct", "sign agreement", sign_agreement(matrix, frame.weight, frame.edges("direct"))
        )


def pruned_rows(frame: Frame, graph: Graph, unit_of: UnitOf | None = None) -> Iterator[Row]:
    """Precision and recall of the pruned graph's units and edges, and the recall of whole paths, on the value path."""
    ids = [renamed(node, unit_of) for node in graph.nodes]
    shown = [is_candidate(node) or node.kind is NodeKind.LOGIT for node in graph.nodes]
    edges = {(ids[s], ids[t]) for s, t in zip(graph.source.tolist(), graph.target.tolist(), strict=True) if shown[s]}
    true = _ids(frame, frame.edges("value path"))
    units = {node_id for node_id, node in zip(ids, graph.nodes, strict=True) if node.kind is NodeKind.UNIT}
    true_units = {node.id for node in frame.prompt.truth.nodes if node.kind == "unit" and node.on_value_path}
    starts = {node.id for node in frame.effects.sources if is_candidate(node) and node.kind is not NodeKind.UNIT}
    for level, found in (("edge", retrieval(edges, true)), ("unit", retrieval(units, true_units))):
        yield row(level, "pruned graph", "value path", "precision", found.precision)
        yield row(level, "pruned graph", "value path", "recall", found.recall)
    recall = path_recall(edges, true, starts, list(frame.prompt.truth.targets))
    yield row("path", "pruned graph", "value path", "recall", recall)


def dictionary_rows(
    model: Model, frame: Frame, effects: DirectEffects, missed: float, unit_of: UnitOf | None
) -> Iterator[Row]:
    """The graph of a dictionary, ``effects`` its edges: edges, nodes, and what is kept; ``missed`` is its own fault.

    Where features are the frame's own units, edges are scored by every method, else by the graph's own weights.
    """
    yield row("edge", "frozen graph", "direct", "closure gap", effects.closure_gap)
    yield row("edge", "frozen graph", "direct", "unexplained", missed)
    matrices = edge_matrices(effects, frame, graphs_only=effects is not frame.effects)
    yield from edge_rows(frame, {name: frame.align(matrix, effects, unit_of) for name, matrix in matrices.items()})
    ids, used = frame.nodes(("unit", "token"))
    influence = _influence(effects, ids, unit_of)
    yield row("unit", "frozen graph, influence", "used", "auroc", float(outranking(np.array(influence), used)))
    yield from pruned_rows(frame, graph_of(model, frame, effects.replacement), unit_of)


def _influence(effects: DirectEffects, ids: Sequence[str], unit_of: UnitOf | None = None) -> list[float]:
    """The influence of nodes on the answer, 0 for those that the graph has not."""
    known = dict(zip((renamed(node, unit_of) for node in effects.sources), effects.influence()[0], strict=True))
    return [float(known.get(i, 0.0)) for i in ids]


def _ids(frame: Frame, marked: np.ndarray) -> set[tuple[str, str]]:
    targets, sources = np.nonzero(marked)
    return {(frame.effects.sources[s].id, frame.effects.targets[t].id) for t, s in zip(targets, sources, strict=True)}


def graph_of(model: Model, frame: Frame, replacement: Any = None) -> Graph:
    """The attribution graph of a prompt at the default thresholds."""
    target = [frame.prompt.target]
    return trace_graph(model, frame.prompt.tokens, targets=target, replacement=replacement).graph


def node_rows(model: Model, frame: Frame, effects: DirectEffects) -> Iterator[Row]:
    """AUROC of every method's node scores: units and tokens, and heads, each among the prompt's active ones."""
    layers = range(model.n_layers)
    nodes = [
        Nodes.whole(model, "embed"),
        *(Nodes.neurons(layer) for layer in layers),
        *(Nodes.heads(model, layer) for layer in layers),
    ]
    scores = node_scores(model, frame.prompt, nodes)
    for level, kinds in (("unit", ("unit", "token")), ("head", ("head",))):
        ids, used = frame.nodes(kinds)
        if ids:
            places = [_place(node_id, nodes) for node_id in ids]
            extra = {"frozen graph, influence": _influence(effects, ids)} if level == "unit" else {}
            yield from ranking_rows(level, scores, places, used, extra)


Place = tuple[int, int, int]
"""Which of the nodes, at which position, which part."""


def ranking_rows(
    level: str,
    scores: Mapping[str, list[torch.Tensor]],
    places: list[Place],
    used: np.ndarray,
    extra: Mapping[str, list[float]],
) -> Iterator[Row]:
    """AUROC of every method's scores at ``places``: against what is used, and that among what moved."""
    ranked = {m: np.array([abs(float(found[n][0, p, i])) for n, p, i in places]) for m, found in scores.items()}
    moved = ranked.pop(DIFFERENCE) > NEGLIGIBLE
    for method, values in (ranked | {name: np.array(value) for name, value in extra.items()}).items():
        yield row(level, method, "used", "auroc", float(outranking(values, used)))
        if moved.any():
            yield row(level, method, "used, moved", "auroc", float(outranking(values[moved], used[moved])))


DIFFERENCE = "difference"


def node_scores(model: Model, prompt: Prompt, nodes: list[Nodes]) -> dict[str, list[torch.Tensor]]:
    """Every method's scores of the nodes, and (`DIFFERENCE`) how far each one's value is from its corrupt one."""
    clean, corrupt, other = (ids[None] for ids in (prompt.tokens, prompt.corrupt, prompt.other))
    metric = LogitMetric(torch.tensor([prompt.target]), demean=True)
    at = node_gradients(model, clean, metric, nodes)
    values = {name: node_values(model, ids, nodes) for name, ids in (("corrupt", corrupt), ("other", other))}
    pairs = zip(at.value, values["corrupt"], values["other"], strict=True)
    mean = [torch.stack(three).mean(0) for three in pairs]
    zero = [torch.zeros_like(value) for value in at.value]
    start = model.run(corrupt, read=["embed"]).sites[Site("embed")]
    return {
        "gradient": at.saliency(),
        "gradient × input": at.times_input(),
        "attribution patching": at.attribution(values["corrupt"]),
        "integrated gradients": integrated_gradients(model, clean, start, metric, nodes, values["corrupt"], STEPS),
        "activation patching": replacement_effects(model, clean, metric, nodes, values["corrupt"]),
        "activation patching, denoising": restoration_effects(model, corrupt, metric, nodes, at.value),
        "zero ablation": replacement_effects(model, clean, metric, nodes, zero),
        "mean ablation": replacement_effects(model, clean, metric, nodes, mean),
        "resample ablation": replacement_effects(model, clean, metric, nodes, values["other"]),
        DIFFERENCE: [(x - b).norm(dim=-1) for x, b in zip(at.value, values["corrupt"], strict=True)],
    }


def _place(node_id: str, nodes: list[Nodes]) -> Place:
    kind, *numbers = node_id.split(".")
    if kind == "token":
        return 0, int(numbers[0]), 0
    layer, index, position = map(int, numbers)
    site = Site({"unit": "mlp_neurons", "head": "attn_z"}[kind], layer)
    return next(n for n, node in enumerate(nodes) if node.site == site), position, index


def choice_rows(model: Model, frame: Frame, *, known_keys: bool = False) -> Iterator[Row]:
    """QK attribution of the heads on a path: AUROC and signs of the terms of their scores, and the largest gap.

    The terms are those of all keys, or with ``known_keys`` of those alone of which a term is known.
    """
    truth = frame.prompt.truth
    known = {(edge.head, edge.key) for edge in truth.choice_edges}
    heads = [node for node in truth.nodes if node.kind == "head" and node.on_path]
    glances = [Glance(h.layer, h.index, h.position, key) for h in heads for key in range(h.position + 1)]
    if known_keys:
        glances = [g for g in glances if (f"head.{g.layer}.{g.head}.{g.query}", g.key) in known]
    if not glances:
        return
    terms = {(e.head, e.key, e.query_source, e.key_source): e.weight for e in truth.choice_edges}
    scores, weights = [], []
    choices = attribute_choices(model, frame.prompt.tokens, glances)
    for choice in choices:
        g = choice.glance
        found = _terms(choice)
        head = f"head.{g.layer}.{g.head}.{g.query}"
        # GPT-2 makes queries, keys and values in one projection with one bias, named after the values.
        bias = f"constant.attn_value_bias.{g.layer}.{g.query}"
        for query in [*_reachable(frame, g.layer, g.query), bias]:
            for key in _reachable(frame, g.layer, g.key):
                scores.append(found.get((query, key), 0.0))
                weights.append(terms.get((head, g.key, query, key), 0.0))
    score, weight = np.array(scores), np.array(weights)
    used = weight != 0
    yield row("choice", "QK attribution", "direct", "auroc", float(outranking(np.abs(score), used)))
    yield row("choice", "QK attribution", "direct", "sign agreement", sign_agreement(score, weight, used))
    yield row("choice", "QK attribution", "direct", "closure gap", max(choice.gap for choice in choices))


def _terms(choice: Choice) -> dict[tuple[str, str], float]:
    """The pairs by id."""
    queries, keys = choice.query_nodes, choice.key_nodes
    weight = choice.weight.tolist()
    return {(query.id, key.id): weight[i][j] for i, query in enumerate(queries) for j, key in enumerate(keys)}


def _reachable(frame: Frame, layer: int, position: int) -> list[str]:
    """The sources that the attention of a layer can read at a position."""
    return [
        node.id
        for node in frame.effects.sources
        if is_candidate(node) and node.position <= position and (node.kind is not NodeKind.UNIT or node.layer < layer)
    ]
