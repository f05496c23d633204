"""A graph network as a chain of steps: what lets one pass serve the explanations of all nodes.

    convolution   H ↦ Σ_k S_k H W_kᵀ + b       S_k mixes nodes (sparse), W_k mixes channels; either may be the identity
    gate          H ↦ φ(H), entry by entry
    head          H ↦ ψ(H), node by node; only at the end (softmax, sigmoid)

The forward pass is the same for every explained node, so it is run once. What differs is the pull-back of one output,
which begins at one row and grows by one hop a convolution, in the width of the hidden layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor

Pointwise = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Term:
    """One summand S H Wᵀ of a convolution; None stands for the identity.

    ``along_arcs``: S is made of the graph's arcs; else it pools, and no mask of an arc belongs to it.
    """

    mixing: sparse.csr_array | None
    weights: Float[np.ndarray, "d_out d_in"] | None
    along_arcs: bool = True

    def apply(self, h: Float[np.ndarray, "n_nodes d_in"]) -> Float[np.ndarray, "n_nodes d_out"]:
        """S H Wᵀ, the narrower product first."""
        narrows = self.weights is not None and self.weights.shape[0] <= self.weights.shape[1]
        h = h @ self.weights.T if self.weights is not None and narrows else h
        h = self.mixing @ h if self.mixing is not None else h
        return h @ self.weights.T if self.weights is not None and not narrows else h

    def pull(
        self, rows: Int[np.ndarray, " n_rows"], g: Float[np.ndarray, "*steps n_rows d_out"]
    ) -> tuple[Int[np.ndarray, " n_before"], Float[np.ndarray, "*steps n_before d_in"]]:
        """Sᵀ G W for a G that is zero outside ``rows``: the rows before, and their values."""
        widens = self.weights is not None and self.weights.shape[1] >= self.weights.shape[0]
        g = g @ self.weights if self.weights is not None and not widens else g
        if self.mixing is not None:
            rows, g = _mix_back(self.mixing, rows, g)
        return rows, (g @ self.weights if self.weights is not None and widens else g)


@dataclass(frozen=True, eq=False)
class Convolution:
    """A linear step. ``bias`` is one row for all nodes, or a row for each."""

    name: str
    terms: tuple[Term, ...]
    bias: np.ndarray | None = None

    def apply(self, h: Float[np.ndarray, "n_nodes d_in"]) -> Float[np.ndarray, "n_nodes d_out"]:
        """Σ_k S_k H W_kᵀ + b."""
        out = self.terms[0].apply(h)
        for term in self.terms[1:]:
            out = out + term.apply(h)
        return out if self.bias is None else out + self.bias

    def pull(
        self, rows: Int[np.ndarray, " n_rows"], g: Float[np.ndarray, "*steps n_rows d_out"]
    ) -> tuple[Int[np.ndarray, " n_before"], Float[np.ndarray, "*steps n_before d_in"]]:
        """Σ_k S_kᵀ G W_k."""
        pulled = [term.pull(rows, g) for term in self.terms]
        if len(pulled) == 1:
            return pulled[0]
        before = np.unique(np.concatenate([r for r, _ in pulled]))
        total = np.zeros((*g.shape[:-2], len(before), pulled[0][1].shape[-1]), g.dtype)
        for r, part in pulled:
            total[..., np.searchsorted(before, r), :] += part
        return before, total


@dataclass(frozen=True, eq=False)
class Gate:
    """An activation function, entry by entry; ``function`` is what the model calls; ``rectifies``: it is a ReLU.

    The last ``carried`` channels pass unchanged: what a branch of the model brings along.
    """

    name: str
    function: Pointwise
    rectifies: bool = False
    carried: int = 0

    def of(self, h: Tensor) -> Tensor:
        """φ(H), differentiable."""
        if not self.carried:
            return self.function(h)
        return torch.cat([self.function(h[..., : -self.carried]), h[..., -self.carried :]], dim=-1)

    def apply(self, h: Float[np.ndarray, "n_nodes d"]) -> Float[np.ndarray, "n_nodes d"]:
        """φ(H)."""
        return self.of(torch.from_numpy(h)).numpy()

    def slope(self, h: Float[np.ndarray, "n_nodes d"]) -> Float[np.ndarray, "n_nodes d"]:
        """φ′(H), as torch differentiates it."""
        before = torch.from_numpy(h).requires_grad_()
        return torch.autograd.grad(self.of(before).sum(), before)[0].numpy()


@dataclass(frozen=True, eq=False)
class Head:
    """The last step, node by node: logits to what the model puts out."""

    name: str
    function: Pointwise

    def apply(self, h: Float[np.ndarray, "n_nodes n_classes"]) -> Float[np.ndarray, "n_nodes n_classes"]:
        """ψ(H)."""
        return self.function(torch.from_numpy(h)).numpy()

    def slope(
        self, logits: Float[np.ndarray, "*steps n_targets n_classes"], classes: Int[np.ndarray, " n_targets"]
    ) -> Float[np.ndarray, "*steps n_targets n_classes"]:
        """The derivative of each target's output of its class by its logits."""
        before = torch.from_numpy(logits).requires_grad_()
        out = self.function(before)[..., torch.arange(len(classes)), torch.from_numpy(classes)]
        return torch.autograd.grad(out.sum(), before)[0].numpy()


