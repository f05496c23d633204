"""A planted dependence is what it says, and an audit finds who notices it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from truescope.core.errors import ModelError, UsageError
from truescope.gnn import Dose, audit, audit_feature, user_subject
from truescope.gnn.explainers import saliency
from truescope.gnn.networks import Chain, Subject
from truescope.gnn.whiteboxes.planted import Planted

from .graph_models import gcn, gin, ring_graph, sage


def subject(make=gcn, n: int = 40, d: int = 6) -> Subject:
    torch.manual_seed(2)
    x = (torch.rand(n, d) < 0.5).float()
    _, edge_index = ring_graph(n)
    return Subject(make(d), x, edge_index, feature_names=[f"trait;number {i}" for i in range(d)])


@pytest.mark.parametrize("make", [gcn, sage, gin])
def test_the_planted_model_has_the_chain_of_what_it_computes(make) -> None:
    s = subject(make)
    there = Subject(Planted(s, 2, 1.5, favoured=0), s.x, s.edge_index)
    assert isinstance(there.unrolled, Chain)
    np.testing.assert_allclose(saliency(there).features, saliency(there, generic=True).features, atol=1e-5)


def test_strength_is_in_standard_deviations_of_the_models_own_margin() -> None:
    s = subject()
    for strength in (0.0, 1.0, 3.0):
        planted = Planted(s, 2, strength, favoured=0)
        with torch.no_grad():
            own = s.model(planted.without(s.x), s.edge_index).double()
            added = planted(s.x, s.edge_index).double() - own
        direction = torch.tensor([1.0, -0.5, -0.5], dtype=torch.float64)
        ratio = (added * direction).sum(1).std() / (own * direction).sum(1).std()
        assert float(ratio) == pytest.approx(strength, abs=1e-5)


def test_at_strength_zero_the_feature_does_nothing_and_later_it_does() -> None:
    s = subject()
    found = audit_feature(s, "number 2", strengths=(0.0, 1.0, 20.0), explainers=("saliency", "random"), n_nodes=40)
    assert found.feature == "trait;number 2"
    assert found.effects[0].changed == 0 and found.effects[-1].changed > 0.5
    first, _, last = (d for d in found.doses if d.explainer == "saliency")
    assert first.area == 0 and last.area == 1 and last.first == 1
    assert found.threshold("saliency") in (1.0, 20.0) and found.threshold("random") is None


def test_an_explainer_that_ranks_it_high_unused_is_a_false_alarm() -> None:
    s = subject()
    x = s.x.clone()
    x[:, 2] = 1
    x[0, 2] = 0  # the most frequent feature: what knows only frequencies names it first, used or not
    always = Subject(s.model, x, s.edge_index, feature_names=s.feature_names)
    found = audit_feature(always, 2, strengths=(0.0, 5.0), explainers=("degree", "integrated_gradients"), n_nodes=40)
    assert found.false_alarm("degree") and found.threshold("degree") is None
    assert not found.false_alarm("integrated_gradients")


def test_what_cannot_be_audited_says_why() -> None:
    s = subject()
    with pytest.raises(UsageError, match="trait"):
        audit_feature(s, "trai;numbr 3")
    with pytest.raises(UsageError, match="no feature is called 'qqqq'") as nothing_near:
        audit_feature(s, "qqqq")
    assert "trait;number 0" in nothing_near.value.fix
    with pytest.raises(UsageError, match="does not score features"):
        audit_feature(s, 0, explainers=("grad_cam",))
    with pytest.raises(UsageError, match="same at every node"):
        Planted(Subject(s.model, torch.ones_like(s.x), s.edge_index), 0, 1.0)
    constant = gcn(6)
    with torch.no_grad():
        for parameter in constant.parameters():
            parameter.zero_()
    with pytest.raises(ModelError, match="same margin"):
        Planted(Subject(constant, s.x, s.edge_index), 0, 1.0)


def test_a_users_own_model_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "from torch_geometric.nn import GCNConv\n"
        "def make():\n"
        "    torch.manual_seed(0)\n"
        "    return GCNConv(3, 2), torch.rand(5, 3), torch.tensor([[0, 1], [1, 2]]), {'feature_names': list('abc')}\n"
        "def breaks():\n    raise ValueError('half-way')\n"
        "def wrong():\n    return 3\n"
    )
    mine = user_subject(f"{tmp_path}/mine.py:make")
    assert mine.feature_names == ["a", "b", "c"] and mine.n_nodes == 5
    with pytest.raises(ModelError, match="half-way"):
        user_subject(f"{tmp_path}/mine.py:breaks")
    with pytest.raises(ModelError, match="int"):
        user_subject(f"{tmp_path}/mine.py:wrong")
    with pytest.raises(UsageError, match="did you mean make"):
        user_subject(f"{tmp_path}/mine.py:mak")
    with pytest.raises(UsageError, match="no function 'qqqq'") as nothing_near:
        user_subject(f"{tmp_path}/mine.py:qqqq")
    assert nothing_near.value.why == "it defines make, breaks, wrong" and "edge_index" in nothing_near.value.fix
    (tmp_path / "empty.py").write_text("import torch\n")
    with pytest.raises(UsageError, match="it defines none"):
        user_subject(f"{tmp_path}/empty.py:torch.rand")
    (tmp_path / "notes.txt").write_text("make\n")
    with pytest.raises(UsageError, match=r"does not end with \.py"):
        user_subject(f"{tmp_path}/notes.txt:make")
    with pytest.raises(UsageError, match="no file"):
        user_subject("nowhere.py:make")


def test_doses_that_were_measured_are_read_back_and_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    s, how = subject(), {"strengths": (0.0, 2.0), "explainers": ("saliency", "gnn_explainer"), "n_nodes": 10}
    kept: list[Dose] = []
    first = audit_feature(s, 2, **how, keep=kept.append)
    assert len(kept) == 4
    read = [Dose.read(json.loads(json.dumps(dose.record()))) for dose in kept]
    assert read == kept
    monkeypatch.setattr("truescope.gnn.audit._dose", lambda *_: pytest.fail("measured again"))
    again = audit_feature(s, 2, **how, known={(dose.explainer, dose.strength): dose for dose in read})
    assert again == first


def test_the_false_alarm_rate_is_the_share_of_nodes_at_which_the_unused_feature_is_named() -> None:
    s = subject()
    found = audit_feature(s, 2, strengths=(0.0, 20.0), explainers=("saliency", "random"), n_nodes=40)
    silent, chance = found.false_alarm_rate("saliency"), found.false_alarm_rate("random")
    # No gradient leads to a feature that the model does not use; random scores of 6 put it first at a sixth of nodes.
    assert silent is not None and (silent.value, silent.n) == (0, 40) and silent.high < 0.1
    assert chance is not None and chance.low < 1 / 6 < chance.high
    assert [d.named().value for d in found.doses if d.explainer == "saliency"] == [0, 1]
    without_control = audit_feature(s, 2, strengths=(1.0,), explainers=("saliency",), n_nodes=10)
    assert without_control.false_alarm_rate("saliency") is None


class WeightsThatMayBeLeftOut(nn.Module):
    """A GCN whose weights of arcs default to 1: left out, it is another model and no error."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = GCNConv(6, 3)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return self.conv(x, edge_index, edge_weight)


