"""The graph verbs from end to end: a benchmark that goes on where it stopped, a finding run again, a user's model."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from truescope.cli.main import main
from truescope.core.errors import ClaimError, UsageError
from truescope.core.progress import Watcher
from truescope.gnn import audit
from truescope.gnn.benchmark import quick_cells
from truescope.pipelines import gnn_audit, gnn_benchmark, gnn_dictionary, gnn_evaluate, gnn_explain
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
    assert rerun.reproduced and [one.outcome for one in rerun.numbers] == ["equal"]
    assert rerun.verdict.scores == first.verdicts[0].scores and rerun.verdict.controls == first.verdicts[0].controls
    with pytest.raises(UsageError, match="its own models"):
        rerun_claim(first.verdicts[0].claim.id, ledger=store.path / "ledger.jsonl", model="mine")


PARTY = """
import torch
from torch_geometric.nn import GCNConv
def make():
    torch.manual_seed(SEED)
    x = (torch.rand(40, 6) < 0.5).float()
    nodes = torch.arange(40)
    arcs = torch.stack([torch.cat([nodes, nodes]), torch.cat([(nodes + 1) % 40, (nodes + 7) % 40])])
    return GCNConv(6, 3), x, arcs, {"feature_names": ["age", "gender;a", "gender;b", "town", "school", "work"]}
"""


def test_an_audit_goes_on_where_it_stopped_and_its_claims_reproduce(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "party.py").write_text(PARTY.replace("SEED", "0"))
    store, how = Store.open(tmp_path / "store"), {"explainers": ["saliency", "graphlime"], "n_nodes": 40}
    measure = audit._dose

    def stops_at_graphlime(subject: Any, name: str, *more: Any) -> Any:
        if name == "graphlime":
            raise KeyboardInterrupt
        return measure(subject, name, *more)

    monkeypatch.setattr(audit, "_dose", stops_at_graphlime)
    with pytest.raises(KeyboardInterrupt):
        gnn_audit(f"{tmp_path}/party.py:make", strengths=[1.0, 20.0], store=store, **how)
    asked = []
    monkeypatch.setattr(audit, "_dose", lambda s, n, *more: asked.append((n, more[0])) or measure(s, n, *more))
    report = gnn_audit(f"{tmp_path}/party.py:make", strengths=[1.0, 20.0], store=store, **how)
    assert ("saliency", 0.0) not in asked and len(asked) == 5
    record = report.summary()
    assert record["feature"] == "gender;a" and record["thresholds"]["saliency"] in (1.0, 20.0)
    assert record["false_alarm_rates"]["saliency"]["value"] == 0 and report.page.is_file()
    for verdict in report.verdicts:
        rerun = rerun_claim(verdict.claim.id, ledger=store.path / "ledger.jsonl")
        assert rerun.reproduced and {one.outcome for one in rerun.numbers} == {"equal"}
    (tmp_path / "party.py").write_text(PARTY.replace("SEED", "1"))
    with pytest.raises(ClaimError, match="another one"):
        rerun_claim(report.verdicts[0].claim.id, ledger=store.path / "ledger.jsonl")
    with pytest.raises(UsageError, match="strength above 0"):
        gnn_audit(f"{tmp_path}/party.py:make", strengths=[0.0], store=store)


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


ONE_OUTPUT = """
import torch
from torch_geometric.nn import GCNConv
def make():
    torch.manual_seed(0)
    x, nodes = (torch.rand(40, 6) < 0.5).float(), torch.arange(40)
    return GCNConv(6, 1), x, torch.stack([nodes, (nodes + 1) % 40])
"""


def test_a_model_of_one_output_has_no_classes_and_its_sign_is_audited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(ONE_OUTPUT)
    mine = f"{tmp_path}/mine.py:make"
    assert main(["gnn", "explain", mine, "--node", "3"]) == 0
    told = capsys.readouterr()
    assert "node 3 → output " in told.out and "class" not in told.out and "Explained 1 node with" in told.err
    (node,) = gnn_explain(mine, nodes=[3])["nodes"]
    assert node["class"] is None and f"output {node['output']:.3g}" in told.out
    words = ["gnn", "audit", mine, "--feature", "2", "--explainer", "saliency", "--strength", "20", "--nodes", "40"]
    assert main(words) == 0
    told = capsys.readouterr()
    (changed,) = (line.split()[3:] for line in told.out.splitlines() if "classes it changes" in line)
    assert changed[0] == "0%" and float(changed[1].rstrip("%")) > 80
    assert "one output" in told.err


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


USERS = """
import torch
from torch import nn
from torch_geometric.nn import GCNConv

