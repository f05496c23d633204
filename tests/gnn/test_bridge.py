"""Dictionaries of graph networks against known truth: planted directions are found, named, and judged for what they
do.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import GCNConv

from truescope.core.errors import UsageError
from truescope.gnn import (
    HIDDEN,
    HiddenLayer,
    NodeDictionary,
    TwoLayerNetwork,
    judge_naming_claim,
    judge_suppression_claim,
    matched_directions,
    naming_claim,
    suppression_claim,
    train_node_dictionary,
)
from truescope.gnn.networks import Subject

CLASSES = 4


def planted() -> tuple[TwoLayerNetwork, Tensor, Tensor, Tensor]:
    """Papers of four classes that cite their own class only; word c is used by class c alone, words 4 and 5 by chance.

    Hidden unit c reads word c and writes logit c; unit 4 reads word 4 and is read by nothing.
    """
    generator = torch.Generator().manual_seed(0)
    n = 400
    y = torch.arange(n) % CLASSES
    x = torch.zeros(n, 6)
    x[torch.arange(n), y] = 1 + torch.rand(n, generator=generator)
    x[:, 4:] = (torch.rand(n, 2, generator=generator) < 0.3).float()
    arcs = torch.stack([torch.arange(n), (torch.arange(n) + CLASSES) % n])
    first, second = GCNConv(6, 5), GCNConv(5, CLASSES)
    with torch.no_grad():
        for layer in (first, second):
            layer.lin.weight.copy_(torch.eye(layer.out_channels, layer.in_channels))
    model = TwoLayerNetwork(first, second)
    return model.eval(), x, torch.cat([arcs, arcs.flip(0)], dim=1), y


@pytest.fixture(scope="module")
def found() -> NodeDictionary:
    model, x, arcs, y = planted()
    return NodeDictionary.of(HiddenLayer(Subject(model, x, arcs), "act"), y, n_features=8, k=2)


def direction(found: NodeDictionary, index: int) -> int:
    """Which hidden unit a feature writes."""
    return int(found.dictionary.group(HIDDEN).W_dec[index].abs().argmax())


def feature_of(found: NodeDictionary, unit: int) -> int:
    """The feature that writes this unit, and is as good as silent elsewhere."""
    rows = torch.nn.functional.normalize(found.dictionary.group(HIDDEN).W_dec, dim=1)
    alive = (found.activations > 0).any(0)
    return int((rows[:, unit] * alive).argmax())


def test_an_autoencoder_finds_the_directions_that_activations_are_made_of() -> None:
    generator = torch.Generator().manual_seed(1)
    truth = torch.nn.functional.normalize(torch.randn(12, 16, generator=generator), dim=1)
    parts = torch.zeros(3000, 12)
    chosen = torch.rand(3000, 12, generator=generator).topk(2, dim=1).indices
    parts.scatter_(1, chosen, 1 + torch.rand(3000, 2, generator=generator))
    dictionary = train_node_dictionary(parts @ truth, n_features=24, k=2)
    rows = torch.nn.functional.normalize(dictionary.group(HIDDEN).W_dec, dim=1)
    assert float((truth @ rows.T).max(1).values.min()) > 0.95


def test_hidden_layer_and_the_rest_are_the_whole_network() -> None:
    model, x, arcs, _ = planted()
    layer = HiddenLayer(Subject(model, x, arcs), "act")
    assert torch.equal(layer.read(), torch.relu(model.first(x, arcs)))
    assert torch.equal(layer.logits_from(layer.read()), model(x, arcs))
    assert HiddenLayer.first(layer.subject).module == "first"
    with pytest.raises(UsageError, match="second"):
        HiddenLayer(layer.subject, "secnd")


def test_taking_a_feature_away_is_what_a_hand_made_edit_does(found: NodeDictionary) -> None:
    index = feature_of(found, 2)
    z = found.activations[:, index]
    edited = found.hidden.clone()
    for node in range(len(edited)):
        edited[node] -= z[node] * found.dictionary.group(HIDDEN).W_dec[index]
    after = found.without(z, found.dictionary.group(HIDDEN).W_dec[index])
    torch.testing.assert_close(after, found.layer.logits_from(edited))
    assert torch.equal(found.without(torch.zeros_like(z), found.hidden[0]), found.logits)


def test_each_class_has_a_feature_that_is_named_after_it_and_its_word(found: NodeDictionary) -> None:
    assert found.quality()["fvu"] < 0.05 and found.quality()["l0"] <= 2
    named = {one.index: one for one in found.features()}
    for label in range(CLASSES):
        one = named[feature_of(found, label)]
        assert one.label == label and one.share > 0.9 and one.columns[0][0] == label
        assert all(int(found.y[node]) == label and node in found.naming for node, _ in one.nodes)


def test_a_true_name_holds_on_other_nodes_and_a_shuffled_one_fails(found: NodeDictionary) -> None:
    for label in range(CLASSES):
        index, wrong = feature_of(found, label), (label + 1) % CLASSES
        held = judge_suppression_claim(suppression_claim(found, index, label, "its own"), found)
        assert held.status == "held" and held.controls[0].n == 199 and held.scores[0].value > 0.5
        assert judge_suppression_claim(suppression_claim(found, index, wrong, "another"), found).status == "failed"
        assert judge_naming_claim(naming_claim(found, index, label, "its own"), found).status == "held"
        assert judge_naming_claim(naming_claim(found, index, wrong, "another"), found).status == "failed"


def test_a_feature_that_nothing_reads_counts_for_no_class(found: NodeDictionary) -> None:
    index = feature_of(found, CLASSES)
    assert direction(found, index) == CLASSES
    for label in range(CLASSES):
        verdict = judge_suppression_claim(suppression_claim(found, index, label, str(label)), found)
        assert verdict.status == "failed", verdict


def test_only_a_fall_beyond_that_of_the_others_counts(found: NodeDictionary) -> None:
    everything_lower = found.logits - 1
    assert abs(found.effects(everything_lower, 0)).max() < 1e-6
    others_higher = found.logits + 1
    others_higher[:, 0] = found.logits[:, 0]
    assert abs(found.effects(others_higher, 0)).max() < 1e-6


def test_controls_are_as_long_as_what_they_are_matched_to(found: NodeDictionary) -> None:
    drawn = matched_directions(found, torch.full((5,), 2.0), 50, seed=3)
    torch.testing.assert_close(drawn.norm(dim=1), torch.full((50,), 20.0**0.5))
    assert torch.equal(drawn, matched_directions(found, torch.full((5,), 2.0), 50, seed=3))


def test_a_silent_feature_cannot_be_claimed_about(found: NodeDictionary) -> None:
    silent = torch.nonzero(~(found.activations > 0).any(0)).flatten()
    assert len(silent), "the planted network needs fewer features than there are"
    with pytest.raises(UsageError, match="active at 0"):
        suppression_claim(found, int(silent[0]), 0, "anything")
