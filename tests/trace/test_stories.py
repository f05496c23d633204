"""A real pretrained model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from truescope.core.graphs import NodeKind
from truescope.models import Model
from truescope.trace import trace_graph

_PROMPT = "Once upon a time, there was a little girl named"


def test_lily(stories260k: Path) -> None:
    model = Model.from_pretrained(stories260k)
    tokens = model.tokens(_PROMPT)
    trace = trace_graph(model, tokens, prompt=_PROMPT, max_units=20_000)
    graph = trace.graph
    token, probability = graph.top_logits[0]
    assert token.strip() == "Lily" and round(probability, 3) == 0.926
    assert graph.closure_gap <= 1e-5
    assert graph.left_out["active_units"] == 5 * 14 * 172 and graph.left_out["unexplored_units"] == 0
    # All bias-free: the answer comes from the tokens and nothing else.
    assert {node.kind for node in graph.nodes} == {NodeKind.UNIT, NodeKind.TOKEN, NodeKind.LOGIT}
    assert trace.units.score.max() < 1 and len(trace.units) == 12_040
    assert 0.4 < graph.replacement[0] < graph.replacement[1] == 1.0


def test_capped_the_bounds_widen_and_the_books_still_close(stories260k: Path) -> None:
    model = Model.from_pretrained(stories260k)
    graph = trace_graph(model, model.tokens(_PROMPT), targets=[" Lily"], max_units=300).graph
    assert [node.label for node in graph.nodes if node.kind is NodeKind.LOGIT] == [" Lily"]
    assert graph.closure_gap <= 1e-5
    assert graph.replacement[0] < 0.5 < graph.replacement[1]
    assert np.isfinite(graph.weight).all()
