"""Facebook networks: SNAP's ego networks with anonymised profiles, and Facebook100's colleges.

An ego network's features are named "77 gender;anonymized feature 77"; the two genders are two columns. The friends that
have no edge among themselves are dropped, and nodes are numbered in the order in which Python's set gives their ids, as
the published benchmark does: its random choices depend on that order.
McAuley and Leskovec (2012), "Learning to Discover Social Circles in Ego Networks"; Traud et al. (2012),
arXiv:1102.2166.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.errors import GraphError, nearest
from truescope.gnn.whiteboxes import both_ways

LOCAL_INFO = ("status", "gender", "major", "second major", "dorm", "year", "high school")
"""The columns of Facebook100's profiles; 0 is missing."""


@dataclass(frozen=True, eq=False)
class NamedGraph:
    """A graph whose features have names."""

    name: str
    x: Float[Tensor, "n_nodes n_features"]
    edge_index: Int[Tensor, "2 n_arcs"]
    feature_names: tuple[str, ...]

    def columns(self, word: str) -> list[int]:
        """The features whose name holds ``word``. Raises GraphError where there is none."""
        found = [i for i, name in enumerate(self.feature_names) if word.lower() in name.lower()]
        if not found:
            words = {part for name in self.feature_names for part in name.lower().replace(";", " ").split()}
            raise GraphError(f"{self.name} has no feature named {word!r}", fix=nearest(word.lower(), words))
        return found


def ego_network(folder: Path, ego: str = "1684") -> NamedGraph:
    """One ego network of SNAP's ego-Facebook.

    Raises:
        GraphError: the files are absent or damaged.
    """
    try:
        edges = np.loadtxt(folder / f"{ego}.edges", dtype=np.int64).reshape(-1, 2)
        table = np.loadtxt(folder / f"{ego}.feat", dtype=np.int64)
        names = (folder / f"{ego}.featnames").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        known = [path.stem for path in folder.glob("*.edges")] if folder.is_dir() else []
        raise GraphError(f"there is no ego network {ego} in {folder}", fix=nearest(ego, known)) from error
    except ValueError as error:
        raise GraphError(f"the ego network {ego} is damaged", why=str(error)) from error
    ids = list({int(node) for node in edges.ravel()})
    rows = {int(row[0]): row[1:] for row in table}
    number = {node: place for place, node in enumerate(ids)}
    x = np.stack([rows[node] for node in ids]).astype(np.float64)
    arcs = both_ways(np.array([[number[int(a)], number[int(b)]] for a, b in edges]))
    labels = tuple(name.split(" ", 1)[1] for name in names)
    return NamedGraph(f"ego-Facebook {ego}", torch.from_numpy(x), torch.from_numpy(arcs), labels)


def combined_edges(path: Path) -> Int[Tensor, "2 n_arcs"]:
    """The arcs of all ten ego networks together: 4,039 nodes, 88,234 edges. Raises GraphError where the file is not."""
    try:
        edges = np.loadtxt(path, dtype=np.int64)
    except (OSError, ValueError) as error:
        raise GraphError(f"cannot read the edges in {path}", why=str(error)) from error
    return torch.from_numpy(both_ways(edges))


def facebook100(path: Path) -> NamedGraph:
    """One college of Facebook100: each profile column one-hot, those values that at least 10 people share.

    Raises:
        GraphError: the file is absent or damaged.
    """
    from scipy import io

    try:
        content = io.loadmat(path)
        adjacency, info = content["A"].tocoo(), np.asarray(content["local_info"]).astype(np.int64)
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise GraphError(f"cannot read a Facebook100 network from {path}", why=str(error)) from error
    columns, names = [], []
    for column, name in zip(info.T, LOCAL_INFO, strict=False):
        for value, count in zip(*np.unique(column[column > 0], return_counts=True), strict=True):
            if count >= 10:
                columns.append(column == value)
                names.append(f"{name};value {value}")
    arcs = both_ways(np.stack([adjacency.row, adjacency.col], 1).astype(np.int64))
    x = torch.from_numpy(np.stack(columns, 1).astype(np.float64))
    return NamedGraph(f"Facebook100 {path.stem}", x, torch.from_numpy(arcs), tuple(names))
