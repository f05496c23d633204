"""What `gnn evaluate` measures: stability over networks is about the networks, and over seeds about the seeds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.nn import GCNConv

from truescope.cli.main import main
from truescope.gnn.networks import Subject
from truescope.pipelines.graphs.evaluate import EVALUATED, _Question


@pytest.mark.parametrize("name", ["random", "gnn_explainer"])
def test_networks_that_are_the_same_are_explained_alike_whatever_the_seeds_do(name: str) -> None:
    torch.manual_seed(0)
    x, nodes = (torch.rand(20, 12) < 0.5).float(), torch.arange(20)
    arcs = torch.stack([torch.cat([nodes, nodes]), torch.cat([(nodes + 1) % 20, (nodes + 7) % 20])])
    one = Subject(GCNConv(12, 3), x, arcs)
    row = _Question((one, one, one), np.arange(4), "features", 0.2, n_seeds=3, seed=0).row(name)
    assert row["over_networks"]["jaccard"]["value"] == 1
    assert row["stability"]["jaccard"]["value"] < 1


RING = """
import torch
from torch import nn
from torch_geometric.nn import GCNConv
class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = GCNConv(4, 8), GCNConv(8, 2)
    def forward(self, x, edge_index):
        return self.second(self.first(x, edge_index).relu(), edge_index)
def make():
    model, nodes = Mine(), torch.arange(12)
    return model, torch.rand(12, 4), torch.stack([nodes, (nodes + 1) % 12])
"""


def test_arcs_are_evaluated_without_naming_explainers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(RING)
    words = ["gnn", "evaluate", f"{tmp_path}/mine.py:make", "--nodes", "1", "--seeds", "2", "--json"]
    assert main([*words, "--part", "arcs"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["part"] == "arcs" and not record["left_out"]
    assert [row["explainer"] for row in record["rows"]] == list(EVALUATED["arcs"])
    assert main([*words, "--part", "arc"]) == 2
    assert "did you mean arcs?" in capsys.readouterr().err


def test_one_is_not_told_as_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(RING)
    assert main(["gnn", "evaluate", f"{tmp_path}/mine.py:make", "--nodes", "1", "--explainer", "saliency"]) == 0
    told = capsys.readouterr()
    assert "1 network" in told.err and "1 networks" not in told.err and "1 nodes" not in told.out + told.err
    assert "1 explainer at 1 node of 1 network" in told.err
