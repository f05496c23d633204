"""What pruning promises: who stays, what is counted, and that the bounds are bounds."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from strange import StrangeReplacement

from small_models import small_model, small_tokens
from truescope.core.errors import UsageError
from truescope.core.graphs import Graph, NodeKind
from truescope.trace import Trace, trace_graph
from truescope.trace.prune import top_share


@cache
def _traced(variant: str, strange: bool, node: float, edge: float, max_units: int) -> Trace:
    model = small_model(variant)
    replacement = StrangeReplacement(model) if strange else None
    return trace_graph(
        model, small_tokens(1)[0], replacement=replacement, node_threshold=node, edge_threshold=edge,
        max_units=max_units,
    )  # fmt: skip


def _check_invariants(graph: Graph) -> None:
    kinds = [node.kind for node in graph.nodes]
    assert kinds.count(NodeKind.TOKEN) == len(graph.tokens)
    assert kinds.count(NodeKind.LOGIT) >= 1
    has_in, has_out = set(graph.target.tolist()), set(graph.source.tolist())
    for i, node in enumerate(graph.nodes):
        if node.kind is NodeKind.UNIT:
            assert i in has_in and i in has_out, node.id
        if node.kind in (NodeKind.CONSTANT, NodeKind.ERROR):
            assert i in has_out and i not in has_in, node.id
    for low, high in (graph.replacement, graph.completeness):
        assert 0 <= low <= high <= 1
    left = graph.left_out
    shares = left["error_influence"] + left["unexplored_influence"] + left["pruned_influence"]
    assert shares + graph.replacement[0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("strange", [False, True])
@pytest.mark.parametrize("max_units", [60, 10_000])
@pytest.mark.parametrize("thresholds", [(0.8, 0.98), (0.3, 0.5), (1.0, 1.0)])
def test_invariants(strange: bool, max_units: int, thresholds: tuple[float, float]) -> None:
    _check_invariants(_traced("gpt2", strange, *thresholds, max_units).graph)


@pytest.mark.parametrize("variant", ["gpt_neox", "qwen2", "gemma3_text"])
def test_invariants_of_other_families(variant: str) -> None:
    _check_invariants(_traced(variant, False, 0.8, 0.98, 10_000).graph)


def test_nothing_is_missing_from_neurons_that_are_all_explored_and_kept() -> None:
    graph = _traced("gpt2", False, 1.0, 1.0, 10_000).graph
    assert graph.replacement == pytest.approx((1.0, 1.0), abs=1e-6)
    assert graph.completeness == pytest.approx((1.0, 1.0), abs=1e-6)
    assert graph.left_out["unexplored_units"] == 0


def test_errors_lower_both_bounds_and_pruning_only_the_lower() -> None:
    full, pruned = (_traced("gpt2", True, *t, 10_000).graph for t in ((1.0, 1.0), (0.8, 0.98)))
    assert full.replacement[0] == pytest.approx(full.replacement[1], abs=1e-6)
    assert full.replacement[1] < 0.95
    assert pruned.replacement[0] < full.replacement[0]
    assert full.completeness[1] < 0.99


def test_what_is_not_explored_is_counted() -> None:
    full, capped = (_traced("gpt2", False, 1.0, 1.0, n).graph for n in (10_000, 60))
    assert capped.left_out["unexplored_units"] == full.left_out["active_units"] - 60
    assert capped.left_out["unexplored_influence"] > 0.01
    assert capped.replacement[0] < full.replacement[0] - 0.01
    assert capped.settings["stopped_by"] == "max_units"


def test_memory_stops_exploring_too() -> None:
    graph = trace_graph(small_model("gpt2"), small_tokens(1)[0], max_bytes=50_000, batch=16).graph
    assert graph.settings["stopped_by"] == "max_bytes"
    assert graph.left_out["unexplored_units"] > 0
    _check_invariants(graph)


def test_the_most_influential_units_are_explored_first() -> None:
    full, capped = (_traced("gpt2", False, 0.8, 0.98, n).units for n in (10_000, 60))
    assert capped.explored.sum() == 60
    # The scores of the last layer need no row but the logits', so they are already right.
    last = full.layer == 2
    np.testing.assert_allclose(full.score[last], capped.score[last], rtol=1e-5)
    assert full.score[capped.explored].sum() > 3 * np.sort(full.score)[:60].sum()
    assert full.score[capped.explored].mean() > full.score.mean() * 2


def test_scores_are_from_before_pruning_and_of_all_units() -> None:
    hard, soft = (_traced("llama", False, n, 0.98, 10_000) for n in (0.3, 1.0))
    np.testing.assert_array_equal(hard.units.score, soft.units.score)
    assert len(hard.units) == 3 * 7 * 40
    by_place = {(u.layer, u.index, u.position): u.influence for u in soft.graph.nodes if u.kind is NodeKind.UNIT}
    units = hard.units
    keys = zip(units.layer.tolist(), units.index.tolist(), units.position.tolist(), strict=True)
    for key, score in zip(keys, units.score.tolist(), strict=True):
        if key in by_place:
            assert by_place[key] == score
    everything = np.ones(len(units), bool)
    assert units.share(everything) == pytest.approx(1.0)
    assert units.share(~everything) == 0.0


def test_the_same_call_gives_the_same_graph() -> None:
    model, tokens = small_model("llama"), small_tokens(1)[0]
    one, two = (trace_graph(model, tokens, max_units=100).graph for _ in range(2))
    assert one.nodes == two.nodes
    assert one.left_out == two.left_out and one.closure_gap == two.closure_gap
    for name in ("source", "target", "weight"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e3)), st.floats(0.01, 1.0))
@settings(max_examples=50)
def test_top_share_is_the_smallest_set(scores: np.ndarray, share: float) -> None:
    mask = top_share(scores, share)
    total = scores.sum()
    assert scores[mask].sum() >= share * total * (1 - 1e-9)
    if mask.any():
        assert scores[mask].sum() - scores[mask].min() <= share * total * (1 + 1e-9)
        assert scores[mask].min() >= scores[~mask].max(initial=0.0)


@pytest.mark.parametrize("wrong", [{"node_threshold": 0.0}, {"edge_threshold": 1.5}, {"max_units": -1}, {"batch": 0}])
def test_numbers_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        trace_graph(small_model("gpt2"), small_tokens(1)[0], **wrong)


def test_progress_ends_at_the_total() -> None:
    seen: list[tuple[int, int]] = []
    trace_graph(
        small_model("gpt2"), small_tokens(1)[0], max_units=50, batch=16, progress=lambda d, t: seen.append((d, t))
    )
    assert seen == [(16, 50), (32, 50), (48, 50), (50, 50)]
