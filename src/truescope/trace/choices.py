"""QK attribution: why a head attends from one position to another, as pairs of sources that sum to its score.

With everything but queries and keys frozen, a query is a sum over sources, q = Σ_i q_i, and so is a key, k = Σ_j k_j
(rotation, norms with held denominators and biases are linear or constants, and constants are sources), so the score
before the softmax is

    c · qᵀk = Σ_ij c · q_iᵀ k_j

exactly, c the head's factor. Source: Kamath et al., "Tracing attention computation through feature interactions", 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int

from truescope.core.errors import UsageError
from truescope.core.graphs import Node
from truescope.models import Model
from truescope.models.frozen import KEY, QUERY, FrozenRun
from truescope.trace.explore import descend
from truescope.trace.neurons import NeuronReplacement
from truescope.trace.record import record
from truescope.trace.replacement import Replacement, frozen_with
from truescope.trace.sources import Sources


@dataclass(frozen=True, order=True)
class Glance:
    """One score of one head: how it compares the ``query`` position with the ``key`` position."""

    layer: int
    head: int
    query: int
    key: int


@dataclass(frozen=True)
class Choice:
    """The score of a glance, parted: ``weight[i, j]`` is what query source i and key source j bring together.

    ``query_nodes`` and ``key_nodes`` are the sources that bring anything. ``score`` is the model's own, before the
    softmax (and before a soft-cap of scores); ``gap`` is |score − Σ weight| / max(|score|, c·‖q‖‖k‖).
    """

    glance: Glance
    score: float
    query_nodes: tuple[Node, ...]
    key_nodes: tuple[Node, ...]
    weight: Float64[np.ndarray, "query_nodes key_nodes"]
    gap: float

    @property
    def by_query(self) -> Float64[np.ndarray, " query_nodes"]:
        """What each source brings on the query's side, with the whole key."""
        return self.weight.sum(1)

    @property
    def by_key(self) -> Float64[np.ndarray, " key_nodes"]:
        """What each source brings on the key's side, with the whole query."""
        return self.weight.sum(0)


def attribute_choices(
    model: Model, tokens: Int[torch.Tensor, " pos"], glances: Sequence[Glance], replacement: Replacement | None = None
) -> list[Choice]:
    """Part each glance's score into pairs of sources: units, tokens, constants and errors, as in a graph.

    Raises:
        PromptError: the tokens cannot be run.
        UsageError: a glance at a layer, head or position that is not there, or at a later position.
    """
    n_pos = int(tokens.shape[0])
    for g in glances:
        inside = 0 <= g.layer < model.n_layers and 0 <= g.head < model.parts.n_heads and 0 <= g.key <= g.query < n_pos
        if not inside:
            raise UsageError(
                f"there is no {g}",
                why=f"there are {model.n_layers} layers of {model.parts.n_heads} heads and {n_pos} positions",
                fix="count from 0, and let the key be at the query's position or before",
            )
    replaced = replacement or NeuronReplacement(model)
    run = record(model, tokens, replaced.cuts.values())
    frozen = frozen_with(model, tokens, replaced, choices=True)
    with torch.no_grad():
        sources = Sources(run, frozen, replaced.local(run))
        strings = model.token_strings(run.tokens)
        nodes = [sources.node(column, strings) for column in range(len(sources))]
        parted: dict[tuple[str, int, int, int], np.ndarray] = {}
        return [_choice(g, frozen, sources, nodes, parted) for g in glances]


def _choice(
    g: Glance,
    frozen: FrozenRun,
    sources: Sources,
    nodes: Sequence[Node],
    parted: dict[tuple[str, int, int, int], np.ndarray],
) -> Choice:
    scale = frozen.scaling[g.layer]
    sides = []
    for side, position in ((QUERY, g.query), (KEY, g.key)):
        vectors = frozen.choice(g.layer, side)
        # Neighbouring query heads share one key head where keys are grouped.
        head = g.head * len(vectors) // len(frozen.choice(g.layer, QUERY))
        place = (side, g.layer, head, position)
        if place not in parted:
            parted[place] = _parts(frozen, sources, *place)
        sides.append((vectors[head, position].double().numpy(), parted[place]))
    (query, query_parts), (key, key_parts) = sides
    score = scale * float(query @ key)
    brings = [np.flatnonzero(parts.any(0)) for parts in (query_parts, key_parts)]
    weight = scale * query_parts[:, brings[0]].T @ key_parts[:, brings[1]]
    size = max(abs(score), scale * float(np.linalg.norm(query) * np.linalg.norm(key)))
    gap = abs(score - float(weight.sum())) / size if size > 0 else 0.0
    query_nodes, key_nodes = (tuple(nodes[i] for i in where.tolist()) for where in brings)
    return Choice(g, score, query_nodes, key_nodes, weight, gap)


def _parts(
    frozen: FrozenRun, sources: Sources, side: str, layer: int, head: int, position: int
) -> Float64[np.ndarray, "d_head n_sources"]:
    """What each source adds to each coordinate of a query or key."""
    n_heads, n_pos, d_head = frozen.choice(layer, side).shape
    here = torch.arange(d_head)
    grads = frozen.choice(layer, side).new_zeros(d_head, n_heads, n_pos, d_head)
    grads[here, head, position, here] = 1
    edges = grads.new_zeros(d_head, len(sources))
    where = torch.full((d_head,), position, device=grads.device)
    pulled = frozen.pull(layer, {side: grads})
    for leaf, grad in pulled.leaves:
        sources.contract(edges, leaf, grad, where)
    assert pulled.below is not None
    descend(frozen, sources, edges, pulled.below, layer - 1, where)
    return edges.double().cpu().numpy()
