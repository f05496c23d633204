"""The Facebook networks as they are published: sizes, names, and the benchmark's first numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from truescope.core.errors import GraphError
from truescope.gnn.benchmark import facebook_cells, measure
from truescope.gnn.data import combined_edges, ego_network, facebook100


@pytest.fixture(scope="module")
def graphs(real_data: Path) -> Path:
    folder = real_data / "graphs"
    if not (folder / "facebook_ego").is_dir():
        pytest.skip(f"no Facebook networks at {folder}")
    return folder


def test_the_ego_network_is_the_published_one(graphs: Path) -> None:
    ego = ego_network(graphs / "facebook_ego", "1684")
    assert ego.x.shape == (786, 319) and ego.edge_index.shape == (2, 2 * 14024)
    assert float(ego.x.mean()) == pytest.approx(0.0249, abs=5e-5)
    assert [ego.feature_names[i].split(";")[0] for i in ego.columns("gender")] == ["gender", "gender"]
    with pytest.raises(GraphError, match="gender"):
        ego.columns("gendr")
    with pytest.raises(GraphError, match="1684"):
        ego_network(graphs / "facebook_ego", "168")


def test_the_published_means_on_it(real_data: Path, graphs: Path) -> None:
    cells = {cell.white_box: cell for cell in facebook_cells() if cell.p_important == 0.1}
    names = ("deconvolution", "integrated_gradients", "published_lrp")
    found = {(box, m.explainer): m for box, cell in cells.items() for m in measure(cell, names, real_data)}
    assert found["local", "integrated_gradients"].area.mean() == pytest.approx(0.5062, abs=5e-5)
    assert found["neighborhood", "integrated_gradients"].area.mean() == pytest.approx(0.5592, abs=5e-5)
    assert found["two-hop", "integrated_gradients"].area.mean() == pytest.approx(0.7231, abs=5e-5)
    # .990 as published: two nodes see no feature. They are counted as such here, and the others are all perfect.
    perfect = found["neighborhood", "deconvolution"]
    assert perfect.area.mean() == pytest.approx(0.99) and (~perfect.applies).sum() == 2
    assert (perfect.area[perfect.applies] == 1).all()


def test_other_networks(graphs: Path) -> None:
    assert combined_edges(graphs / "facebook_ego" / "facebook_combined.txt").shape == (2, 2 * 88234)
    reed = facebook100(graphs / "facebook100" / "Reed98.mat")
    assert reed.x.shape[0] == 962 and len(reed.columns("gender")) == 2
    with pytest.raises(GraphError, match="Facebook100"):
        facebook100(graphs / "facebook100" / "none.mat")