def test_the_audited_model_gets_the_users_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    s = subject()
    weights = torch.linspace(0.1, 5, s.n_arcs)
    weighted = Subject(WeightsThatMayBeLeftOut(), s.x, s.edge_index, arguments={"edge_weight": weights})
    asked: list[Subject] = []
    changed = audit._changed
    monkeypatch.setattr(audit, "_changed", lambda there, column: asked.append(there) or changed(there, column))
    audit_feature(weighted, 0, strengths=(0.0,), explainers=("lrp_epsilon",), n_nodes=10)
    (there,) = asked
    x = s.x.clone()
    x[:, 0] = x[:, 0].mean()
    with torch.no_grad():
        assert torch.allclose(there.outputs, weighted.model(x, s.edge_index, weights), atol=1e-6)
        assert not torch.allclose(there.outputs, weighted.model(x, s.edge_index), atol=1e-2)
    assert isinstance(there.unrolled, Chain)


@pytest.mark.parametrize("make", [gcn, sage, gin])
def test_a_withheld_feature_is_used_by_nothing_in_the_planted_model(make) -> None:
    s = subject(make)
    there = Subject(Planted(s, 2, 1.5, withheld=[0, 4]), s.x, s.edge_index)
    assert isinstance(there.unrolled, Chain)
    for generic in (False, True):
        scores = saliency(there, generic=generic).features
        assert (scores[:, [0, 4]] == 0).all() and (scores[:, [1, 2, 3, 5]].max(0) > 0).all()
    x = s.x.clone()
    x[:, [0, 4]] = 7.0
    with torch.no_grad():
        assert torch.equal(there.model(x, s.edge_index), there.outputs)


def test_matched_features_are_the_nearest_in_frequency_that_do_not_go_along() -> None:
    generator = torch.Generator().manual_seed(0)
    shares = torch.tensor([0.5, 0.45, 0.5, 0.1, 0.3] + [0.05] * 35)
    x = (torch.rand(400, 40, generator=generator) < shares).float()
    x[:, 2] = 1 - x[:, 0]  # the same entry's other value: naming it says the same
    n = torch.arange(400)
    s = Subject(gcn(40), x, torch.stack([n, (n + 1) % 400]))
    assert audit.matched_columns(s, 0).tolist()[:3] == [1, 4, 3] and len(audit.matched_columns(s, 0)) == 4


def test_matched_features_that_the_model_does_not_use_are_ranked_where_it_is_controlled() -> None:
    s = subject(n=60, d=30)
    found = audit_feature(s, 2, strengths=(0.0, 5.0), explainers=("saliency", "degree"), n_nodes=60, controlled=5.0)
    told = {(d.explainer, d.strength): d.matched_areas for d in found.doses}
    assert told["saliency", 0.0] == told["degree", 0.0] == ()
    assert len(told["saliency", 5.0]) == 3 and max(told["saliency", 5.0]) < 0.1  # no gradient leads to them
    # What knows only frequencies ranks them as it ranks the planted one: near it in the order of frequencies.
    area = {d.explainer: d.area for d in found.doses if d.strength == 5.0}
    assert max(abs(a - area["degree"]) for a in told["degree", 5.0]) < 0.2 < area["saliency"]


def test_of_one_output_the_sign_is_the_class() -> None:
    s = subject()
    one = Subject(gcn(6, classes=1), s.x, s.edge_index, feature_names=s.feature_names)
    found = audit_feature(one, 2, strengths=(0.0, 20.0), explainers=("saliency",), n_nodes=40)
    assert [effect.changed for effect in found.effects] == [0, pytest.approx(1, abs=0.1)]
