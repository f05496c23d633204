"""What `gnn evaluate` measures: stability over networks is about the networks, and over seeds about the seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.nn import GCNConv

from truescope.gnn.networks import Subject
from truescope.pipelines.graphs.evaluate import _Question


@pytest.mark.parametrize("name", ["random", "gnn_explainer"])
def test_networks_that_are_the_same_are_explained_alike_whatever_the_seeds_do(name: str) -> None:
    torch.manual_seed(0)
    x, nodes = (torch.rand(20, 12) < 0.5).float(), torch.arange(20)
    arcs = torch.stack([torch.cat([nodes, nodes]), torch.cat([(nodes + 1) % 20, (nodes + 7) % 20])])
    one = Subject(GCNConv(12, 3), x, arcs)
    row = _Question((one, one, one), np.arange(4), "features", 0.2, n_seeds=3, seed=0).row(name)
    assert row["over_networks"]["jaccard"]["value"] == 1
    assert row["stability"]["jaccard"]["value"] < 1
