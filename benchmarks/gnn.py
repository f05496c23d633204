"""Explaining nodes of a 4,039-node graph network, beside PyTorch Geometric on the same machine in the same run.

    python benchmarks/gnn.py [--data FOLDER] [--out FILE]

The graph is ego-Facebook's ten networks together (88,234 edges) where the data are there, else a random one of the same
size; the model a two-layer GCN of width 32 on 319 binary features. One thread, seconds of the processor. Deterministic
explainers are compared entry by entry on the nodes that PyTorch Geometric explains too.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.explain import CaptumExplainer, Explainer, GNNExplainer
from torch_geometric.nn import GCNConv

from machine import describe
from truescope.gnn.data import combined_edges
from truescope.gnn.explainers import gnn_explainer, integrated_gradients, saliency
from truescope.gnn.networks import Subject
from truescope.gnn.whiteboxes import both_ways

N_NODES, N_EDGES, N_FEATURES, HIDDEN, N_CLASSES = 4039, 88234, 319, 32, 4
EPOCHS = 20
"""Of GNNExplainer, on both sides; its cost is the same in each."""
N_OURS = {"saliency": 100, "integrated_gradients": 100, "gnn_explainer": 12}
N_PYG = {"saliency": 6, "integrated_gradients": 2, "gnn_explainer": 1}
TARGETS = {
    "saliency": 10,
    "integrated_gradients": 50,
    "saliency, generic": 5,
    "integrated_gradients, generic": 20,
    "gnn_explainer": 10,
}


class Network(nn.Module):
    """Two graph convolutions with a ReLU between."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = GCNConv(N_FEATURES, HIDDEN), GCNConv(HIDDEN, N_CLASSES)

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
    model = Network().eval()
    subject = Subject(model, x, edge_index)
    nodes = np.random.default_rng(1).permutation(N_NODES)
    rows = []
    peers = {
        "saliency": (CaptumExplainer("Saliency"), saliency),
        "integrated_gradients": (CaptumExplainer("IntegratedGradients"), integrated_gradients),
    }
    for name, (algorithm, method) in peers.items():
        theirs, masks = pyg(model, x, edge_index, algorithm, nodes[: N_PYG[name]])
        full = method(subject, nodes[: N_PYG[name]], full=True).full
        gap = max(float(np.abs(m.numpy() - f).max()) for m, f in zip(masks, full, strict=True))
        fast = ours(lambda v, m=method: m(Subject(model, x, edge_index), v), nodes[: N_OURS[name]])
        n_generic = 12
        slow = ours(lambda v, m=method: m(Subject(model, x, edge_index), v, generic=True), nodes[:n_generic])
        rows.append(row(name, theirs, fast, N_PYG[name], N_OURS[name], gap))
        rows.append(row(f"{name}, generic", theirs, slow, N_PYG[name], n_generic, gap))
    name = "gnn_explainer"
    theirs, _ = pyg(model, x, edge_index, GNNExplainer(epochs=EPOCHS), nodes[: N_PYG[name]])
    fast = ours(lambda v: gnn_explainer(Subject(model, x, edge_index), v, epochs=EPOCHS), nodes[: N_OURS[name]])
    rows.append(row(name, theirs, fast, N_PYG[name], N_OURS[name], None))
    facts = {"n_nodes": N_NODES, "n_arcs": edge_index.shape[1], "n_features": N_FEATURES}
    facts |= {"hidden": HIDDEN, "arcs": source}
    return {"graph": facts, "epochs": EPOCHS, "threads": 1, "rows": rows, "machine": describe()}


def row(name: str, theirs: float, mine: float, n_pyg: int, n_ours: int, gap: float | None) -> dict[str, Any]:
    """One line of the table."""
    ratio = theirs / mine
    return {
        "explainer": name,
        "pyg_seconds_a_node": theirs,
        "seconds_a_node": mine,
        "ratio": ratio,
        "target": TARGETS[name],
        "met": ratio >= TARGETS[name],
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
        print(
            f"{r['explainer']:<32}{r['pyg_seconds_a_node']:>9.3f} s → {r['seconds_a_node']:.4f} s a node  "
            f"{r['ratio']:>7.1f}× (target {r['target']}×){gap}"
        )
    arguments.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
