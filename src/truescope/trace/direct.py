"""`direct_effects`: every direct effect of one prompt as one matrix, nothing pruned: what edge scores are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int

from truescope.core.errors import UsageError
from truescope.core.graphs import Node, NodeKind
from truescope.models import Model
from truescope.trace.explore import Explorer
from truescope.trace.neurons import NeuronReplacement
from truescope.trace.record import Record, record
from truescope.trace.replacement import LocalReplacement, Replacement, frozen_with
from truescope.trace.sources import Sources
from truescope.trace.targets import choose_targets

MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class DirectEffects:
    """``weight[t, s]``: what source s adds to target t's pre-activation h_t along frozen paths, no other unit between.

    ``sources`` are active units first, then errors, tokens and constants; ``targets`` the same units in the same order,
    then the logits. ``reachable`` says where an edge could be: the source writes before the target reads, at no later
    position. ``closure_gap`` as in a `Graph`. ``replacement``, ``run`` and ``local`` are for `trace.patching`.
    """

    replacement: Replacement
    run: Record
    local: LocalReplacement
    sources: tuple[Node, ...]
    targets: tuple[Node, ...]
    weight: Float32[np.ndarray, "targets sources"]
    reachable: Bool[np.ndarray, "targets sources"]
    closure_gap: float

    @property
    def n_units(self) -> int:
        """How many of the sources, and of the targets, are units."""
        return sum(node.kind is NodeKind.UNIT for node in self.targets)

    def influence(self) -> tuple[Float64[np.ndarray, " sources"], Float64[np.ndarray, "targets sources"]]:
        """How much of the logits' influence passes through each source, and along each edge.

        Rows of |A| are scaled to sum one and followed back from the logits, each weighed by its probability, as in
        `Graph`: an edge's score is that of its target times its scaled weight.
        """
        n = self.n_units
        size = np.abs(self.weight.astype(np.float64))
        step = size / np.maximum(size.sum(1, keepdims=True), 1e-30)
        p = np.array([node.probability for node in self.targets[n:]])
        flow = np.zeros(len(self.targets))
        flow[n:] = p / p.sum() if p.sum() > 0 else 1 / len(p)
        passing = flow[n:] @ step[n:]
        while passing[:n].any():
            flow[:n] += passing[:n]
            passing = passing[:n] @ step[:n]
        along = flow[:, None] * step
        return along.sum(0), along


def direct_effects(
    model: Model,
    tokens: Int[torch.Tensor, " pos"],
    *,
    targets: Sequence[int | str] | None = None,
    replacement: Replacement | None = None,
    embed: Float[torch.Tensor, "pos d_model"] | None = None,
) -> DirectEffects:
    """All edges of one prompt: A_{s→t} = a_s · (decoder of s)ᵀ J v_t, as `trace_graph` finds them before it prunes.

    ``targets`` are the logits explained (by default the likeliest up to .95, at most 10), ``replacement`` what stands
    in for the MLPs (by default their neurons). With ``embed`` the tokens' columns say what these embeddings would add
    in the place of the prompt's own, along its paths; the closure gap is then none.

    Raises:
        PromptError: the tokens cannot be run, or a chosen string is not one token.
        UsageError: the matrix is too large to lay out; `trace_graph` explores the most influential units only.
    """
    replaced = replacement or NeuronReplacement(model)
    run = record(model, tokens, replaced.cuts.values())
    chosen = choose_targets(run, targets, 0.95, 10)
    frozen = frozen_with(model, tokens, replaced)
    with torch.no_grad():
        local = replaced.local(run)
        sources = Sources(run, frozen, local)
        if embed is not None:
            sources.put_tokens(embed)
        n_units, n_targets = sources.n_units, sources.n_units + len(chosen.index)
        if 4 * n_targets * len(sources) > MAX_BYTES:
            raise UsageError(
                f"{n_targets:,} targets and {len(sources):,} sources are too many for one matrix",
                fix="take a shorter prompt, or trace_graph, which explores the most influential units",
            )
        explorer = Explorer(sources, frozen, chosen, run.n_pos, None)
        explorer.run(n_units, MAX_BYTES, None)
    place = np.r_[np.arange(n_units), np.full(len(sources) - n_units, -1), np.arange(n_units, n_targets)]
    weight = np.zeros((n_targets, len(sources)), np.float32)
    reachable = np.zeros(weight.shape, bool)
    for block in explorer.rows.blocks:
        weight[np.ix_(place[block.target], block.column)] = block.weight
        reachable[np.ix_(place[block.target], block.column)] = True
    strings, last = model.token_strings(run.tokens), run.n_pos - 1
    nodes = [sources.node(column, strings) for column in range(len(sources))]
    labels = model.token_strings(chosen.index.tolist())
    logits = [
        Node(NodeKind.LOGIT, model.n_layers, last, int(i), "", float(h), float(h), 0.0, float(p), label)
        for i, h, p, label in zip(chosen.index, chosen.h, chosen.p, labels, strict=True)
    ]
    everything = (*nodes[:n_units], *logits)
    return DirectEffects(replaced, run, local, tuple(nodes), everything, weight, reachable, explorer.closure_gap)
