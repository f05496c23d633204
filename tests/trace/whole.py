"""All edges of a small prompt, unpruned, as one dense matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from truescope.models import Model
from truescope.trace.explore import Explorer
from truescope.trace.neurons import NeuronReplacement
from truescope.trace.record import record
from truescope.trace.replacement import Replacement, frozen_with
from truescope.trace.sources import Sources
from truescope.trace.targets import choose_targets


@dataclass
class Whole:
    """``edges`` is [targets, sources]: units first, then the logits in the last rows; the sources as in ``sources``."""

    explorer: Explorer
    sources: Sources
    edges: np.ndarray
    logits: np.ndarray

    def columns(self, kind: str, **where: int | str) -> np.ndarray:
        """The columns of a kind whose arrays have the values given."""
        chosen = self.sources.kind == kind
        for name, value in where.items():
            chosen &= getattr(self.sources, name) == value
        return np.flatnonzero(chosen)


def whole(
    model: Model,
    tokens: torch.Tensor,
    replacement: Replacement | None = None,
    batch: int | None = None,
    max_units: int = 10**6,
) -> Whole:
    """Explore a prompt and lay its rows out densely."""
    replaced = replacement or NeuronReplacement(model)
    run = record(model, tokens, replaced.cuts.values())
    targets = choose_targets(run, None, 0.95, 10)
    frozen = frozen_with(model, tokens, replaced)
    with torch.no_grad():
        sources = Sources(run, frozen, replaced.local(run))
        explorer = Explorer(sources, frozen, targets, run.n_pos, batch)
        explorer.run(max_units, 1 << 40, None)
    everything = np.ones(len(sources) + len(targets.index), bool)
    edges = explorer.rows.submatrix(everything).toarray()
    rows = np.r_[np.arange(sources.n_units), np.arange(len(sources), len(everything))]
    return Whole(explorer, sources, edges[rows][:, : len(sources)], targets.index)
