"""Graph networks of many kinds, for the gradients that are read from autograd's record."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

D, HIDDEN, CLASSES = 5, 6, 3


class Net(nn.Module):
    """conv → activation → conv; what else the layers take is given to both."""

    def __init__(self, first: nn.Module, second: nn.Module, between: nn.Module | None = None) -> None:
        super().__init__()
        self.first, self.between, self.second = first, between or nn.ReLU(), second

    def forward(self, x: Tensor, edge_index: Tensor, **others: Any) -> Tensor:
        return self.second(self.between(self.first(x, edge_index, **others)), edge_index, **others)


def net(layer: Callable[..., nn.Module], between: nn.Module | None = None, **options: Any) -> nn.Module:
    return Net(layer(D, HIDDEN, **options), layer(HIDDEN, CLASSES, **options), between)


class Call(nn.Module):
    """A model written as a function of itself, features and arcs."""

    def __init__(self, call: Callable[[Any, Tensor, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.call = call
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.call(self, x, edge_index)


class Backwards(pyg.MessagePassing):
    """Messages from targets to sources, of both ends, with an update of its own."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__(aggr=["mean", "max"], flow="target_to_source")
        self.lin = nn.Linear(2 * d_in, d_out)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.lin(self.propagate(edge_index, x=x))

    def message(self, x_i: Tensor, x_j: Tensor) -> Tensor:
        return torch.tanh(x_i) * x_j

    def update(self, inputs: Tensor, x: Tensor) -> Tensor:
        return inputs + torch.cat([x, x.square()], 1)


class OwnGradient(torch.autograd.Function):
    """A rectifier whose gradient is not that of what it computes."""

    @staticmethod
    def forward(ctx: Any, h: Tensor) -> Tensor:
        ctx.save_for_backward(h)
        return h.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (h,) = ctx.saved_tensors
        return grads[0] * torch.sigmoid(3 * h)


def perceptron(d_in: int, d_out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(d_in, d_out), nn.BatchNorm1d(d_out), nn.ReLU(), nn.Linear(d_out, d_out))


