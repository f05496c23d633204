"""Which rows are computed, in which order: all units where that is affordable, else the most influential ones first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float, Int

from truescope.core.sites import Site
from truescope.models.frozen import READ, FrozenRun
from truescope.trace.rows import Block, Rows, gaps
from truescope.trace.sources import Sources
from truescope.trace.targets import Targets

Progress = Callable[[int, int], object]
# Batches between two rankings of what is not explored yet.
_RANK_EVERY = 4
# The memory that one batch of rows and its gradients may take.
_BATCH_BYTES = 1 << 28


class Explorer:
    """Fills `Rows` for one prompt: one batched backward pass a batch of targets, down through the frozen model."""

    def __init__(self, sources: Sources, frozen: FrozenRun, targets: Targets, n_pos: int, batch: int | None) -> None:
        self.sources, self._frozen, self._targets, self._n_pos = sources, frozen, targets, n_pos
        self._last = frozen.n_layers
        d_model = targets.vector.shape[1]
        row_bytes = 4 * (len(sources) + 16 * n_pos * d_model)
        self._batch = batch or int(np.clip(_BATCH_BYTES // row_bytes, 1, 512))
        self.rows = Rows(len(sources), len(targets.index))
        self.h: list[np.ndarray] = []
        self.explained: list[np.ndarray] = []
        self.stopped_by = ""
        self._buffer: torch.Tensor | None = None

    @property
    def closure_gap(self) -> float:
        """The largest |h − Σ edges| / max(|h|, rms of h) over every target explored so far."""
        return float(gaps(np.concatenate(self.explained), np.concatenate(self.h)).max())

    def run(self, max_units: int, max_bytes: int, progress: Progress | None) -> None:
        """Explore the logits, then at most ``max_units`` units and ``max_bytes`` of rows."""
        n_units = self.sources.n_units
        total = min(n_units, max_units)
        self._logits()
        done = 0
        queue = np.arange(n_units)[::-1] if total == n_units else np.zeros(0, np.int64)
        while done < total:
            if self.rows.n_bytes >= max_bytes:
                self.stopped_by = "max_bytes"
                return
            if not len(queue):
                queue = self._rank()[: min(_RANK_EVERY * self._batch, total - done)]
                if not len(queue):
                    return
            chosen, queue = queue[: self._batch], queue[self._batch :]
            self._units(np.sort(chosen))
            done += len(chosen)
            if progress is not None:
                progress(done, total)
        self.stopped_by = "max_units" if total < n_units else ""

    def _rank(self) -> Int[np.ndarray, " n"]:
        """The unexplored units that influence anything, the most influential first."""
        n_units = self.sources.n_units
        scores = self.rows.influence(self._targets.p)[:n_units]
        scores[self.rows.has_row[:n_units]] = 0.0
        order = np.argsort(-scores, kind="stable")
        return order[scores[order] > 0]

    def _logits(self) -> None:
        n = len(self._targets.index)
        edges = self._new_edges(n)
        grads = self._targets.vector.new_zeros(n, self._n_pos, self._targets.vector.shape[1])
        grads[:, -1] = self._targets.vector
        where = torch.full((n,), self._n_pos - 1, device=grads.device)
        pulled = self._frozen.pull(self._last, {Site("final_norm"): grads})
        for leaf, grad in pulled.leaves:
            self.sources.contract(edges, leaf, grad, where)
        for row, constant in enumerate(self._targets.constant.tolist()):
            self.sources.add_target_constant(edges, self._last, row, self._n_pos - 1, constant)
        below = pulled.below
        assert below is not None
        descend(self._frozen, self.sources, edges, below, self._last - 1, where)
        at_last = np.full(n, self._n_pos - 1)
        self._keep(edges, np.full(n, self._last), at_last, np.arange(n) + len(self.sources), self._targets.h)

    def _units(self, columns: Int[np.ndarray, " n"]) -> None:
        """Rows of the units in ``columns`` (ascending), the highest layer in the first rows."""
        sources = self.sources
        layers = sources.layer[columns]
        order = np.argsort(-layers, kind="stable")
        columns, layers = columns[order], layers[order]
        edges = self._new_edges(len(columns))
        starts: dict[int, torch.Tensor] = {}
        h = np.zeros(len(columns))
        for layer in np.unique(layers):
            here = np.flatnonzero(layers == layer)
            rows = columns[here] - sources.unit_start[layer]
            vectors, constants = sources.encoder(int(layer), rows)
            grads = vectors.new_zeros(len(here), self._n_pos, vectors.shape[1])
            position = sources.position[columns[here]]
            grads[torch.arange(len(here)), torch.from_numpy(position.astype(np.int64))] = vectors
            starts[int(layer)] = grads
            h[here] = sources.units[layer].pre_activation[rows]
            for row, pos, constant in zip(here.tolist(), position.tolist(), constants.tolist(), strict=True):
                sources.add_target_constant(edges, int(layer), row, pos, constant)
        empty = self._targets.vector.new_zeros(0, self._n_pos, self._targets.vector.shape[1])
        where = torch.from_numpy(sources.position[columns].astype(np.int64)).to(edges.device)
        descend(self._frozen, self.sources, edges, empty, int(layers[0]), where, starts)
        self._keep(edges, layers, sources.position[columns], columns, h)

    def _new_edges(self, n: int) -> torch.Tensor:
        # One buffer for all batches: fresh memory costs more than clearing it. `_keep` copies what it files.
        if self._buffer is None or len(self._buffer) < n:
            self._buffer = torch.empty(n, len(self.sources), dtype=torch.float32, device=self._targets.vector.device)
        return self._buffer[:n].zero_()

    def _keep(
        self, edges: torch.Tensor, layers: np.ndarray, positions: np.ndarray, targets: np.ndarray, h: np.ndarray
    ) -> None:
        """Check the rows against h, then file them under the place their targets read."""
        dense = edges.cpu().numpy()
        for layer, position in sorted(set(zip(layers.tolist(), positions.tolist(), strict=True))):
            here = np.flatnonzero((layers == layer) & (positions == position))
            columns = self.sources.reach(layer, position)
            block = Block(layer, targets[here].astype(np.int32), columns, dense[np.ix_(here, columns)])
            self.rows.add(block)
            # Summed over what was filed, so that a column wrongly thought out of reach would show.
            self.explained.append(block.weight.sum(axis=1, dtype=np.float64))
            self.h.append(np.asarray(h, dtype=np.float64)[here])


def descend(
    frozen: FrozenRun,
    sources: Sources,
    edges: Float[torch.Tensor, "rows n_sources"],
    resid: Float[torch.Tensor, "n pos d_model"],
    layer: int,
    position: Int[torch.Tensor, " rows"],
    starts: Mapping[int, torch.Tensor] | None = None,
) -> None:
    """Pull gradients at resid_post.layer down to the embeddings, adding what each source contributes to ``edges``.

    ``starts`` join them where a layer's units read, as further rows; ``position`` is where each row's target reads.
    """
    starts = starts or {}
    for stage in range(layer, -2, -1):
        entering = starts.get(stage)
        if entering is None and not resid.any() and not any(other < stage for other in starts):
            # Below a cut of the whole stream nothing is left.
            return
        grads: dict[Site | str, torch.Tensor] = {}
        if entering is None:
            grads[Site("resid_post", stage) if stage >= 0 else Site("resid_pre", 0)] = resid
        else:
            n_old, n_new = len(resid), len(entering)
            if n_old:
                grads[Site("resid_post", stage)] = torch.cat([resid, resid.new_zeros(n_new, *resid.shape[1:])])
            grads[READ] = torch.cat([entering.new_zeros(n_old, *entering.shape[1:]), entering])
        pulled = frozen.pull(stage, grads)
        for leaf, grad in pulled.leaves:
            sources.contract(edges, leaf, grad, position)
        if pulled.below is not None:
            resid = pulled.below