class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = GCNConv(6, 5), GCNConv(5, 4)
        with torch.no_grad():
            for layer in (self.one, self.two):
                layer.lin.weight.copy_(torch.eye(layer.out_channels, layer.in_channels))

    def forward(self, x, edge_index):
        return self.two(self.one(x, edge_index).relu(), edge_index)

def make():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(400) % 4
    x = torch.zeros(400, 6)
    x[torch.arange(400), y] = 1 + torch.rand(400, generator=generator)
    arcs = torch.stack([torch.arange(400), (torch.arange(400) + 4) % 400])
    words = ["sun", "rain", "wind", "snow", "and", "or"]
    more = {"feature_names": words, "y": y, "class_names": ["summer", "autumn", "storm", "winter"]}
    return Mine(), x, torch.cat([arcs, arcs.flip(0)], 1), more
"""


def test_a_users_own_network_gets_a_dictionary_whose_features_have_the_users_names(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USERS)
    spec, store = f"{tmp_path}/mine.py:make", Store.open(tmp_path / "store")
    report = gnn_dictionary(spec, n_features=8, n_claims=4, store=store)
    record = report.summary()
    assert record["subject"]["layer"] == "one" and record["subject"]["labels"] == "the user's y"
    words = {"summer": "sun", "autumn": "rain", "storm": "wind", "winter": "snow"}
    best = {}  # the feature most bound to each class is named after it, with the word that only this class uses
    for one in record["features"]:
        best.setdefault(one["name"], one["column_names"][0])
    assert best == words
    held = [verdict for verdict in report.verdicts if verdict.status == "held"]
    assert held
    rerun = rerun_claim(held[0].claim.id, ledger=store.path / "ledger.jsonl")
    assert rerun.reproduced and {one.outcome for one in rerun.numbers} == {"equal"}
    # What comes after the hidden layer is edited: the same weights, the same dictionary, other answers.
    (tmp_path / "mine.py").write_text(USERS.replace("return self.two(", "return 2 * self.two("))
    with pytest.raises(ClaimError, match="code or its arguments"):
        rerun_claim(held[0].claim.id, ledger=store.path / "ledger.jsonl")
    (tmp_path / "mine.py").write_text(USERS)
    with pytest.raises(UsageError, match="two"):
        gnn_dictionary(spec, layer="tow", store=store)
    (tmp_path / "mine.py").write_text(USERS.replace('"y": y', '"labels": y'))
    with pytest.raises(UsageError, match="class_names"):
        gnn_dictionary(spec, store=store)


@pytest.mark.parametrize(
    ("x", "arcs", "said"),
    [
        ("torch.rand(9)", "torch.tensor([[0], [1]])", "shape (9,)"),
        ("torch.ones(9, 6).long()", "torch.tensor([[0], [1]])", "x.float()"),
        ("torch.rand(9, 6)", "torch.tensor([[0, 1], [1, 2], [2, 3]])", "[2, n_arcs]"),
        ("torch.rand(9, 6)", "torch.tensor([[0.0], [1.0]])", "whole numbers"),
        ("torch.ones(9, 6)", "torch.zeros(2, 0, dtype=torch.int64)", "same at every node"),
    ],
)
def test_a_users_graph_of_another_form_is_answered_on_the_command_line(
    x: str, arcs: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(USERS + f"\ndef other():\n    return Mine(), {x}, {arcs}\n")
    assert main(["gnn", "dictionary", f"{tmp_path}/mine.py:other", "--features", "4"]) == 1
    assert said in capsys.readouterr().err


class Notes(Watcher):
    """Keeps what a reader is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


def test_a_dictionary_that_is_not_to_be_relied_on_says_so(tmp_path: Path) -> None:
    # Two nodes cannot teach 64 features; of what is drawn at random, the other two are not rebuilt by any.
    by_class = "x[torch.arange(4), y] = 1 + torch.rand(4, generator=generator)"
    drawn = USERS.replace("400", "4").replace(by_class, "x = torch.randn(4, 6, generator=generator)")
    (tmp_path / "mine.py").write_text(drawn)
    few = Notes()
    found = gnn_dictionary(f"{tmp_path}/mine.py:make", n_features=64, store=Store.open(tmp_path / "a"), watcher=few)
    assert found.record["quality"]["fvu"] >= 1
    assert "2 nodes to learn 64 features" in few.told[0] and "no better than their mean" in few.told[1]
    (tmp_path / "mine.py").write_text(USERS)
    enough = Notes()
    gnn_dictionary(f"{tmp_path}/mine.py:make", n_features=8, store=Store.open(tmp_path / "b"), watcher=enough)
    assert enough.told == []


