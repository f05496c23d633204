"""The sources of one prompt, in one order, and the contraction of pulled gradients into edges.

A source s has a value x_s (a decoder row times an activation, an embedding, a bias, an error); its edge into target t
is x_s · g, with g the gradient of t where s stands. Sources are columns: units first, by layer, position and index,
then errors, tokens and constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Int32

from truescope.core.graphs import Node, NodeKind
from truescope.models.frozen import REPLACED, TOKEN, FrozenRun, Leaf
from truescope.trace.record import Record
from truescope.trace.replacement import LocalReplacement, Units

ENCODER_BIAS, UNEMBED_BIAS = "encoder_bias", "unembed_bias"
# Constants that stand in a block before its mlp_in; where attention and MLP are parallel only the norm's own does.
_IN_ATTENTION = ("pre_attn_norm_bias", "attn_value_bias", "attn_out_bias", "attn_out_norm_bias")
_BEFORE_MLP = ("pre_mlp_norm_bias", ENCODER_BIAS)
# The constants of a block whose MLP is held, and the sites that can be cut, in the order of a forward pass.
_ORDER = (
    "resid_pre", *_IN_ATTENTION, "attn_out", "resid_mid", "pre_mlp_norm_bias", "mlp_in_bias", "mlp_out_bias",
    "mlp_out_norm_bias", "mlp_out", "resid_post",
)  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """Columns ``start``, ``start`` + 1, … for the positions 0, 1, … of one source that is a vector at each position."""

    start: int
    value: torch.Tensor


class Sources:
    """The columns of one prompt: what each is (arrays over columns), and what edges it has.

    ``kind`` (a `NodeKind`), ``layer``, ``position``, ``index`` and ``name`` (of constants) describe a column.
    ``first`` and ``last`` are the first and last layers whose units it can reach, n_layers for the logits: nothing gets
    past a cut of the residual stream but to what reads there.
    """

    def __init__(self, record: Record, frozen: FrozenRun, local: LocalReplacement) -> None:
        self._record, self._local, self._cuts = record, local, frozen.cuts
        self._device = record.mlp_in[0].device
        self.units: list[Units] = [local.units(layer) for layer in range(record.model.n_layers)]
        self._columns: list[dict[str, Any]] = []
        self._n = 0
        self.unit_start: list[int] = []
        self._slices: list[list[slice]] = []
        for layer, units in enumerate(self.units):
            self._add_units(layer, units)
        self.n_units = self._n
        self._leaf_runs: dict[Leaf, list[_Run]] = {leaf: self._runs(leaf) for leaf in frozen.leaves}
        self._constant_starts = self._add_target_constants()
        joined = {key: np.concatenate([c[key] for c in self._columns]) for key in self._columns[0]}
        self.kind: np.ndarray = joined["kind"]
        self.layer: Int32[np.ndarray, " n"] = joined["layer"]
        self.position: Int32[np.ndarray, " n"] = joined["position"]
        self.index: Int32[np.ndarray, " n"] = joined["index"]
        self.name: np.ndarray = joined["name"]
        self.first: Int32[np.ndarray, " n"] = joined["first"]
        self.last: Int32[np.ndarray, " n"] = self._last()
        self._reach: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        return self._n

    def node(self, column: int, strings: Sequence[str], score: float = 0.0) -> Node:
        """The node of a column; ``strings`` are the prompt's tokens, ``score`` its influence."""
        kind = NodeKind(str(self.kind[column]))
        layer, position, index = (int(a[column]) for a in (self.layer, self.position, self.index))
        name, activation, pre_activation = str(self.name[column]), 1.0, 0.0
        label = {NodeKind.TOKEN: strings[position], NodeKind.ERROR: "error"}.get(kind, name.replace("_", " "))
        if kind is NodeKind.UNIT:
            row, units = column - self.unit_start[layer], self.units[layer]
            label = f"{layer}/{index}"
            activation, pre_activation = float(units.activation[row]), float(units.pre_activation[row])
        return Node(kind, layer, position, index, name, activation, pre_activation, score, 0.0, label)

    def put_tokens(self, embed: Float[torch.Tensor, "pos d_model"]) -> None:
        """Let the token columns stand for other embeddings than the prompt's."""
        for leaf, runs in self._leaf_runs.items():
            if leaf.name == TOKEN:
                self._leaf_runs[leaf] = [_Run(run.start, embed) for run in runs]

    def _add(self, kind: NodeKind, layer: int, first: int, position: Any, index: Any = -1, name: str = "") -> int:
        n, start = len(position), self._n
        self._columns.append(
            {
                "kind": np.full(n, str(kind), dtype="U8"),
                "layer": np.full(n, layer, np.int32),
                "position": np.asarray(position, np.int32),
                "index": np.broadcast_to(np.asarray(index, np.int32), n),
                "name": np.full(n, name, dtype="U24"),
                "first": np.full(n, first, np.int32),
            }
        )
        self._n += n
        return start

    def _add_units(self, layer: int, units: Units) -> None:
        # Units that write nowhere reach no target.
        writes = self._local.writes(layer)
        first = writes[0] + 1 if len(writes) else self._record.model.n_layers + 1
        start = self._add(NodeKind.UNIT, layer, first, units.position, units.index)
        self.unit_start.append(start)
        bounds = np.searchsorted(units.position, np.arange(self._record.n_pos + 1))
        self._slices.append([slice(int(a), int(b)) for a, b in pairwise(bounds)])

    def _runs(self, leaf: Leaf) -> list[_Run]:
        value, layer, n_pos = leaf.value[0].detach(), leaf.layer, self._record.n_pos
        everywhere = np.arange(n_pos)
        if leaf.name == TOKEN:
            index = self._record.tokens.cpu().numpy()
            return [_Run(self._add(NodeKind.TOKEN, layer, 0, everywhere, index), value)]
        if leaf.name != REPLACED:
            start = self._add(NodeKind.CONSTANT, layer, self._first(leaf.name, layer), everywhere, name=leaf.name)
            return [_Run(start, value)]
        runs = []
        error = self._local.error(layer)
        if error is not None:
            runs.append(_Run(self._add(NodeKind.ERROR, layer, layer + 1, everywhere), error))
        for name, constant in self._local.constants(layer).items():
            if bool(constant.any()):
                start = self._add(NodeKind.CONSTANT, layer, layer + 1, everywhere, name=name)
                runs.append(_Run(start, constant.expand(n_pos, -1)))
        return runs

    def _first(self, name: str, layer: int) -> int:
        if layer < 0:
            return 0
        if self._cuts:
            is_after = layer in self._cuts and name in _ORDER
            return layer + int(is_after and _ORDER.index(name) > _ORDER.index(self._cuts[layer].kind))
        inside = _BEFORE_MLP if self._record.model.parts.parallel else _BEFORE_MLP + _IN_ATTENTION
        return layer if name in inside or layer == self._record.model.n_layers else layer + 1

    def _last(self) -> Int32[np.ndarray, " n"]:
        n_layers = self._record.model.n_layers
        whole = sorted(layer for layer, site in self._cuts.items() if site.kind.startswith("resid"))
        ends = np.array([*whole, n_layers], np.int32)
        return ends[np.minimum(np.searchsorted(ends, self.first), len(ends) - 1)]

    def _add_target_constants(self) -> list[int]:
        """The constants of the targets themselves: encoder biases, and the unembedding's at the last position."""
        last, n_pos = self._record.model.n_layers, self._record.n_pos
        starts = [
            self._add(NodeKind.CONSTANT, layer, layer, np.arange(n_pos), name=ENCODER_BIAS)
            if layer in self._cuts or not self._cuts
            else -1
            for layer in range(last)
        ]
        bias = getattr(self._record.model.parts.unembed, "bias", None)
        biased = bias is not None and bool(bias.any())
        starts.append(self._add(NodeKind.CONSTANT, last, last, [n_pos - 1], name=UNEMBED_BIAS) if biased else -1)
        return starts

    def encoder(
        self, layer: int, rows: Int[np.ndarray, " n"]
    ) -> tuple[Float[torch.Tensor, "n d_model"], Float[torch.Tensor, " n"]]:
        """The vectors and constants of the layer's active units numbered ``rows``."""
        units = self.units[layer]
        position = torch.from_numpy(units.position[rows].astype(np.int64)).to(self._device)
        index = torch.from_numpy(units.index[rows].astype(np.int64)).to(self._device)
        return self._local.encoder(layer, position, index)

    def reach(self, layer: int, position: int) -> Int32[np.ndarray, " n_reach"]:
        """The columns that can have an edge into a target of ``layer`` that reads at ``position``."""
        key = (layer, position)
        if key not in self._reach:
            inside = (self.first <= layer) & (layer <= self.last) & (self.position <= position)
            self._reach[key] = np.flatnonzero(inside).astype(np.int32)
        return self._reach[key]

    def add_target_constant(
        self, edges: Float[torch.Tensor, "rows n_sources"], layer: int, row: int, position: int, constant: float
    ) -> None:
        """Write a target's own constant into its row."""
        start = self._constant_starts[layer]
        if start >= 0:
            edges[row, start + (position if layer < self._record.model.n_layers else 0)] = constant

    def contract(
        self,
        edges: Float[torch.Tensor, "rows n_sources"],
        leaf: Leaf,
        grads: Float[torch.Tensor, "n pos width"],
        position: Int[torch.Tensor, " rows"],
    ) -> None:
        """Add the edges of everything that stands at ``leaf`` to the first n rows of ``edges``.

        ``position`` is the rows' targets': nothing later reaches them.
        """
        n, n_pos = len(grads), self._record.n_pos
        for run in self._leaf_runs[leaf]:
            edges[:n, run.start : run.start + n_pos] = torch.einsum("rpd,pd->rp", grads, run.value.to(grads.dtype))
        if leaf.name == REPLACED:
            for layer in range(leaf.layer + 1):
                if leaf.layer in self._local.writes(layer):
                    self._contract_units(edges, layer, leaf.layer, grads, position[:n])

    def _contract_units(
        self, edges: torch.Tensor, layer: int, written: int, grads: torch.Tensor, position: torch.Tensor
    ) -> None:
        units, start, n = self.units[layer], self.unit_start[layer], len(grads)
        for pos, part in enumerate(self._slices[layer]):
            alive = (position >= pos).nonzero().flatten()
            if part.start == part.stop or not len(alive):
                continue
            index = torch.from_numpy(units.index[part].astype(np.int64)).to(grads.device)
            decoders = self._local.decoder(layer, written, index).to(grads.dtype)
            activation = torch.from_numpy(units.activation[part]).to(grads.device)
            columns = slice(start + part.start, start + part.stop)
            if len(alive) == n:
                edges[:n, columns] += (grads[:, pos] @ decoders.t()) * activation
            else:
                edges[alive, columns] += (grads[alive, pos] @ decoders.t()) * activation
