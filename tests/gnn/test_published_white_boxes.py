"""The published white boxes and their generator: equations, published values, closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from truescope.core.errors import ModelError, UsageError
from truescope.gnn.explainers import integrated_gradients, lrp, published_lrp, saliency
from truescope.gnn.networks import Subject
from truescope.gnn.whiteboxes import WHITE_BOXES, Setting, WhiteBox, expected_outranking, generate

# Mean over nodes, seed 42, as the authors' code gives it (false coded 0, half of the features important).
PUBLISHED_INTEGRATED = {
    ("local", 0.1): 0.554615,
    ("neighborhood", 0.1): 0.795769,
    ("two-hop", 0.1): 0.995769,
    ("local", 0.5): 0.753077,
    ("neighborhood", 0.5): 0.988462,
    ("two-hop", 0.5): 1.0,
}


def white_box(name: str, setting: Setting, seed: int):
    instance = generate(setting, seed)
    model = WhiteBox(name, instance.beta, instance.important, instance.x, instance.edge_index)
    return instance, Subject(model, instance.x, instance.edge_index)


def mean_area(attributions, used: np.ndarray) -> float:
    return float(np.mean([roc_auc_score(used, row) for row in attributions.features]))


@pytest.mark.parametrize(("name", "p_positive"), PUBLISHED_INTEGRATED)
def test_integrated_gradients_are_the_published_ones(name: str, p_positive: float) -> None:
    instance, subject = white_box(name, Setting(p_positive), 42)
    found = mean_area(integrated_gradients(subject, instance.nodes), instance.used)
    assert found == pytest.approx(PUBLISHED_INTEGRATED[name, p_positive], abs=1e-6)


@pytest.mark.parametrize("name", WHITE_BOXES)
def test_the_gradient_is_perfect_and_relevance_is_input_times_gradient(name: str) -> None:
    instance, subject = white_box(name, Setting(0.1), 42)
    assert mean_area(saliency(subject, instance.nodes), instance.used) == 1.0
    expected = PUBLISHED_INTEGRATED[name, 0.1]
    assert mean_area(lrp(subject, instance.nodes), instance.used) == pytest.approx(expected, abs=1e-6)
    # As published, LRP is the gradient where no message passing is on the way: perfect, and no relevance.
    published = mean_area(published_lrp(subject, instance.nodes), instance.used)
    assert published == pytest.approx(1.0 if name == "local" else expected, abs=1e-6)


def test_the_logits_are_the_equations_with_dense_matrices() -> None:
    instance = generate(Setting(n_nodes=30, mean_degree=6, n_features=8), 3)
    n, (sources, targets) = 30, instance.edge_index.numpy()
    K = np.zeros((n, n))
    K[targets, sources] = instance.important.numpy()
    P = K / np.maximum(1, K.sum(1, keepdims=True))
    D = K / (len(sources) / n)
    X, beta, one = instance.x.numpy(), instance.beta.numpy(), np.ones(n)
    truth = {
        "local": X @ beta + D @ one,
        "neighborhood": P @ X @ beta + D @ one,
        "two-hop": P @ P @ X @ beta + D @ D @ one,
    }
    for name, z in truth.items():
        model = WhiteBox(name, instance.beta, instance.important, instance.x, instance.edge_index)
        y = 1 / (1 + np.exp(-(z - z.mean()) / z.std(ddof=1)))
        got = model(instance.x, instance.edge_index).numpy()
        np.testing.assert_allclose(got, np.stack([1 - y, y], 1), rtol=1e-12)
        chain = model.chain(instance.x, instance.edge_index)
        np.testing.assert_allclose(chain.values(X)[-1], got, rtol=1e-12)


@pytest.mark.parametrize("name", WHITE_BOXES)
@pytest.mark.parametrize("p_positive", [0.1, 0.5])
def test_closed_forms_meet_the_mean_over_instances(name: str, p_positive: float) -> None:
    setting = Setting(p_positive)
    found = []
    for seed in range(6):
        instance, subject = white_box(name, setting, seed)
        found.append(mean_area(integrated_gradients(subject, instance.nodes[:50]), instance.used))
    expected = expected_outranking(name, "integrated_gradients", setting)
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / np.sqrt(6) + 1e-3)


def test_with_false_coded_minus_one_no_feature_hides_behind_a_zero() -> None:
    instance, subject = white_box("local", Setting(0.1, false_value=-1.0), 42)
    assert mean_area(integrated_gradients(subject, instance.nodes), instance.used) == 1.0


def test_barabasi_albert_and_signed_importance() -> None:
    instance = generate(Setting(graph="barabasi-albert", signed=True), 0)
    degrees = np.bincount(instance.edge_index[0])
    assert degrees.max() > 3 * np.median(degrees) and instance.edge_index.shape[1] == 2 * (100 - 8) * 8
    assert set(np.unique(instance.beta)) == {-1.0, 0.0, 1.0}
    model = WhiteBox("neighborhood", instance.beta, instance.important, instance.x, instance.edge_index)
    scores = saliency(Subject(model, instance.x, instance.edge_index), instance.nodes).features
    has_arcs = scores.max(1) > 0
    assert all(roc_auc_score(instance.used, row) == 1.0 for row in scores[has_arcs])


def test_what_cannot_be_built_says_why() -> None:
    instance = generate(Setting(), 0)
    with pytest.raises(UsageError, match="two-hop"):
        WhiteBox("two-hops", instance.beta, instance.important, instance.x, instance.edge_index)
    with pytest.raises(ModelError, match="same logit"):
        WhiteBox("local", instance.beta, torch.zeros_like(instance.important), instance.x * 0, instance.edge_index)
    with pytest.raises(UsageError, match="false is coded"):
        Setting(false_value=2.0)
    model = WhiteBox("local", instance.beta, instance.important, instance.x, instance.edge_index)
    with pytest.raises(ModelError, match="arcs"):
        model(instance.x, instance.edge_index[:, :10])
