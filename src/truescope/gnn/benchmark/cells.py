"""The cells of the benchmark: which white box, on which instance. Each is computed alone and kept alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from truescope.core.errors import UsageError
from truescope.core.ids import content_id
from truescope.gnn.data import NamedGraph, ego_network
from truescope.gnn.whiteboxes import WHITE_BOXES, Instance, Setting, WhiteBox, draw_truth, generate

SEEDS = (42, 43, 44, 45)
"""The published seeds of the synthetic part."""
FACEBOOK_SEED = 666
"""The published seed of the Facebook part."""
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""The published shares of positive features."""
IMPORTANT = (0.1, 0.2, 0.3, 0.4, 0.5)
"""The published shares of important features."""


@dataclass(frozen=True)
class Cell:
    """One white box on one instance; ``setting`` is None on the Facebook network, whose features are given."""

    white_box: str
    seed: int
    p_important: float
    setting: Setting | None = None
    ego: str | None = None
    n_targets: int = 100

    @property
    def id(self) -> str:
        """The hash of what the cell is."""
        return content_id(asdict(self))

    @property
    def graph(self) -> str:
        """The graph's name: cells with the same one share their arcs."""
        return f"{self.setting.graph} {self.seed}" if self.setting else f"ego {self.ego}"

    def facts(self) -> dict[str, Any]:
        """What the tables group by."""
        s = self.setting
        positive, false = (s.p_positive, s.false_value) if s else (None, None)
        return {
            "white_box": self.white_box,
            "data": "synthetic" if s else "facebook",
            "graph": self.graph,
            "seed": self.seed,
            "p_positive": positive,
            "p_important": self.p_important,
            "false": false,
        }

    def instance(self, folder: Path | None) -> Instance:
        """Draw or read the cell's instance. Raises UsageError where the Facebook data are wanted and no folder is
        given.
        """
        if self.setting is not None:
            return generate(self.setting, self.seed)
        graph = read_ego(folder, self.ego or "")
        rng = np.random.RandomState(self.seed)
        x, arcs = graph.x.numpy(), graph.edge_index.numpy()
        return draw_truth(x, arcs, rng, self.seed, self.n_targets, self.p_important)

    def model(self, instance: Instance) -> WhiteBox:
        """The cell's white box on its instance."""
        return WhiteBox(self.white_box, instance.beta, instance.important, instance.x, instance.edge_index)


def read_ego(folder: Path | None, ego: str) -> NamedGraph:
    """The ego network, from the folder of real data. Raises UsageError where none is named."""
    if folder is None:
        raise UsageError("the Facebook part needs its data", fix="name the folder with TRUESCOPE_DATA")
    return ego_network(folder / "graphs" / "facebook_ego", ego)


def published_cells() -> list[Cell]:
    """The 18 settings of the synthetic sweep, 4 seeds, 3 white boxes: 216 cells."""
    settings = [(p, 0.5) for p in SHARES] + [(0.5, p) for p in IMPORTANT if p != 0.5]
    return [
        Cell(name, seed, important, Setting(positive, important, false))
        for false in (0.0, -1.0)
        for positive, important in settings
        for name in WHITE_BOXES
        for seed in SEEDS
    ]


def quick_cells() -> list[Cell]:
    """A small part of the sweep: two shares of positive features, two of important ones, two seeds."""
    keep = {(0.1, 0.5), (0.5, 0.5), (0.5, 0.1)}
    return [
        cell
        for cell in published_cells()
        if cell.setting and (cell.setting.p_positive, cell.p_important) in keep and cell.seed in SEEDS[:2]
    ]


def facebook_cells(ego: str = "1684") -> list[Cell]:
    """The published Facebook part: 3 shares of important features, 3 white boxes, 100 nodes."""
    return [Cell(name, FACEBOOK_SEED, p, ego=ego) for p in (0.1, 0.3, 0.5) for name in WHITE_BOXES]
