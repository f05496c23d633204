"""White boxes with logic in them, where saturation matters and plain gradients should fail.

Each is a rule over a node's in-neighbours whose true features are known, compiled to the weights of ReLU networks and
graph convolutions, so that every explainer can be run on it. m_f is the number of in-neighbours with feature f (or, for
the attention box, a weighted mean):

    and          1 where a neighbour has a and a neighbour has b                   relu(min(m_a, 1) + min(m_b, 1) − 1)
    xor          1 where exactly one of the two is in the neighbourhood            p + q − 2 relu(p + q − 1)
    threshold    1 where at least k neighbours have a                              relu(m − k + 1) − relu(m − k)
    max          the largest value of a among the neighbours                       by a max over messages
    attention    the mean of b over neighbours, weighted by softmax of a

min(m, 1) = 1 − relu(1 − m) saturates: with two neighbours that have a, neither's gradient says so.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing, SimpleConv
from torch_geometric.utils import softmax

from truescope.core.errors import UsageError, nearest
from truescope.gnn.networks import Chain, Convolution, Gate, Term
from truescope.gnn.networks.layers import adjacency

RuleBoxName = Literal["and", "xor", "threshold", "max", "attention"]
RULE_BOXES: tuple[str, ...] = get_args(RuleBoxName)
"""The rules by name."""


class RuleBox(nn.Module):
    """A rule over the features ``columns`` of a node's in-neighbours; the output is one number a node.

    Raises:
        UsageError: no such rule, or columns that do not fit it (two for and, xor, attention; one for the others).
    """

    pick: Tensor

    def __init__(self, name: RuleBoxName | str, n_features: int, columns: tuple[int, ...], k: int = 2) -> None:
        super().__init__()
        if name not in RULE_BOXES:
            raise UsageError(f"there is no rule {name!r}", fix=nearest(name, RULE_BOXES) or ", ".join(RULE_BOXES))
        wanted = 1 if name in ("threshold", "max") else 2
        if len(set(columns)) != wanted or not all(0 <= c < n_features for c in columns) or k < 1:
            raise UsageError(f"the rule {name} over features {columns}", fix=f"name {wanted} of {n_features} features")
        self.name, self.columns, self.k = name, columns, k
        pick = torch.zeros(len(columns), n_features)
        pick[range(len(columns)), list(columns)] = 1
        self.register_buffer("pick", pick)
        aggregation: MessagePassing = (
            _Attention() if name == "attention" else SimpleConv("max" if name == "max" else "sum")
        )
        self.aggregation = aggregation
        self.act = nn.ReLU()

    def forward(
        self, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]
    ) -> Float[Tensor, "n_nodes 1"]:
        """The rule's value at every node."""
        m = self.aggregation(x @ self.pick.to(x.dtype).T, edge_index)
        if self.name in ("max", "attention"):
            return m[:, -1:]
        for weights, bias in self._layers(x.dtype)[:-1]:
            m = self.act(m @ weights.T + bias)
        weights, bias = self._layers(x.dtype)[-1]
        return m @ weights.T + bias

    def _layers(self, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
        """The compiled ReLU network on the counts of neighbours: weights and biases, layer by layer."""
        if self.name == "threshold":
            layers = [([[1.0], [1.0]], [1.0 - self.k, -float(self.k)]), ([[1.0, -1.0]], [0.0])]
        else:
            # h = relu(1 − m) per feature; min(m, 1) = 1 − h; their sum less one is 1 − h_a − h_b.
            both = ([[-1.0, -1.0], [1.0, 1.0]], [1.0, 0.0]) if self.name == "xor" else ([[-1.0, -1.0]], [1.0])
            last = ([[-2.0, -1.0]], [2.0]) if self.name == "xor" else ([[1.0]], [0.0])
            layers = [([[-1.0, 0.0], [0.0, -1.0]], [1.0, 1.0]), both, last]
        return [(torch.tensor(w, dtype=dtype), torch.tensor(b, dtype=dtype)) for w, b in layers]

    def chain(self, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]) -> Chain:
        """The compiled steps. Raises UsageError for max and attention, which are no sums over neighbours."""
        if self.name in ("max", "attention"):
            raise UsageError(f"{self.name} is no sum over neighbours", why="its arcs' weights depend on the features")
        S = sparse.csr_array(adjacency(edge_index, None, len(x), "source_to_target"), dtype=x.numpy().dtype)
        steps: list[Convolution | Gate] = [Convolution("count", (Term(S, self.pick.to(x.dtype).numpy()),))]
        layers = self._layers(x.dtype)
        for i, (weights, bias) in enumerate(layers):
            steps.append(Convolution(f"layer {i}", (Term(None, weights.numpy()),), bias.numpy()))
            if i + 1 < len(layers):
                steps.append(Gate("relu", torch.relu, True))
        return Chain(tuple(steps))

    def truth(self, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]) -> np.ndarray:
        """The rule by counting, without any of the weights: what the compiled model must equal."""
        values = x[:, list(self.columns)].double().numpy()
        out = np.zeros(len(x))
        for i in range(len(x)):
            near = values[edge_index[0][edge_index[1] == i].numpy()]
            m = near.sum(0)
            if self.name == "threshold":
                out[i] = float(m[0] >= self.k)
            elif self.name == "max":
                out[i] = near[:, 0].max(initial=0.0) if len(near) else 0.0
            elif self.name == "attention":
                weights = np.exp(near[:, 0])
                out[i] = (weights @ near[:, 1]) / weights.sum() if len(near) else 0.0
            else:
                a, b = m[0] > 0, m[1] > 0
                out[i] = float(a and b) if self.name == "and" else float(a != b)
        return out

    def relies_on(
        self, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]
    ) -> Bool[np.ndarray, "n_nodes n_features"]:
        """Which features can change a node's output at all: the rule's, where the node has neighbours enough."""
        degree = torch.bincount(edge_index[1], minlength=len(x)).numpy()
        used = np.zeros((len(x), x.shape[1]), dtype=bool)
        used[:, list(self.columns)] = (degree >= (self.k if self.name == "threshold" else 1))[:, None]
        return used


class _Attention(MessagePassing):
    """Σ_j softmax_j(x_j0) x_j over in-neighbours."""

    def __init__(self) -> None:
        super().__init__(aggr="sum", node_dim=0)

    def forward(self, x: Float[Tensor, "n_nodes 2"], edge_index: Int[Tensor, "2 n_arcs"]) -> Float[Tensor, "n_nodes 2"]:
        """The weighted mean of the neighbours' rows."""
        return self.propagate(edge_index, x=x)

    def message(self, x_j: Tensor, index: Tensor, size_i: int) -> Tensor:
        """A neighbour's row times its weight."""
        return softmax(x_j[:, 0], index, num_nodes=size_i)[:, None] * x_j
