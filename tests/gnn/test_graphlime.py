"""GraphLIME in its Gram form against the lasso on the whole n² × d design."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from truescope.core.errors import UsageError
from truescope.gnn.explainers import graphlime
from truescope.gnn.explainers.graphlime import neighbourhood_lasso, nonnegative_lasso
from truescope.gnn.networks import Subject
from truescope.gnn.whiteboxes import Setting
from truescope.judge.axioms import outranking

from .graph_models import white_box


def whole_design(x: np.ndarray, y: np.ndarray, rho: float) -> np.ndarray:
    n, d = x.shape

    def centred(K: np.ndarray) -> np.ndarray:
        H = np.eye(n) - 1 / n
        G = H @ K @ H
        norm = np.linalg.norm(G)
        return G / norm if norm > 1e-9 else G * 0

    design = np.stack([centred(np.exp(-((x[:, None, k] - x[None, :, k]) ** 2) / (0.2 * d))).ravel() for k in range(d)])
    L = centred(np.exp(-((y[:, None] - y[None]) ** 2).sum(-1) / (0.2 * y.shape[1]))).ravel()
    # scikit-learn divides the squared error by the number of samples.
    lasso = Lasso(rho / n**2, fit_intercept=False, positive=True, tol=1e-14, max_iter=100_000)
    return lasso.fit(design.T, L).coef_


@pytest.mark.parametrize("kind", ["two values", "many values", "mixed"])
def test_the_gram_form_is_the_whole_lasso(kind: str) -> None:
    rng = np.random.default_rng(0)
    x = (rng.random((30, 8)) < 0.4).astype(float)
    if kind != "two values":
        x[:, : 8 if kind == "many values" else 3] = rng.normal(size=(30, 8 if kind == "many values" else 3))
    x[:, 7] = 1.0  # a constant feature says nothing
    p = 1 / (1 + np.exp(-2 * x[:, 0] - 2 * x[:, 5] + 1))
    y = np.stack([1 - p, p], 1)
    coefficients, best = neighbourhood_lasso(x, y, 0.02)
    np.testing.assert_allclose(coefficients, whole_design(x, y, 0.02), atol=1e-6)
    assert coefficients[7] == 0 and (coefficients > 0).sum() >= 2 and best > 0.02


def test_one_feature_by_hand() -> None:
    # ½ b² − c b + ρ b has its least value at b = c − ρ.
    assert nonnegative_lasso(np.eye(1), np.array([0.5]), 0.1)[0] == pytest.approx(0.4)
    assert nonnegative_lasso(np.eye(1), np.array([0.05]), 0.1)[0] == 0.0


def test_nothing_is_said_where_no_feature_is_aligned_by_more_than_rho() -> None:
    instance, model = white_box("neighborhood", Setting(0.5, 0.5), 42)
    found = graphlime(Subject(model, instance.x, instance.edge_index), instance.nodes[:20])
    quiet = np.array(found.facts["best_alignment"]) <= 0.1
    assert quiet.any() and not found.features[quiet].any()


def test_few_important_features_of_the_node_itself_are_found() -> None:
    areas = []
    for seed in (42, 43):
        instance, model = white_box("local", Setting(0.5, 0.1), seed)
        found = graphlime(Subject(model, instance.x, instance.edge_index), instance.nodes[:40])
        areas.append(outranking(found.features, instance.used).mean())
    assert np.mean(areas) > 0.75  # published: .910 with a deviation of .17 over four seeds


def test_a_negative_rho_is_refused() -> None:
    instance, model = white_box("local", Setting(n_nodes=20, mean_degree=4, n_features=4), 0)
    with pytest.raises(UsageError, match="rho"):
        graphlime(Subject(model, instance.x, instance.edge_index), rho=-1.0)
