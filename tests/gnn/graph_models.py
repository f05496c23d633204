"""Small graph networks and graphs for the tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, GINConv, SAGEConv

from truescope.gnn.whiteboxes import Instance, Setting, WhiteBox, generate


class TwoLayers(nn.Module):
    """conv → ReLU (functional) → conv: a model in which hooks on modules see no ReLU."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x, edge_index)), edge_index)


def gcn(d: int = 5, hidden: int = 7, classes: int = 3, seed: int = 0) -> TwoLayers:
    torch.manual_seed(seed)
    return TwoLayers(GCNConv(d, hidden), GCNConv(hidden, classes)).eval()


def sage(d: int = 5, hidden: int = 7, classes: int = 3, seed: int = 0) -> TwoLayers:
    torch.manual_seed(seed)
    return TwoLayers(SAGEConv(d, hidden), SAGEConv(hidden, classes)).eval()


def gin(d: int = 5, hidden: int = 7, classes: int = 3, seed: int = 0) -> TwoLayers:
    torch.manual_seed(seed)
    perceptron = nn.Sequential(nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
    return TwoLayers(GINConv(perceptron, eps=0.3), GINConv(nn.Linear(hidden, classes))).eval()


def ring_graph(n: int = 12, d: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A directed ring with chords: every node has two arcs into it."""
    torch.manual_seed(seed)
    nodes = torch.arange(n)
    arcs = torch.stack([torch.cat([nodes, nodes]), torch.cat([(nodes + 1) % n, (nodes * 3 + 2) % n])])
    arcs = arcs[:, arcs[0] != arcs[1]].unique(dim=1)
    return torch.randn(n, d), arcs


def white_box(name: str, setting: Setting, seed: int) -> tuple[Instance, WhiteBox]:
    instance = generate(setting, seed)
    return instance, WhiteBox(name, instance.beta, instance.important, instance.x, instance.edge_index)
