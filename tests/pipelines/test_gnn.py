"""The graph verbs from end to end: a benchmark that goes on where it stopped, a finding run again, a user's model."""

from __future__ import annotations

from pathlib import Path

import pytest

from truescope.core.errors import UsageError
from truescope.gnn.benchmark import quick_cells
from truescope.pipelines import gnn_benchmark, gnn_explain, graph_benchmark
from truescope.pipelines.claims import rerun_claim
from truescope.store import Store


def few() -> list:
    return [c for c in quick_cells() if c.white_box == "local" and c.p_important == 0.5 and c.setting.p_positive == 0.1]


def test_a_benchmark_goes_on_where_it_stopped_and_its_finding_can_be_run_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(graph_benchmark, "quick_cells", few)
    store, names = Store.open(tmp_path / "store"), ("deconvolution",)
    first = gnn_benchmark(quick=True, explainers=names, n_processes=1, store=store)
    assert first.verdicts[0].status == "held" and first.page.is_file()
    monkeypatch.setattr(graph_benchmark, "sweep", lambda cells, *_: iter(()) if not cells else pytest.fail("again"))
    again = gnn_benchmark(quick=True, explainers=names, n_processes=1, store=store)
    assert again.record["rows"] == first.record["rows"]
    monkeypatch.undo()
    monkeypatch.setattr(graph_benchmark, "quick_cells", few)
    monkeypatch.setattr(graph_benchmark, "processors", lambda: 1)
    rerun = rerun_claim(first.verdicts[0].claim.id, ledger=store.path / "ledger.jsonl")
    assert rerun.verdict.status == "held"


def test_a_users_model_is_explained(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\nfrom torch_geometric.nn import GCNConv\n"
        "def make():\n    torch.manual_seed(0)\n"
        "    return GCNConv(3, 2), torch.rand(4, 3), torch.tensor([[0, 1], [1, 2]])\n"
    )
    found = gnn_explain(f"{tmp_path}/mine.py:make", explainer="saliency", nodes=[2])
    assert [n["node"] for n in found["nodes"]] == [2] and len(found["nodes"][0]["features"]) == 3
    with pytest.raises(UsageError, match="nodes 0 to 3"):
        gnn_explain(f"{tmp_path}/mine.py:make", nodes=[9])
    with pytest.raises(UsageError, match="graphlime"):
        gnn_benchmark(explainers=["graphlme"])
