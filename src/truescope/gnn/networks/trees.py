"""The computation trees of many nodes side by side, each with its own mask over arcs and over features.

What one node's output depends on is a tree of hops. The trees of all explained nodes are laid out as rows
(target, node), so that one differentiable pass runs the model for every target under that target's own masks:

    h_(t, i) = Σ_arcs j→i  S_ij · m_t(j→i) · h_(t, j) Wᵀ,     h_(t, j) = x_j ∘ f_t  at the leaves

Arcs outside a target's tree cannot change its output, and have no entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor

from truescope.core.errors import GraphError
from truescope.gnn.networks.chain import Chain, Convolution, Gate, Term


@dataclass(frozen=True, eq=False)
class Spread:
    """One term of one step, laid out: messages from rows ``source`` to rows ``target``; ``entry`` −1 is never
    masked.
    """

    weights: Tensor | None
    source: Int[Tensor, " n_messages"]
    target: Int[Tensor, " n_messages"]
    value: Float[Tensor, " n_messages"] | None
    entry: Int[Tensor, " n_messages"] | None


@dataclass(frozen=True, eq=False)
class Layer:
    """One step, laid out; ``spreads`` is empty for an activation function."""

    n_rows: int
    spreads: tuple[Spread, ...]
    bias: Tensor | None = None
    gate: Gate | None = None


class Trees:
    """The trees of ``nodes`` under a chain; ``entry_target`` and ``entry_arc`` say what each arc mask's entry is.

    Raises:
        GraphError: parallel arcs, which have one place in the chain but two masks.
    """

    def __init__(
        self,
        chain: Chain,
        x: Float[Tensor, "n_nodes n_features"],
        edge_index: Int[Tensor, "2 n_arcs"],
        nodes: Int[np.ndarray, " n_targets"],
    ) -> None:
        self.head = chain.head
        self.x = x
        dense = x.numel() < 50_000 or float((x != 0).float().mean()) > 0.2
        self._sparse = None if dense else x.to_sparse_coo().coalesce()
        self.n_targets, self.n_nodes = len(nodes), len(x)
        self._n_arcs = edge_index.shape[1]
        self._arcs = arc_numbers(edge_index, self.n_nodes)
        self._keys: list[Int[np.ndarray, " n"]] = []
        start = np.arange(self.n_targets) * self.n_nodes + nodes
        body = _narrow_first(chain.body)
        self.layers, self.leaves = self._lay_out(body, start)
        self.offset = None if chain.offset is None else self._lay_out(_narrow_first(chain.offset.body), start)
        keys = np.unique(np.concatenate(self._keys)) if self._keys else np.zeros(0, np.int64)
        self.entry_target = torch.from_numpy(keys // max(self._n_arcs, 1))
        self.entry_arc = torch.from_numpy(keys % max(self._n_arcs, 1))
        self.layers = [self._numbered(layer, keys) for layer in self.layers]
        if self.offset is not None:
            self.offset = ([self._numbered(layer, keys) for layer in self.offset[0]], self.offset[1])

    def logits(
        self, features: Float[Tensor, "n_targets n_features"], arcs: Float[Tensor, " n_entries"]
    ) -> Float[Tensor, "n_targets n_classes"]:
        """Each target's logits under its own masks."""
        h = self._run(self.layers, self.leaves, self.x, features, arcs)
        if self.offset is not None:
            ones = torch.ones(self.n_nodes, 1, dtype=self.x.dtype)
            h = h + self._run(*self.offset, ones, torch.ones(self.n_targets, 1, dtype=self.x.dtype), arcs)
        return h

    def outputs(
        self, features: Float[Tensor, "n_targets n_features"], arcs: Float[Tensor, " n_entries"]
    ) -> Float[Tensor, "n_targets n_classes"]:
        """What the model puts out for each target under its masks."""
        logits = self.logits(features, arcs)
        return logits if self.head is None else self.head.function(logits)

    def _lay_out(
        self, body: tuple[Convolution | Gate, ...], start: Int[np.ndarray, " n_targets"]
    ) -> tuple[list[Layer], Int[np.ndarray, " n_rows"]]:
        rows, layers = start, []
        for step in reversed(body):
            if isinstance(step, Gate):
                layers.append(Layer(len(rows), (), gate=step))
                continue
            before, parts = self._sources(step, rows)
            spreads = tuple(
                Spread(_tensor(t.weights, self.x), *_positions(before, *part))
                for t, part in zip(step.terms, parts, strict=True)
            )
            layers.append(Layer(len(rows), spreads, self._bias(step, rows)))
            rows = before
        return layers[::-1], rows

    def _sources(self, step: Convolution, rows: np.ndarray) -> tuple[np.ndarray, list[tuple]]:
        parts = []
        for term in step.terms:
            if term.mixing is None:
                parts.append((rows, np.arange(len(rows)), None, None))
                continue
            targets, nodes = np.divmod(rows, self.n_nodes)
            part, arcs = term.mixing[nodes], self._arcs[nodes]
            counts = np.diff(part.indptr)
            target_row = np.repeat(np.arange(len(rows)), counts)
            keys = np.repeat(targets, counts) * self.n_nodes + part.indices
            numbers = np.asarray(arcs[target_row, part.indices]).reshape(-1).astype(np.int64) - 1
            entry = np.where((numbers >= 0) & term.along_arcs, np.repeat(targets, counts) * self._n_arcs + numbers, -1)
            self._keys.append(entry[entry >= 0])
            parts.append((keys, target_row, part.data, entry))
        return np.unique(np.concatenate([p[0] for p in parts])), parts

    def _bias(self, step: Convolution, rows: np.ndarray) -> Tensor | None:
        if step.bias is None:
            return None
        bias = step.bias if step.bias.ndim == 1 else step.bias[rows % self.n_nodes]
        return _tensor(bias, self.x)

    def _few(self, leaves: np.ndarray, x: Tensor, features: Tensor, weights: Tensor) -> bool:
        """Whether masking each leaf's features costs less than masking the first weights for every target."""
        n_out = len(weights)
        each = len(leaves) * x.shape[1] * (1 + n_out)
        n_entries = x.numel() / 5 if self._sparse is None else self._sparse.values().numel()
        return each < (n_entries + len(x)) * len(features) * n_out

    @staticmethod
    def _numbered(layer: Layer, keys: np.ndarray) -> Layer:
        spreads = []
        for s in layer.spreads:
            entry = s.entry
            if entry is not None:
                found = np.searchsorted(keys, np.maximum(entry.numpy(), 0))
                entry = torch.from_numpy(np.where(entry.numpy() >= 0, found, len(keys)))
            spreads.append(Spread(s.weights, s.source, s.target, s.value, entry))
        return Layer(layer.n_rows, tuple(spreads), layer.bias, layer.gate)

    def _run(
        self, layers: list[Layer], leaves: np.ndarray, x: Tensor, features: Tensor, arcs: Tensor
    ) -> Float[Tensor, "n_rows d"]:
        sparse_x = self._sparse if x is self.x else None
        target, node = (torch.from_numpy(part) for part in np.divmod(leaves, self.n_nodes))
        masks = torch.cat([arcs, arcs.new_ones(1)])
        h: Tensor | None = None
        first = layers[0].spreads
        if len(first) != 1 or first[0].weights is None or self._few(leaves, x, features, first[0].weights):
            h = x[node] * features.index_select(0, target)
        for layer in layers:
            if layer.gate is not None and h is not None:
                h = layer.gate.of(h)
                continue
            if h is None:  # many leaves: mask the first weights once a target, not every leaf's features
                weights = layer.spreads[0].weights
                assert weights is not None  # else the leaves are few, and were masked above
                W, n_wide = features[:, None, :] * weights, len(weights)
                W = W.reshape(-1, x.shape[1]).T
                wide = (torch.sparse.mm(sparse_x, W) if sparse_x is not None else x @ W).view(-1, n_wide)
                h = wide.index_select(0, node * len(features) + target)
                h = _spread(layer.spreads[0], h, layer.n_rows, masks)
            else:
                parts = [
                    _spread(s, h if s.weights is None else h @ s.weights.T, layer.n_rows, masks) for s in layer.spreads
                ]
                h = sum(parts[1:], parts[0])
            h = h if layer.bias is None else h + layer.bias
        assert h is not None
        return h


