"""`trace_graph`: from a prompt to its attribution graph, with every number accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int, Int32

from truescope.core.errors import UsageError
from truescope.core.graphs import Graph, Node, NodeKind
from truescope.core.sites import Site
from truescope.models import Model
from truescope.trace.explore import Explorer, Progress
from truescope.trace.neurons import NeuronReplacement
from truescope.trace.prune import Pruned, prune
from truescope.trace.record import Record, record
from truescope.trace.replacement import Replacement, frozen_with
from truescope.trace.sources import Sources
from truescope.trace.targets import Targets, choose_targets

FROZEN, GATES = ("attention patterns", "norm denominators"), "MLP gates"


@dataclass(frozen=True)
class UnitScores:
    """Every active unit of a prompt before pruning, one entry each.

    ``score`` is the node score Σ_logits p·B[logit, unit] with p scaled to sum one; ``explored`` says whether the unit's
    own inputs were traced.
    """

    layer: Int32[np.ndarray, " n"]
    index: Int32[np.ndarray, " n"]
    position: Int32[np.ndarray, " n"]
    activation: Float32[np.ndarray, " n"]
    score: Float64[np.ndarray, " n"]
    explored: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.score)

    def share(self, chosen: Bool[np.ndarray, " n"]) -> float:
        """The share of all units' influence that the ``chosen`` ones have: Σ their scores / Σ all scores."""
        total = float(self.score.sum())
        return float(self.score[chosen].sum()) / total if total > 0 else 0.0


@dataclass(frozen=True)
class Trace:
    """What tracing a prompt gave: the pruned graph, all units' scores from before the pruning, and the seconds."""

    graph: Graph
    units: UnitScores
    seconds: dict[str, float]


def trace_graph(
    model: Model,
    tokens: Int[torch.Tensor, " pos"],
    *,
    replacement: Replacement | None = None,
    prompt: str | None = None,
    targets: Sequence[int | str] | None = None,
    probability: float = 0.95,
    max_targets: int = 10,
    node_threshold: float = 0.8,
    edge_threshold: float = 0.98,
    max_units: int = 4096,
    max_bytes: int = 1 << 30,
    batch: int | None = None,
    progress: Progress | None = None,
) -> Trace:
    """Trace which units, tokens and constants the model's answer to ``tokens`` came from.

    An edge is A_{s→t} = a_s · (decoder of s)ᵀ J v_t, with J the Jacobian of the frozen forward and v_t the encoder row
    of a unit or the demeaned unembedding of a logit. Every constant is a source, so that for each target the edges sum
    to its pre-activation or demeaned logit; ``graph.closure_gap`` says how exactly.

    ``replacement`` stands in for the MLPs (by default their own neurons), or has the features of other sites as units;
    ``targets`` are token ids or strings (by default the fewest with cumulative ``probability``, at most
    ``max_targets``). All active units are explored where there are at most ``max_units`` and their rows fit in
    ``max_bytes``, else the most influential; ``batch`` targets share a backward pass (by default as many as fit in
    256 MB). ``progress(done, total)`` hears of explored units.
    Source: Ameisen et al., "Circuit Tracing", 2025, with constants as sources and bounds for what was left out.

    Raises:
        PromptError: the tokens cannot be run, or a chosen string is not one token.
        UsageError: a threshold or a count makes no sense.
    """
    _check(node_threshold, edge_threshold, max_units, batch)
    seconds: dict[str, float] = {}
    clock = perf_counter()

    def lap(stage: str) -> None:
        nonlocal clock
        clock, seconds[stage] = perf_counter(), perf_counter() - clock

    replaced = replacement or NeuronReplacement(model)
    run = record(model, tokens, replaced.cuts.values())
    chosen = choose_targets(run, targets, probability, max_targets)
    frozen = frozen_with(model, tokens, replaced)
    lap("forward")
    with torch.no_grad():
        sources = Sources(run, frozen, replaced.local(run))
        explorer = Explorer(sources, frozen, chosen, run.n_pos, batch)
        explorer.run(max_units, max_bytes, progress)
    lap("attribution")
    p = _normalised(chosen)
    scores = explorer.rows.influence(p)
    pruned = prune(explorer.rows, sources.kind, p, scores, node_threshold, edge_threshold)
    lap("pruning")
    settings = _settings(targets, probability, max_targets, node_threshold, edge_threshold, max_units)
    settings |= {"max_bytes": max_bytes, "stopped_by": explorer.stopped_by, "sites": _names(replaced.cuts.values())}
    graph = _graph(run, sources, chosen, explorer, scores, pruned, replaced, prompt, settings)
    return Trace(graph, _unit_scores(sources, explorer, scores), seconds)


