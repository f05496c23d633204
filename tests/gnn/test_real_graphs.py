"""Cora and MUTAG as published, read without trusting the files; a trained network reaches the published accuracy."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from truescope.core.errors import GraphError, UsageError
from truescope.gnn import build_network, train_network
from truescope.gnn.data import citation_graph, molecules


def test_cora_is_the_published_one_and_a_gcn_learns_it(real_data: Path) -> None:
    cora = citation_graph(real_data / "graphs" / "planetoid")
    assert cora.x.shape == (2708, 1433) and cora.edge_index.shape == (2, 2 * 5278)
    assert int(cora.train.sum()) == 140 and int(cora.test.sum()) == 1000
    found = train_network("gcn", cora.x, cora.edge_index, cora.y, cora.train, test=cora.test, epochs=100)
    assert found.test_accuracy > 0.78  # published: .815


def test_mutag_is_the_published_one(real_data: Path) -> None:
    found = molecules(real_data / "graphs" / "mutag" / "MUTAG.txt")
    assert len(found.y) == 188 and int(found.y.sum()) == 125 and found.x.shape == (3371, 7)
    assert int((found.molecule[found.edge_index[0]] != found.molecule[found.edge_index[1]]).sum()) == 0


class _Runs:
    def __reduce__(self):
        return (print, ("run",))


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    for part in ("x", "y", "tx", "ty", "allx", "ally", "graph"):
        (tmp_path / f"ind.cora.{part}").write_bytes(pickle.dumps(_Runs(), protocol=2))
    with pytest.raises(GraphError, match="print"):
        citation_graph(tmp_path)
    (tmp_path / "ind.cora.x").write_bytes(b"\x80\x02")
    with pytest.raises(GraphError, match="damaged"):
        citation_graph(tmp_path)
    with pytest.raises(GraphError, match="no file"):
        citation_graph(tmp_path / "none")
    (tmp_path / "MUTAG.txt").write_text("2\n3 1\n")
    with pytest.raises(GraphError, match="damaged"):
        molecules(tmp_path / "MUTAG.txt")


def test_an_unknown_network_is_answered_with_the_known() -> None:
    with pytest.raises(UsageError, match="gcn"):
        build_network("gnc", 3, 2)