def _sparse(self: Any, x: Tensor, edge_index: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        n = len(x)
        arcs = torch.sparse_coo_tensor(edge_index.flip(0), x.new_ones(edge_index.shape[1]), (n, n)).coalesce()
        return self.second(torch.relu(self.first(x, arcs.to_sparse_csr())), arcs)


def _halves(self: Any, x: Tensor, edge_index: Tensor) -> Tensor:
    n = len(x)
    odd = torch.arange(n) % 2 == 1
    back = torch.cat([odd.nonzero()[:, 0], (~odd).nonzero()[:, 0]]).argsort()
    inside = edge_index[:, edge_index[1] < n // 2]
    low = self.two((x, x[: n // 2]), inside)
    mixed = torch.cat([x[odd], x[~odd]])[back]
    return torch.cat([low, mixed[n // 2 :, :CLASSES]]) + self.one(x[torch.arange(n) - 1], edge_index)


def _hooked(self: Any, x: Tensor, edge_index: Tensor) -> Tensor:
    h = self.first(x, edge_index)
    if h.requires_grad:
        h.register_hook(lambda g: 2 * g)
    return self.second(torch.relu(h), edge_index)


def _strange(self: Any, x: Tensor, edge_index: Tensor) -> Tensor:
    h = self.first(x, edge_index)
    h[::2] *= 0.5
    h.relu_()
    a, b = h.chunk(2, 1)
    h = torch.cat([a * h.mean(), b.double().exp().to(x.dtype), h.std(0, keepdim=True).expand(len(h), -1)], 1)
    h = h + torch.where(h > 0.3, h, h.detach()) + x.norm()
    return self.second(h, edge_index)


def _twice(self: Any, x: Tensor, edge_index: Tensor) -> Tensor:
    h = self.lin(x)
    return self.out(h + self.same(torch.relu(self.same(h, edge_index)), edge_index), edge_index).log_softmax(-1)


def _two_layers(first: nn.Module, second: nn.Module, call: Callable[[Any, Tensor, Tensor], Tensor]) -> nn.Module:
    return Call(call, first=first, second=second)


GCN = pyg.GCNConv
RECOGNISED: Mapping[str, Callable[[], nn.Module]] = {
    "GCN": lambda: net(GCN),
    "GCN, weighted": lambda: net(GCN),
    "GCN, improved, GELU": lambda: net(GCN, nn.GELU(), improved=True),
    "GraphConv, weighted, max": lambda: net(pyg.GraphConv, aggr="max"),
    "GAT": lambda: Net(pyg.GATConv(D, 3, heads=2, dropout=0.5), pyg.GATConv(6, CLASSES, heads=2, concat=False)),
    "GAT, arc features": lambda: net(pyg.GATConv, nn.ELU(), edge_dim=2),
    "GATv2": lambda: net(pyg.GATv2Conv, nn.LeakyReLU(), residual=True),
    "Transformer": lambda: net(pyg.TransformerConv, edge_dim=2, beta=True),
    "SAGE": lambda: net(pyg.SAGEConv, nn.Sequential(nn.BatchNorm1d(HIDDEN), nn.Dropout(0.5), nn.ReLU())),
    "SAGE, several aggregations": lambda: net(pyg.SAGEConv, aggr=["mean", "min", "std", "sum"]),
    "SAGE, softmax": lambda: net(pyg.SAGEConv, aggr="softmax"),
    "GIN": lambda: Net(pyg.GINConv(perceptron(D, HIDDEN), eps=0.2), pyg.GINConv(nn.Linear(HIDDEN, CLASSES))),
    "EdgeConv": lambda: Net(pyg.EdgeConv(perceptron(2 * D, HIDDEN)), pyg.EdgeConv(perceptron(2 * HIDDEN, CLASSES))),
    "own messages, against the arcs": lambda: Net(Backwards(D, HIDDEN), Backwards(HIDDEN, CLASSES)),
    "skips, a layer twice": lambda: Call(
        _twice, lin=nn.Linear(D, HIDDEN), same=GCN(HIDDEN, HIDDEN), out=pyg.SAGEConv(HIDDEN, CLASSES)
    ),
    "jumping knowledge": lambda: pyg.GIN(D, HIDDEN, 3, CLASSES, norm="BatchNorm", jk="cat"),
    "two kinds of nodes": lambda: Call(_halves, two=pyg.SAGEConv((D, D), CLASSES), one=GCN(D, CLASSES)),
}
"""Models whose every operation on arcs has a rule of its own."""

OTHERS: Mapping[str, Callable[[], nn.Module]] = {
    "jumping knowledge, max": lambda: pyg.GraphSAGE(D, HIDDEN, 3, CLASSES, norm="LayerNorm", jk="max"),
    "jumping knowledge, LSTM": lambda: pyg.GCN(D, HIDDEN, 2, CLASSES, norm="PairNorm", jk="lstm"),
    "SAGE, median": lambda: net(pyg.SAGEConv, aggr="median"),
    "SAGE, LSTM over sorted arcs": lambda: Call(
        lambda self, x, arcs: self.conv(x, arcs[:, arcs[1].argsort(stable=True)]),
        conv=pyg.SAGEConv(D, CLASSES, aggr="lstm"),
    ),
    "sparse tensors": lambda: _two_layers(GCN(D, HIDDEN, normalize=False), pyg.SAGEConv(HIDDEN, CLASSES), _sparse),
    "decomposed": lambda: Net(GCN(D, HIDDEN, decomposed_layers=2), GCN(HIDDEN, CLASSES)),
    "Chebyshev": lambda: net(pyg.ChebConv, nn.Softplus(), K=3),
    "principal aggregation": lambda: net(
        pyg.PNAConv, aggregators=["mean", "max"], scalers=["identity", "attenuation"], deg=torch.tensor([0, 2, 6, 4])
    ),
    "propagation of predictions": lambda: Call(
        lambda self, x, arcs: self.spread(self.lin(x).softmax(-1), arcs),
        lin=nn.Linear(D, CLASSES),
        spread=pyg.APPNP(4, 0.2),
    ),
    "a gradient of its own": lambda: _two_layers(
        GCN(D, HIDDEN),
        GCN(HIDDEN, CLASSES),
        lambda self, x, arcs: self.second(OwnGradient.apply(self.first(x, arcs)), arcs),
    ),
    "in place, detached, doubled, global": lambda: _two_layers(GCN(D, HIDDEN), GCN(2 * HIDDEN, CLASSES), _strange),
    "one output": lambda: _two_layers(
        GCN(D, HIDDEN), GCN(HIDDEN, 1), lambda self, x, arcs: self.second(self.first(x, arcs).tanh(), arcs)[:, 0]
    ),
    "features as they are": lambda: Call(lambda self, x, arcs: x),
    "features of one output": lambda: Call(lambda self, x, arcs: torch.stack([x[:, 0] ** 3, x.sum(1)], 1)),
    "partly constant": lambda: Call(
        lambda self, x, arcs: torch.cat([torch.ones(len(x), 2), self.lin(x) - 99], 1), lin=nn.Linear(D, 1)
    ),
    "constant": lambda: Call(lambda self, x, arcs: torch.ones(len(x), CLASSES)),
}
"""Models with something in them that is autograd's own affair."""

HOOKED: Mapping[str, Callable[[], nn.Module]] = {
    "a hook on a tensor": lambda: _two_layers(GCN(D, HIDDEN), GCN(HIDDEN, CLASSES), _hooked),
}
"""Models whose gradients are changed by hooks that the record does not show."""

ARGUMENTS: Mapping[str, Callable[[int], dict[str, Tensor]]] = {
    "GCN, weighted": lambda n: {"edge_weight": torch.rand(n)},
    "GraphConv, weighted, max": lambda n: {"edge_weight": torch.rand(n)},
    "GAT, arc features": lambda n: {"edge_attr": torch.randn(n, 2)},
    "Transformer": lambda n: {"edge_attr": torch.randn(n, 2)},
}
