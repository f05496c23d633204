"""Cora and CiteSeer as Planetoid's files hold them, read without running what is inside.

The files are Python 2 pickles. Only the classes that arrays, sparse matrices and dictionaries are made of are let in;
anything else is refused before it is made. Yang et al. (2016), arXiv:1603.08861: the split is theirs.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse
from torch import Tensor

from truescope.core.errors import GraphError
from truescope.gnn.whiteboxes import both_ways

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("scipy.sparse.csr", "csr_matrix"),
    ("collections", "defaultdict"),
    ("__builtin__", "list"),
    ("__builtin__", "object"),
    ("copy_reg", "_reconstructor"),
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads arrays, sparse matrices, lists and dictionaries; raises `GraphError` at the name of anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The class behind a name, if it is one that may be made."""
        if (module, name) not in _ALLOWED:
            raise GraphError(f"the file asks for {module}.{name}", why="only arrays and plain containers are read")
        if module == "scipy.sparse.csr":
            return sparse.csr_matrix
        if module == "numpy.core.multiarray":
            return np._core.multiarray._reconstruct
        return super().find_class(module, name)


@dataclass(frozen=True, eq=False)
class CitationGraph:
    """Papers, their words, who cites whom, their subjects, and the usual split."""

    name: str
    x: Float[Tensor, "n_nodes n_features"]
    edge_index: Int[Tensor, "2 n_arcs"]
    y: Int[Tensor, " n_nodes"]
    train: Bool[Tensor, " n_nodes"]
    test: Bool[Tensor, " n_nodes"]


def citation_graph(folder: Path, name: str = "cora") -> CitationGraph:
    """Cora or CiteSeer; features are divided by their sum, as usual.

    Raises:
        GraphError: a file is absent, damaged, or holds something else than arrays.
    """
    parts = {part: _read(folder / f"ind.{name}.{part}") for part in ("x", "y", "tx", "ty", "allx", "ally", "graph")}
    try:
        order = np.loadtxt(folder / f"ind.{name}.test.index", dtype=np.int64)
    except (OSError, ValueError) as error:
        raise GraphError(f"cannot read the test nodes of {name}", why=str(error)) from error
    n = max(len(parts["graph"]), int(order.max()) + 1)
    x = np.zeros((n, parts["allx"].shape[1]), np.float32)
    labels = np.zeros((n, parts["ally"].shape[1]))
    n_all = parts["allx"].shape[0]
    x[:n_all], labels[:n_all] = parts["allx"].toarray(), parts["ally"]
    x[order], labels[order] = parts["tx"].toarray(), parts["ty"]
    x /= np.maximum(x.sum(1, keepdims=True), 1)
    pairs = np.array([(a, b) for a, others in parts["graph"].items() for b in others if a != b])
    train, test = torch.zeros(n, dtype=torch.bool), torch.zeros(n, dtype=torch.bool)
    train[: len(parts["y"])] = True
    test[order] = True
    y = torch.from_numpy(labels.argmax(1))
    return CitationGraph(name, torch.from_numpy(x), torch.from_numpy(both_ways(pairs)), y, train, test)


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return ArrayUnpickler(file, encoding="latin1").load()
    except OSError as error:
        raise GraphError(f"there is no file {path}", fix="name the folder of Planetoid's files") from error
    except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, IndexError, TypeError) as error:
        raise GraphError(f"{path.name} is damaged", why=f"{type(error).__name__}: {error}") from error
