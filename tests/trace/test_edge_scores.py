"""Edge scores and live effects against closed forms, limits, and edits made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from trace_models import linear_model, relu_model

from small_models import small_model, small_tokens
from truescope.core.errors import UsageError
from truescope.core.graphs import NodeKind
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.models import Model
from truescope.trace import DirectEffects, direct_effects, trace_graph
from truescope.trace.patching import EdgeScores, LogitMetric, SourceBaseline, live_effects

CLEAN, CORRUPT = small_tokens(batch=1, pos=5, seed=0), small_tokens(batch=1, pos=5, seed=1)
METRIC = LogitMetric(torch.tensor([5]), demean=True)


def effects_of(model: Model) -> DirectEffects:
    return direct_effects(model, CLEAN[0], targets=[5])


def test_on_a_linear_model_all_edge_scores_agree_and_sum_to_the_difference() -> None:
    model = linear_model()
    effects = effects_of(model)
    scores = EdgeScores(effects, METRIC)
    corrupt = SourceBaseline.values_at(effects, CORRUPT)
    one = scores.attribution(corrupt)
    np.testing.assert_allclose(scores.integrated(corrupt, steps=3), one, atol=1e-6)
    np.testing.assert_allclose(scores.patched(corrupt), one, atol=1e-5)
    difference = float(METRIC(model.run(CLEAN).logits) - METRIC(model.run(CORRUPT).logits))
    assert abs(one[-1].sum() - difference) < 1e-4
    np.testing.assert_allclose(scores.attribution(SourceBaseline.zero(effects)), scores.times_input(), atol=1e-9)
    first = abs(effects.sources[0].activation)
    np.testing.assert_allclose(scores.gradient()[:, 0] * first, np.abs(scores.times_input()[:, 0]), rtol=1e-5)


def test_live_effects_on_a_linear_model_are_the_sum_over_paths() -> None:
    effects = effects_of(linear_model())
    n = effects.n_units
    activation = np.array([unit.activation for unit in effects.targets[:n]])
    per_unit = effects.weight[:, :n] / activation
    units = np.linalg.solve(np.eye(n) - per_unit[:n], effects.weight[:n].astype(np.float64))
    total = np.vstack([units, effects.weight[n:] + per_unit[n:] @ units])
    live = live_effects(effects)
    embedded = ("unit", "token", "pos_embed")
    editable = [s for s, node in enumerate(effects.sources) if (node.constant or node.kind) in embedded]
    # A source is its own target too: taking a unit out does not move what it reads.
    np.testing.assert_allclose(live[:, editable], total[:, editable], atol=2e-5)
    others = [s for s in range(len(effects.sources)) if s not in editable]
    assert others
    assert not live[:, others].any()


def test_edge_attribution_is_the_limit_of_edge_patching() -> None:
    effects = effects_of(relu_model())
    scores = EdgeScores(effects, METRIC)
    zero = SourceBaseline.zero(effects)
    clean = SourceBaseline.values_at(effects, CLEAN)
    near = SourceBaseline(clean.activation * (1 - 1e-4), clean.embed * (1 - 1e-4))
    attributed, patched = scores.attribution(near), scores.patched(near)
    # Single precision in the direct effects leaves about 1e-7 of their size.
    assert np.abs(attributed - patched).max() < 2e-2 * np.abs(attributed).max()
    far = scores.patched(zero)
    assert np.abs(far - scores.attribution(zero)).max() > 1e-2 * np.abs(far).max()


def test_a_patched_edge_is_the_edit_by_hand() -> None:
    model = relu_model()
    effects = effects_of(model)
    scores = EdgeScores(effects, METRIC)
    patched = scores.patched(SourceBaseline.zero(effects))
    whole = float(METRIC(model.run(CLEAN).logits))
    n, checked = effects.n_units, 0
    for t in range(0, n, 7):
        unit = effects.targets[t]
        for s in np.flatnonzero(effects.weight[t])[::5]:
            value = max(unit.pre_activation - float(effects.weight[t, s]), 0.0)
            edit = Intervention(Site("mlp_neurons", unit.layer), "set", value, (unit.position,), (unit.index,))
            by_hand = whole - float(METRIC(model.run(CLEAN, edit=[edit]).logits))
            assert abs(patched[t, s] - by_hand) < 1e-5
            checked += 1
    assert checked > 20
    np.testing.assert_allclose(patched[n:], effects.weight[n:], atol=1e-6)


def test_a_live_effect_is_the_run_without_the_source() -> None:
    model = relu_model()
    effects = effects_of(model)
    live = live_effects(effects)
    s = next(i for i, node in enumerate(effects.sources) if node.kind is NodeKind.UNIT and node.layer == 0)
    unit = effects.sources[s]
    edit = Intervention(Site("mlp_neurons", 0), "ablate_zero", None, (unit.position,), (unit.index,))
    up: Any = model.parts.up(1)
    for t, target in enumerate(effects.targets[: effects.n_units]):
        if target.layer == 1:
            run = model.run(CLEAN, read=["mlp_in.1"], edit=[edit]).sites[Site("mlp_in", 1)][0, target.position]
            h = float(run @ up.weight[:, target.index] + up.bias[target.index])
            assert abs(live[t, s] - (target.pre_activation - h)) < 1e-6
    left = model.run(CLEAN, edit=[edit]).logits
    assert abs(live[-1, s] - float(METRIC(model.run(CLEAN).logits) - METRIC(left))) < 1e-6


@pytest.mark.parametrize("variant", ["llama", "gemma2"])
def test_gated_neurons_have_edge_scores(variant: str) -> None:
    model = small_model(variant)
    effects = effects_of(model)
    scores = EdgeScores(effects, LogitMetric(torch.tensor([5]), torch.tensor([7])))
    zero = SourceBaseline.zero(effects)
    for found in (scores.times_input(), scores.integrated(zero, 2), scores.patched(zero), live_effects(effects)):
        assert found.shape == effects.weight.shape
        assert np.isfinite(found).all()
        assert found.any()


def test_units_that_are_not_relu_units_are_refused() -> None:
    with pytest.raises(UsageError, match="not relu units"):
        EdgeScores(effects_of(small_model("gpt2")), METRIC)


def test_influence_is_that_of_the_whole_graph() -> None:
    model = relu_model()
    effects = effects_of(model)
    nodes, edges = effects.influence()
    graph = trace_graph(model, CLEAN[0], targets=[5], node_threshold=1.0, edge_threshold=1.0).graph
    place = {node.id: i for i, node in enumerate(effects.sources)}
    for node in graph.nodes:
        if node.kind is not NodeKind.LOGIT:
            assert nodes[place[node.id]] == pytest.approx(node.influence, rel=1e-3, abs=1e-7)
    # All that leaves the logit ends in tokens, constants and errors.
    assert edges[:, effects.n_units :].sum() == pytest.approx(1.0, abs=1e-6)
