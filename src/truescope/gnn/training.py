"""Small graph networks trained on real graphs: GCN, GIN and GAT, two layers each, the same every time for a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv, GINConv, global_mean_pool

from truescope.core.errors import UsageError, nearest

NetworkKind = Literal["gcn", "gin", "gat"]
NETWORK_KINDS: tuple[str, ...] = get_args(NetworkKind)
"""The networks by name."""


class TwoLayerNetwork(nn.Module):
    """convolution → ReLU → dropout → convolution; the output is logits."""

    def __init__(self, first: nn.Module, second: nn.Module, dropout: float = 0.5) -> None:
        super().__init__()
        self.first, self.act, self.dropout, self.second = first, nn.ReLU(), nn.Dropout(dropout), second

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits [n_nodes, n_classes]."""
        return self.second(self.dropout(self.act(self.first(x, edge_index))), edge_index)


class MoleculeNetwork(nn.Module):
    """Two convolutions, the mean over each molecule's atoms, and a linear map; every atom gets its molecule's
    logits.
    """

    def __init__(self, first: nn.Module, second: nn.Module, hidden: int, n_classes: int) -> None:
        super().__init__()
        self.first, self.second, self.act, self.last = first, second, nn.ReLU(), nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor, edge_index: Tensor, molecule: Tensor) -> Tensor:
        """Logits [n_atoms, n_classes], the same at every atom of a molecule."""
        h = self.act(self.second(self.act(self.first(x, edge_index)), edge_index))
        return self.last(global_mean_pool(h, molecule))[molecule]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and the share of nodes it gets right, on those it was trained on and on the others."""

    model: nn.Module
    kind: str
    seed: int
    train_accuracy: float
    test_accuracy: float


def build_network(kind: NetworkKind | str, d_in: int, n_classes: int, hidden: int = 16) -> TwoLayerNetwork:
    """An untrained network. Raises UsageError where there is no such kind."""
    if kind == "gcn":
        return TwoLayerNetwork(GCNConv(d_in, hidden), GCNConv(hidden, n_classes))
    if kind == "gin":
        perceptron = nn.Sequential(nn.Linear(d_in, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        return TwoLayerNetwork(GINConv(perceptron), GINConv(nn.Linear(hidden, n_classes)))
    if kind == "gat":
        return TwoLayerNetwork(GATConv(d_in, hidden // 2, heads=2), GATConv(hidden, n_classes))
    raise UsageError(f"there is no network {kind!r}", fix=nearest(kind, NETWORK_KINDS) or ", ".join(NETWORK_KINDS))


def build_molecule_network(kind: NetworkKind | str, d_in: int, n_classes: int, hidden: int = 32) -> MoleculeNetwork:
    """An untrained network for molecules. Raises UsageError where there is no such kind."""
    inner = build_network(kind, d_in, hidden, hidden)
    return MoleculeNetwork(inner.first, inner.second, hidden, n_classes)


def train_network(
    kind: NetworkKind | str,
    x: Float[Tensor, "n_nodes d"],
    edge_index: Int[Tensor, "2 n_arcs"],
    y: Int[Tensor, " n_nodes"],
    train: Bool[Tensor, " n_nodes"],
    *,
    test: Bool[Tensor, " n_nodes"] | None = None,
    molecule: Int[Tensor, " n_nodes"] | None = None,
    hidden: int = 16,
    epochs: int = 150,
    lr: float = 0.01,
    weight_decay: float = 5e-4,
    seed: int = 0,
) -> Trained:
    """Train a network on the nodes of ``train`` by Adam; the others (or ``test``) say how it generalises.

    With ``molecule`` (which molecule each atom is in) it is a `MoleculeNetwork`, and labels are those of molecules.

    Kipf and Welling (2017), arXiv:1609.02907 (the recipe); Xu et al. (2019), Veličković et al. (2018) (GIN, GAT).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        n_classes, more = int(y.max()) + 1, () if molecule is None else (molecule,)
        build = build_network if molecule is None else build_molecule_network
        model: nn.Module = build(kind, x.shape[1], n_classes, hidden)
        optimiser = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay)
        model.train()
        for _ in range(epochs):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x, edge_index, *more)[train], y[train]).backward()
            optimiser.step()
    model.eval()
    with torch.no_grad():
        right = (model(x, edge_index, *more).argmax(1) == y).double()
    for parameter in model.parameters():
        parameter.grad = None
    others = ~train if test is None else test
    return Trained(model, str(kind), seed, float(right[train].mean()), float(right[others].mean()))