def _names(sites: Iterable[Site]) -> list[str]:
    return [str(site) for site in sites]


def _settings(
    targets: Sequence[int | str] | None,
    probability: float,
    max_targets: int,
    node_threshold: float,
    edge_threshold: float,
    max_units: int,
) -> dict[str, Any]:
    """What the graph's file says of how it was made."""
    return {
        "probability": probability,
        "max_targets": max_targets,
        "targets": None if targets is None else [t if isinstance(t, str) else int(t) for t in targets],
        "node_threshold": node_threshold,
        "edge_threshold": edge_threshold,
        "max_units": max_units,
    }


def _check(node_threshold: float, edge_threshold: float, max_units: int, batch: int | None) -> None:
    for name, value in (("node_threshold", node_threshold), ("edge_threshold", edge_threshold)):
        if not 0 < value <= 1:
            raise UsageError(
                f"{name} is {value:g}", fix="a threshold is a share above 0, at most 1 (1 keeps everything)"
            )
    if max_units < 0 or (batch is not None and batch < 1):
        raise UsageError(f"cannot explore {max_units} units in batches of {batch}", fix="give counts from 0 and 1 up")


def _normalised(targets: Targets) -> np.ndarray:
    total = targets.p.sum()
    return targets.p / total if total > 0 else np.full(len(targets.p), 1.0 / len(targets.p))


def _unit_scores(sources: Sources, explorer: Explorer, scores: np.ndarray) -> UnitScores:
    n = sources.n_units
    activation = np.concatenate([units.activation for units in sources.units])
    explored = explorer.rows.has_row[:n].copy()
    return UnitScores(sources.layer[:n], sources.index[:n], sources.position[:n], activation, scores[:n], explored)


def _graph(
    run: Record,
    sources: Sources,
    targets: Targets,
    explorer: Explorer,
    scores: np.ndarray,
    pruned: Pruned,
    replaced: Replacement,
    prompt: str | None,
    settings: dict[str, Any],
) -> Graph:
    model, kept = run.model, np.flatnonzero(pruned.keep)
    strings = model.token_strings(run.tokens)
    number = np.full(len(pruned.keep), -1, np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    nodes = [sources.node(int(c), strings, float(scores[c])) for c in kept if c < len(sources)]
    labels = model.token_strings(targets.index.tolist())
    for i, label in enumerate(labels):
        h, p = float(targets.h[i]), float(targets.p[i])
        score = float(scores[len(sources) + i])
        nodes.append(
            Node(NodeKind.LOGIT, model.n_layers, run.n_pos - 1, int(targets.index[i]), "", h, h, score, p, label)
        )
    edges = pruned.edges.tocoo()
    p_top, top = torch.softmax(run.logits[-1].double(), -1).topk(min(10, model.n_vocab))
    special = set(getattr(model.tokenizer, "all_special_ids", None) or ())
    text = (
        prompt
        if prompt is not None
        else "".join(s for s, i in zip(strings, run.tokens.tolist(), strict=True) if i not in special)
    )
    return Graph(
        prompt=text,
        tokens=tuple(strings),
        token_ids=tuple(run.tokens.tolist()),
        nodes=tuple(nodes),
        source=number[edges.coords[1]],
        target=number[edges.coords[0]],
        weight=edges.data.astype(np.float32),
        model_name=model.name,
        model_hash=model.hash,
        dictionary=replaced.name,
        n_layers=model.n_layers,
        closure_gap=explorer.closure_gap,
        replacement=pruned.replacement,
        completeness=pruned.completeness,
        top_logits=tuple(zip(model.token_strings(top.tolist()), p_top.tolist(), strict=True)),
        frozen=FROZEN + (GATES,) * bool(replaced.cuts),
        left_out=_left_out(sources, explorer, pruned, scores),
        settings=settings,
    )


def _left_out(sources: Sources, explorer: Explorer, pruned: Pruned, scores: np.ndarray) -> dict[str, float]:
    """Counts of what the graph does not show, and the shares of the logits' influence that go there."""
    n_units = sources.n_units
    explored = int(explorer.rows.has_row[:n_units].sum())
    kept_units = int(pruned.keep[:n_units].sum())
    others = np.arange(n_units, len(sources))
    counts = {
        "active_units": n_units,
        "unexplored_units": n_units - explored,
        "pruned_units": explored - kept_units,
        "pruned_other_nodes": int(((scores[others] > 0) & ~pruned.keep[others]).sum()),
        "pruned_edges": pruned.n_pruned_edges,
    }
    return {name: float(count) for name, count in counts.items()} | {
        "error_influence": pruned.error,
        "unexplored_influence": pruned.unexplored,
        "pruned_influence": pruned.pruned,
    }
