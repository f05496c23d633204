"""The two message-passing layers of the published white boxes: the mean over important arcs, and their count."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch_geometric.nn import MessagePassing

from truescope.core.errors import ModelError


def check_arcs(important: Bool[Tensor, " n_arcs"], edge_index: Int[Tensor, "2 n_given"]) -> None:
    """Raise ModelError where a graph does not have the arcs that the white box was made for."""
    if edge_index.shape[1] != len(important):
        raise ModelError(
            f"the white box knows {len(important)} arcs, the graph has {edge_index.shape[1]}",
            why="which arcs count is part of the model, arc by arc",
            fix="run it on the graph it was made for; mask arcs instead of cutting them out",
        )


class ImportantMean(MessagePassing):
    """h_i = Σ over important arcs j→i of x_j, divided by max(1, their number); other arcs carry nothing."""

    important: Tensor

    def __init__(self, important: Bool[Tensor, " n_arcs"]) -> None:
        super().__init__(aggr="sum", node_dim=0)
        self.register_buffer("important", important)

    def forward(
        self, x: Float[Tensor, "n_nodes d"], edge_index: Int[Tensor, "2 n_given"]
    ) -> Float[Tensor, "n_nodes d"]:
        """The mean of the important in-neighbours' rows; zero where there are none."""
        check_arcs(self.important, edge_index)
        total = self.propagate(edge_index, x=x, weight=self.important.to(x.dtype))
        count = torch.bincount(edge_index[1][self.important], minlength=len(x)).clamp(min=1)
        return total / count[:, None]

    def message(self, x_j: Tensor, weight: Tensor) -> Tensor:
        """x_j where the arc is important, else 0."""
        return weight[:, None] * x_j


class ImportantDegree(MessagePassing):
    """h_i = (γ / mean degree) Σ over important arcs j→i of x_j."""

    important: Tensor

    def __init__(self, important: Bool[Tensor, " n_arcs"], gamma: float, mean_degree: float) -> None:
        super().__init__(aggr="sum", node_dim=0)
        self.register_buffer("important", important)
        self.scale = gamma / mean_degree

    def forward(
        self, x: Float[Tensor, "n_nodes d"], edge_index: Int[Tensor, "2 n_given"]
    ) -> Float[Tensor, "n_nodes d"]:
        """The scaled sum over the important in-neighbours."""
        check_arcs(self.important, edge_index)
        return self.propagate(edge_index, x=x, weight=self.important.to(x.dtype))

    def message(self, x_j: Tensor, weight: Tensor) -> Tensor:
        """The scaled x_j where the arc is important, else 0."""
        return self.scale * weight[:, None] * x_j
