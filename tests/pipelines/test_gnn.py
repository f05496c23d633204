"""The graph verbs from end to end: a benchmark that goes on where it stopped, a finding run again, a user's model."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from truescope.core.errors import UsageError
from truescope.gnn.benchmark import quick_cells
from truescope.pipelines import gnn_benchmark, gnn_dictionary, gnn_explain
from truescope.pipelines.claims import rerun_claim
from truescope.store import Store

BENCHMARK = import_module("truescope.pipelines.graphs.benchmark")


def few() -> list:
    return [c for c in quick_cells() if c.white_box == "local" and c.p_important == 0.5 and c.setting.p_positive == 0.1]


def test_a_benchmark_goes_on_where_it_stopped_and_its_finding_can_be_run_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(BENCHMARK, "quick_cells", few)
    store, names = Store.open(tmp_path / "store"), ("deconvolution",)
    first = gnn_benchmark(quick=True, explainers=names, n_processes=1, store=store)
    assert first.verdicts[0].status == "held" and first.page.is_file()
    monkeypatch.setattr(BENCHMARK, "sweep", lambda cells, *_: iter(()) if not cells else pytest.fail("again"))
    again = gnn_benchmark(quick=True, explainers=names, n_processes=1, store=store)
    assert again.record["rows"] == first.record["rows"]
    monkeypatch.undo()
    monkeypatch.setattr(BENCHMARK, "quick_cells", few)
    monkeypatch.setattr(BENCHMARK, "processors", lambda: 1)
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


@pytest.mark.slow
def test_features_of_a_network_on_cora_are_named_judged_and_run_again(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUESCOPE_DATA", str(real_data))
    store = Store.open(tmp_path / "store")
    report = gnn_dictionary("cora", n_claims=3, store=store)
    quality = report.summary()["quality"]
    assert quality["fvu"] < 0.15 < quality["pca_fvu"] and quality["l0"] <= 2
    assert len(report.verdicts) == 6 and all(v.controls[0].n >= 100 for v in report.verdicts)
    first = report.verdicts[1]
    assert first.status == "held" and first.scores[0].low > 0
    rerun = rerun_claim(first.claim.id, ledger=store.path / "ledger.jsonl")
    assert rerun.reproduced and [one.outcome for one in rerun.numbers] == ["equal", "equal"]


def test_coras_classes_are_those_of_the_published_sizes(real_data: Path) -> None:
    from truescope.gnn.data import citation_graph
    from truescope.pipelines.graphs.dictionary import CORA_CLASSES

    published = {
        "theory": 351,
        "reinforcement learning": 217,
        "genetic algorithms": 418,
        "neural networks": 818,
        "probabilistic methods": 426,
        "case-based": 298,
        "rule learning": 180,
    }
    sizes = citation_graph(real_data / "graphs" / "planetoid").y.bincount().tolist()
    assert dict(zip(CORA_CLASSES, sizes, strict=True)) == published


def test_a_dictionary_of_no_graph_is_answered(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    with pytest.raises(UsageError, match="cora"):
        gnn_dictionary("coar", store=store)
    with pytest.raises(UsageError, match="at least one"):
        gnn_dictionary("cora", n_claims=0, store=store)
