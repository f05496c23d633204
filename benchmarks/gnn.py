"""Explaining nodes of a 4,039-node graph network, beside PyTorch Geometric on the same machine in the same run.

    python benchmarks/gnn.py [--data FOLDER] [--out FILE]

The graph is ego-Facebook's ten networks together (88,234 edges) where the data are there, else a random one of the same
size; the model a two-layer GCN of width 32 on 319 binary features. The generic way, which knows nothing of the model's
steps, is timed on it too and on a two-layer GAT (4 heads of 8). One thread, seconds of the processor, everything
included. Deterministic explainers are compared entry by entry on the nodes that PyTorch Geometric explains too.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.explain import CaptumExplainer, Explainer, GNNExplainer
from torch_geometric.nn import GATConv, GCNConv

from machine import describe
from truescope.gnn.data import combined_edges
from truescope.gnn.explainers import gnn_explainer, integrated_gradients, saliency
from truescope.gnn.networks import Subject
from truescope.gnn.whiteboxes import both_ways

N_NODES, N_EDGES, N_FEATURES, HIDDEN, N_CLASSES = 4039, 88234, 319, 32, 4
EPOCHS = 20
"""Of GNNExplainer, on both sides; its cost is the same in each."""
N_OURS = {"saliency": 100, "integrated_gradients": 100, "gnn_explainer": 12}
N_PYG = {"saliency": 12, "integrated_gradients": 4, "gnn_explainer": 2}
N_ATTENTION = {"saliency": (100, 6), "integrated_gradients": (100, 2)}
"""Nodes here and there with the attention model; the targets are for the other one."""
TARGETS = {"saliency": 10, "integrated_gradients": 50, "gnn_explainer": 10}
GENERIC_TARGETS = {"saliency": 5, "integrated_gradients": 20}
PEERS = {"saliency": ("Saliency", saliency), "integrated_gradients": ("IntegratedGradients", integrated_gradients)}


class Network(nn.Module):
    """Two graph layers with a ReLU between; biases that are not zero, or its gates were the same all along a path."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(parameter, std=0.1)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x, edge_index)), edge_index)


def graph(data: Path | None) -> tuple[Tensor, Tensor, str]:
    """Features, arcs, and where the arcs are from."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy((rng.random((N_NODES, N_FEATURES)) < 0.025).astype(np.float32))
    path = data / "graphs" / "facebook_ego" / "facebook_combined.txt" if data else None
    if path is not None and path.is_file():
        return x, combined_edges(path), "ego-Facebook, all ten networks"
    edges = rng.integers(N_NODES, size=(2 * N_EDGES, 2))
    edges = np.unique(np.sort(edges[edges[:, 0] != edges[:, 1]], 1), axis=0)
    return x, torch.from_numpy(both_ways(rng.permutation(edges)[:N_EDGES])), "random, of the size of ego-Facebook"


def pyg(
    model: nn.Module, x: Tensor, edge_index: Tensor, algorithm: Any, nodes: np.ndarray
) -> tuple[float, list[Tensor]]:
    """PyTorch Geometric's seconds a node, and its node masks."""
    config = {"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"}
    learns = isinstance(algorithm, GNNExplainer)
    masks = ("common_attributes", "object") if learns else ("attributes", None)
    explainer = Explainer(model, algorithm, "model", config, node_mask_type=masks[0], edge_mask_type=masks[1])
    began = time.process_time()
    found = [explainer(x, edge_index, index=torch.tensor([int(node)])).node_mask for node in nodes]
    return (time.process_time() - began) / len(nodes), found


def ours(call: Callable[[np.ndarray], Any], nodes: np.ndarray) -> float:
    """Our seconds a node, everything included."""
    began = time.process_time()
    call(nodes)
    return (time.process_time() - began) / len(nodes)


def compare(data: Path | None) -> dict[str, Any]:
    """All rows: seconds a node on both sides, their ratio, and the largest difference of scores."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, edge_index, source = graph(data)
    convolutional = Network(GCNConv(N_FEATURES, HIDDEN), GCNConv(HIDDEN, N_CLASSES)).eval()
    attentive = Network(GATConv(N_FEATURES, HIDDEN // 4, heads=4), GATConv(HIDDEN, N_CLASSES)).eval()
    nodes = np.random.default_rng(1).permutation(N_NODES)
    rows = []
    for name in PEERS:
        targets = {name: TARGETS[name], f"{name}, generic": GENERIC_TARGETS[name]}
        rows += against(name, (convolutional, x, edge_index), nodes, (N_OURS[name], N_PYG[name]), targets)
    for name, n in N_ATTENTION.items():
        way = f"{name}, generic, attention"
        rows += against(name, (attentive, x, edge_index), nodes, n, {way: None})
    name = "gnn_explainer"
    theirs, _ = pyg(convolutional, x, edge_index, GNNExplainer(epochs=EPOCHS), nodes[: N_PYG[name]])
    fast = ours(lambda v: gnn_explainer(Subject(convolutional, x, edge_index), v, epochs=EPOCHS), nodes[: N_OURS[name]])
    rows.append(row(name, theirs, fast, TARGETS[name], N_PYG[name], N_OURS[name], None))
    facts = {"n_nodes": N_NODES, "n_arcs": edge_index.shape[1], "n_features": N_FEATURES}
    facts |= {"hidden": HIDDEN, "arcs": source}
    return {"graph": facts, "epochs": EPOCHS, "threads": 1, "rows": rows, "machine": describe()}


def against(
    name: str,
    subject: tuple[nn.Module, Tensor, Tensor],
    nodes: np.ndarray,
    n: tuple[int, int],
    targets: Mapping[str, float | None],
) -> list[dict[str, Any]]:
    """One explainer, each way that is named, beside PyTorch Geometric; n nodes here and there."""
    algorithm, method = PEERS[name]
    theirs, masks = pyg(*subject, CaptumExplainer(algorithm), nodes[: n[1]])
    rows = []
    for way, target in targets.items():
        generic = "generic" in way
        mine = ours(lambda v, generic=generic: method(Subject(*subject), v, generic=generic), nodes[: n[0]])
        full = method(Subject(*subject), nodes[: n[1]], full=True, generic=generic).full
        gap = max(float(np.abs(m.numpy() - f).max()) for m, f in zip(masks, full, strict=True))
        rows.append(row(way, theirs, mine, target, n[1], n[0], gap))
    return rows


def row(
    name: str, theirs: float, mine: float, target: float | None, n_pyg: int, n_ours: int, gap: float | None
) -> dict[str, Any]:
    """One line of the table."""
    ratio = theirs / mine
    return {
        "explainer": name,
        "pyg_seconds_a_node": theirs,
        "seconds_a_node": mine,
        "ratio": ratio,
        "target": target,
        "met": None if target is None else ratio >= target,
        "n_pyg": n_pyg,
        "n": n_ours,
        "largest_difference": gap,
    }


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/gnn.json"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    record = compare(arguments.data)
    for r in record["rows"]:
        gap = "" if r["largest_difference"] is None else f"  scores differ by {r['largest_difference']:.1e}"
        aim = "" if r["target"] is None else f" (target {r['target']}×)"
        print(
            f"{r['explainer']:<42}{r['pyg_seconds_a_node']:>9.3f} s → {r['seconds_a_node']:.4f} s a node  "
            f"{r['ratio']:>7.1f}×{aim}{gap}"
        )
    arguments.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