def _spread(s: Spread, h: Tensor, n_rows: int, masks: Tensor) -> Tensor:
    if s.value is None or s.entry is None:
        return h.index_select(0, s.source)
    messages = h.index_select(0, s.source) * (s.value * masks.index_select(0, s.entry))[:, None]
    return torch.zeros(n_rows, h.shape[1], dtype=h.dtype).index_add_(0, s.target, messages)


def _positions(before: np.ndarray, keys: np.ndarray, target: np.ndarray, value: Any, entry: Any) -> tuple:
    source = torch.from_numpy(np.searchsorted(before, keys))
    if value is None:
        return source, torch.from_numpy(target), None, None
    return source, torch.from_numpy(target), torch.from_numpy(np.asarray(value)), torch.from_numpy(entry)


def _tensor(array: np.ndarray | None, like: Tensor) -> Tensor | None:
    return None if array is None else torch.from_numpy(np.ascontiguousarray(array)).to(like.dtype)


def arc_numbers(edge_index: Int[Tensor, "2 n_arcs"], n_nodes: int) -> sparse.csr_array:
    """[i, j] = 1 + the number of the arc j→i. Raises GraphError where the graph has parallel arcs."""
    sources, targets = edge_index.numpy()
    numbers = np.arange(1, len(sources) + 1)
    found = sparse.csr_array((numbers, (targets, sources)), shape=(n_nodes, n_nodes))
    if found.nnz != len(sources):
        raise GraphError(
            "the graph has parallel arcs", why="a mask over arcs would be ambiguous", fix="merge them (coalesce)"
        )
    return found


def _narrow_first(body: tuple[Convolution | Gate, ...]) -> tuple[Convolution | Gate, ...]:
    """Move steps that only map channels to fewer before steps that only mix nodes: the result is the same."""
    steps = list(body)
    moved = True
    while moved:
        moved = False
        for i in range(len(steps) - 1):
            mix, narrow = steps[i], steps[i + 1]
            if _only_mixes(mix) and _only_narrows(narrow):
                steps[i], steps[i + 1], moved = narrow, mix, True
    return tuple(steps)


def _only_mixes(step: Convolution | Gate) -> bool:
    if not isinstance(step, Convolution) or step.bias is not None:
        return False
    return len(step.terms) == 1 and step.terms[0].mixing is not None and step.terms[0].weights is None


def _only_narrows(step: Convolution | Gate) -> bool:
    if not isinstance(step, Convolution) or step.bias is not None or len(step.terms) != 1:
        return False
    term: Term = step.terms[0]
    return term.mixing is None and term.weights is not None and term.weights.shape[0] < term.weights.shape[1]
