"""The three published white-box node classifiers: which features and arcs they use is known by construction.

    Local         z = X β + γ D 1
    Neighborhood  z = P X β + γ D 1          (a node's own features are not used)
    Two-hop       z = P P X β + γ² D D 1     (one layer applied twice, nothing non-linear between)

P is the mean over important in-arcs, D their number over the mean degree; y = sigmoid((z − mean) / std), with mean and
standard deviation (n − 1) frozen on the graph that the classifier was made on. The output is (1 − y, y).
Monti et al., "A True-to-the-Model Axiomatic Benchmark for Graph-based Explainers" (TMLR, HSQTv3R8Iz).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse
from torch import Tensor, nn

from truescope.core.errors import ModelError, UsageError, nearest
from truescope.gnn.networks.chain import Chain, Convolution, Head, Term
from truescope.gnn.whiteboxes.layers import ImportantDegree, ImportantMean

WhiteBoxName = Literal["local", "neighborhood", "two-hop"]
WHITE_BOXES: tuple[str, ...] = get_args(WhiteBoxName)
"""The published white boxes, in order of how far they look."""


class WhiteBox(nn.Module):
    """A published white box on one graph: ``beta`` says which features count, signed, ``important`` which arcs.

    Raises:
        UsageError: no such white box, or shapes that do not fit together.
        ModelError: the logits do not vary on the graph, so that they cannot be standardised.
    """

    beta: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: WhiteBoxName | str,
        beta: Float[Tensor, " n_features"],
        important: Bool[Tensor, " n_arcs"],
        x: Float[Tensor, "n_nodes n_features"],
        edge_index: Int[Tensor, "2 n_arcs"],
        gamma: float = 1.0,
    ) -> None:
        super().__init__()
        if name not in WHITE_BOXES:
            raise UsageError(f"there is no white box {name!r}", fix=nearest(name, WHITE_BOXES) or str(WHITE_BOXES))
        self.name = name
        self.hops = WHITE_BOXES.index(name)
        mean_degree = float(torch.bincount(edge_index[0]).double().mean()) if edge_index.numel() else 1.0
        self.register_buffer("beta", beta)
        self.mean_layer = ImportantMean(important)
        self.degree_layer = ImportantDegree(important, gamma, mean_degree)
        with torch.no_grad():
            z = self.logits(x, edge_index)
        self.register_buffer("mean", z.mean())
        self.register_buffer("std", z.std())
        if not self.std > 0:
            raise ModelError(
                f"the {name} white box gives every node the same logit on this graph",
                why="its logits are standardised over the nodes, and have no spread",
                fix="give the graph more nodes, arcs or differing features",
            )

    def logits(
        self, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]
    ) -> Float[Tensor, " n_nodes"]:
        """z, before it is standardised."""
        hidden = x
        for _ in range(self.hops):
            hidden = self.mean_layer(hidden, edge_index)
        return hidden @ self.beta + self.degree_term(x, edge_index)

    def degree_term(
        self, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]
    ) -> Float[Tensor, " n_nodes"]:
        """γ D 1, or γ² D D 1 in the two-hop classifier."""
        degree = torch.ones_like(x[:, :1])
        for _ in range(max(1, self.hops)):
            degree = self.degree_layer(degree, edge_index)
        return degree[:, 0]

    def forward(
        self, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]
    ) -> Float[Tensor, "n_nodes 2"]:
        """The probabilities (1 − y, y) of the two classes."""
        y = torch.sigmoid((self.logits(x, edge_index) - self.mean) / self.std)
        return torch.stack([1 - y, y], dim=1)

    def sees_features(self, edge_index: Int[Tensor, "2 n_arcs"], n_nodes: int) -> Bool[np.ndarray, " n_nodes"]:
        """For which nodes any feature can matter at all: those with an important walk of ``hops`` arcs into them."""
        P = important_mean(edge_index, self.mean_layer.important, n_nodes)
        reach = np.ones(n_nodes)
        for _ in range(self.hops):
            reach = P @ reach
        return reach > 0

    def chain(self, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]) -> Chain:
        """The same function as a chain of steps, for explainers that work on the steps."""
        n = len(x)
        P = important_mean(edge_index, self.mean_layer.important, n)
        sources, targets = edge_index[:, self.mean_layer.important].numpy()
        D = sparse.csr_array((np.full(len(sources), self.degree_layer.scale), (targets, sources)), shape=(n, n))
        beta, sign = self.beta.numpy(), np.array([[-1.0], [1.0]])
        mean, std = float(self.mean), float(self.std)
        offset = torch.tensor([-mean, mean], dtype=x.dtype)
        # Two opposed logits: the sigmoid of each is the probability of its class.
        head = Head("sigmoid", lambda z: torch.sigmoid((z - offset) / std))
        counts = [Convolution("degree", (Term(D, None),)) for _ in range(max(1, self.hops))]
        degree = Chain((*counts, Convolution("sign", (Term(None, sign),))))
        means = [Convolution("mean", (Term(P, None),)) for _ in range(self.hops)]
        return Chain((*means, Convolution("beta", (Term(None, sign * beta),)), head), degree)


def important_mean(
    edge_index: Int[Tensor, "2 n_arcs"], important: Bool[Tensor, " n_arcs"], n_nodes: int
) -> sparse.csr_array:
    """P [i, j] = 1 / max(1, important in-arcs of i) where j→i is important."""
    sources, targets = edge_index[:, important].numpy()
    counts = np.maximum(np.bincount(targets, minlength=n_nodes), 1)
    return sparse.csr_array((1.0 / counts[targets], (targets, sources)), shape=(n_nodes, n_nodes))
