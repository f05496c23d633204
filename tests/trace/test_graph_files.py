"""A graph on disk is the same graph, or an error that says which file is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from small_models import small_model, small_tokens
from truescope.core.errors import GraphError
from truescope.core.graphs import Graph
from truescope.trace import load_graph, load_units, save_graph, trace_graph
from truescope.trace.files import TENSORS, WORDS

_PLAIN = [name for name in Graph.__dataclass_fields__ if name not in ("source", "target", "weight")]


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Graph]:
    trace = trace_graph(small_model("gpt2"), small_tokens(1)[0], targets=[5, 9], max_units=100, prompt="é\ud800→\n")
    return save_graph(trace.graph, tmp_path / "deep" / "graph", trace.units), trace.graph


def test_round_trip(saved: tuple[Path, Graph]) -> None:
    folder, graph = saved
    loaded = load_graph(folder)
    for name in _PLAIN:
        assert getattr(loaded, name) == getattr(graph, name), name
    for name in ("source", "target", "weight"):
        assert getattr(loaded, name).dtype == getattr(graph, name).dtype
        np.testing.assert_array_equal(getattr(loaded, name), getattr(graph, name))
    units = load_units(folder)
    assert units is not None and len(units) == 840 and units.explored.sum() == 100
    assert sorted(p.name for p in folder.iterdir()) == sorted([TENSORS, WORDS])


def test_saving_again_replaces_the_whole(saved: tuple[Path, Graph]) -> None:
    folder, graph = saved
    save_graph(graph, folder)
    assert load_graph(folder).nodes == graph.nodes
    assert load_units(folder) is None
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", [TENSORS, WORDS])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_cut_short(saved: tuple[Path, Graph], name: str, share: float) -> None:
    data = (saved[0] / name).read_bytes()
    (saved[0] / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(GraphError, match=name):
        load_graph(saved[0])


@pytest.mark.parametrize("name", [TENSORS, WORDS])
def test_a_file_that_is_gone(saved: tuple[Path, Graph], name: str) -> None:
    (saved[0] / name).unlink()
    with pytest.raises(GraphError, match=name):
        load_graph(saved[0])


def test_a_changed_weight(saved: tuple[Path, Graph]) -> None:
    tensors = load_file(saved[0] / TENSORS)
    tensors["weight"][0] += 1
    save_file(tensors, saved[0] / TENSORS)
    with pytest.raises(GraphError, match=TENSORS):
        load_graph(saved[0])


def test_a_changed_number_in_the_words(saved: tuple[Path, Graph]) -> None:
    words = json.loads((saved[0] / WORDS).read_text())
    words["closure_gap"] = 0.0
    (saved[0] / WORDS).write_text(json.dumps(words))
    with pytest.raises(GraphError, match="changed"):
        load_graph(saved[0])


def test_another_format(saved: tuple[Path, Graph]) -> None:
    (saved[0] / WORDS).write_text('{"format": "something else"}')
    with pytest.raises(GraphError, match="version"):
        load_graph(saved[0])
    (saved[0] / WORDS).write_text("[1, 2]")
    with pytest.raises(GraphError):
        load_units(saved[0])