Step = Convolution | Gate | Head
Backward = Callable[[Gate, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Chain:
    """The steps in order. `record` runs them once; a `Record` then serves every target.

    ``offset`` is a second chain, fed with a one at every node; what it puts out is added to the logits. It holds what
    depends on the arcs but not on the features (a count of neighbours). ``held`` names the layers of which something
    that depends on the features was held constant: the chain has the model's output on this graph, not its gradient.
    """

    steps: tuple[Step, ...]
    offset: Chain | None = None
    held: tuple[str, ...] = ()

    @property
    def body(self) -> tuple[Convolution | Gate, ...]:
        """The steps without the head."""
        return tuple(step for step in self.steps if not isinstance(step, Head))

    @property
    def head(self) -> Head | None:
        """The head, where there is one."""
        last = self.steps[-1]
        return last if isinstance(last, Head) else None

    @property
    def n_hops(self) -> int:
        """How many convolutions mix nodes: what lies farther away cannot matter. All nodes are near where one pools."""
        mixing = [[t for t in s.terms if t.mixing is not None] for s in self.steps if isinstance(s, Convolution)]
        pools = [len(t.mixing.indptr) - 1 for some in mixing for t in some if t.mixing is not None and not t.along_arcs]
        return max(pools) if pools else sum(bool(some) for some in mixing)

    def values(self, x: Float[np.ndarray, "n_nodes d"]) -> list[np.ndarray]:
        """The input and what each step puts out."""
        out = [x]
        for step in self.body:
            out.append(step.apply(out[-1]))
        out[-1] = out[-1] + self.added(x)
        return out if self.head is None else [*out, self.head.apply(out[-1])]

    def added(self, x: Float[np.ndarray, "n_nodes d"]) -> Float[np.ndarray, "n_nodes n_classes"] | float:
        """What the second chain adds to the logits; 0 where there is none."""
        return 0.0 if self.offset is None else self.offset.values(np.ones((len(x), 1), x.dtype))[-1]

    def record(
        self, points: Sequence[Float[np.ndarray, "n_nodes d"]], weights: Float[np.ndarray, " n_points"] | None = None
    ) -> Record:
        """Run the chain at one or several inputs; what is pulled back later is the weighted sum over them."""
        weights = np.ones(len(points)) if weights is None else weights
        slopes: list[list[np.ndarray]] = [[] for step in self.body if isinstance(step, Gate)]
        logits, added = [], self.added(points[0])
        for x in points:
            h, gate = x, 0
            for step in self.body:
                if isinstance(step, Gate):
                    slopes[gate].append(step.slope(h))
                    gate += 1
                h = step.apply(h)
            logits.append(h + added)
        stacked = [np.stack(s) for s in slopes]
        return Record(self, np.stack(logits), stacked, weights.astype(points[0].dtype))


@dataclass(frozen=True, eq=False)
class Record:
    """A chain that was run at some inputs: its logits there, the slopes of its gates, and the inputs' weights."""

    chain: Chain
    logits: Float[np.ndarray, "n_points n_nodes n_classes"]
    slopes: list[Float[np.ndarray, "n_points n_nodes _"]]
    weights: Float[np.ndarray, " n_points"]
    _mean_slope: list[np.ndarray] = field(default_factory=list)

    def pull_back(
        self, node: int, target_class: int, through: Backward | None = None
    ) -> tuple[Int[np.ndarray, " n_rows"], Float[np.ndarray, "n_rows d"]]:
        """The gradient of one node's output by the input, summed over the points: the rows where it may differ from 0.

        ``through`` replaces the rule at gates, g ↦ g · slope. Points that differ only in factors met before the first
        gate (or head) on the way back are summed there.
        """
        rows = np.array([node])
        one = np.zeros((1, 1, self.logits.shape[-1]), self.logits.dtype)
        one[..., target_class] = 1
        slopes = list(self.slopes)
        if self.chain.head is not None:
            g = self.chain.head.slope(self.logits[:, rows], np.array([target_class]))
        elif len(slopes) == 1:
            g, slopes = one, [self._mean()]
        else:
            g = one.repeat(len(self.logits), axis=0)
        summed = self.chain.head is None and len(self.slopes) == 1
        for step in reversed(self.chain.body):
            if not summed and not slopes:
                g, summed = np.einsum("p,prd->rd", self.weights, g)[None], True
            if isinstance(step, Gate):
                slope = slopes.pop()[:, rows]
                g = g * slope if through is None else through(step, g, slope)
            else:
                rows, g = step.pull(rows, g)
        return rows, g[0] if summed else np.einsum("p,prd->rd", self.weights, g)

    def _mean(self) -> Float[np.ndarray, "1 n_nodes d"]:
        if not self._mean_slope:
            self._mean_slope.append(np.einsum("p,pnd->nd", self.weights, self.slopes[0])[None])
        return self._mean_slope[0]


def _mix_back(
    mixing: sparse.csr_array, rows: Int[np.ndarray, " n_rows"], g: Float[np.ndarray, "*steps n_rows d"]
) -> tuple[Int[np.ndarray, " n_before"], Float[np.ndarray, "*steps n_before d"]]:
    part = mixing[rows]
    before, columns = np.unique(part.indices, return_inverse=True)
    back = sparse.csr_array((part.data, columns, part.indptr), shape=(len(rows), len(before))).T
    flat = np.moveaxis(g, -2, 0).reshape(len(rows), g[..., 0, :].size if len(rows) else 0)
    mixed = (back @ flat).reshape(len(before), *g.shape[:-2], g.shape[-1])
    return before, np.moveaxis(mixed, 0, -2)