PARALLEL = """
import torch
from torch_geometric.nn import GCNConv
def make():
    torch.manual_seed(0)
    nodes = torch.arange(12)
    arcs = torch.stack([nodes, (nodes + 1) % 12])
    return GCNConv(4, 2), (torch.rand(12, 4) < 0.5).float(), torch.cat([arcs, arcs[:, :3]], 1)
"""


def test_an_explainer_that_refuses_parallel_arcs_is_left_out_and_the_others_answer(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PARALLEL)
    mine, store, names = f"{tmp_path}/mine.py:make", Store.open(tmp_path / "store"), ["saliency", "gnn_explainer"]
    found = gnn_evaluate(mine, explainers=names, store=store)
    assert [row["explainer"] for row in found["rows"]] == ["saliency"]
    assert "parallel arcs" in found["left_out"]["gnn_explainer"]
    audit = gnn_audit(mine, feature="1", explainers=names, strengths=[1.0], store=store)
    told = {verdict.claim.target["explainer"]: verdict for verdict in audit.verdicts}
    assert told["gnn_explainer"].status == "not_testable" and "parallel arcs" in told["gnn_explainer"].notes[0]
    assert told["saliency"].status != "not_testable"


def test_an_audit_of_too_few_nodes_says_that_nobody_can_notice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n, few in ((35, True), (36, False)):
        (tmp_path / "mine.py").write_text(PARTY.replace("SEED", "0"))
        words = ["gnn", "audit", f"{tmp_path}/mine.py:make", "--feature", "town", "--explainer", "saliency"]
        assert main([*words, "--strength", "1", "--nodes", str(n)]) in (0, 1)
        assert ("too few to notice" in capsys.readouterr().err) is few


EDITED = """
import torch
from torch import nn
from torch_geometric.nn import GCNConv
class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = GCNConv(4, 8), GCNConv(8, 2)
    def forward(self, x, edge_index):
        return self.second(ACTIVATION(self.first(x, edge_index)), edge_index)
def make():
    model, nodes = Mine(), torch.arange(40)
    return model, torch.rand(40, 4), torch.stack([nodes, (nodes + 1) % 40])
"""


def test_answers_of_a_model_whose_code_was_edited_are_not_taken_for_the_new_ones(tmp_path: Path) -> None:
    store, mine = Store.open(tmp_path / "store"), tmp_path / "mine.py"
    found = []
    for activation in ("torch.relu", "torch.sigmoid", "torch.relu"):
        mine.write_text(EDITED.replace("ACTIVATION", activation))
        how: dict[str, Any] = {"explainers": ["saliency"], "store": store}
        evaluated = gnn_evaluate(f"{mine}:make", n_nodes=10, **how)
        audited = gnn_audit(f"{mine}:make", feature="1", strengths=[1.0], n_nodes=40, **how)
        found.append((evaluated["run"]["id"], audited.record["run"]["id"], evaluated["rows"], audited.record["doses"]))
    relu, other, again = found
    assert all(one != edited for one, edited in zip(relu, other, strict=True))
    assert relu[:2] == again[:2]


def test_a_claim_on_a_model_whose_code_was_edited_is_refused_and_not_run_on_the_new_one(tmp_path: Path) -> None:
    store, mine = Store.open(tmp_path / "store"), tmp_path / "mine.py"
    mine.write_text(EDITED.replace("ACTIVATION", "torch.relu"))
    how: dict[str, Any] = {"feature": "1", "strengths": [1.0], "n_nodes": 40, "explainers": ["saliency"]}
    (verdict,) = gnn_audit(f"{mine}:make", store=store, **how).verdicts
    ledger = store.path / "ledger.jsonl"
    mine.write_text(EDITED.replace("ACTIVATION", "torch.sigmoid"))
    with pytest.raises(ClaimError, match="code or its arguments"):
        rerun_claim(verdict.claim.id, ledger=ledger)
    mine.write_text(EDITED.replace("ACTIVATION", "torch.relu"))
    assert rerun_claim(verdict.claim.id, ledger=ledger).reproduced
