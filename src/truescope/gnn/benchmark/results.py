"""Every measurement together: means with intervals by graph, by predicted class, and explainers side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from truescope.core.claims import Score
from truescope.core.errors import UsageError
from truescope.gnn.benchmark.arcs import ARC_MEASURES
from truescope.gnn.benchmark.cells import Cell
from truescope.gnn.benchmark.measure import Measured
from truescope.gnn.benchmark.published import Comparison, Key, published_means
from truescope.gnn.whiteboxes import expected_outranking
from truescope.judge.axioms import outranking
from truescope.statistics import bootstrap_interval, hierarchical_bootstrap_interval, holm, permutation_test

Where = Callable[[Cell], bool]
_CLOSED_FORM_NAME = {"published_lrp": "input_x_gradient", "lrp_epsilon": "lrp_epsilon"}


@dataclass(frozen=True, eq=False)
class Sample:
    """The areas of some nodes, which graph and which node each is of, and what class the node was given."""

    area: Float[np.ndarray, " n"]
    graphs: np.ndarray
    nodes: np.ndarray
    classes: np.ndarray
    n_not_applicable: int

    @property
    def mean(self) -> float:
        """The mean area, NaN where there is none."""
        return float(self.area.mean()) if len(self.area) else float("nan")

    def score(self, name: str, seed: int = 0) -> Score:
        """The mean with a 95 % interval over graphs; with one graph, over nodes."""
        if len(np.unique(self.graphs)) > 1:
            low, high = hierarchical_bootstrap_interval(self.area, self.graphs[None], seed=seed)
        else:
            low, high = bootstrap_interval(self.area, seed=seed)
        return Score(name, self.mean, low, high, len(self.area))

    def of_class(self, c: int) -> float | None:
        """The mean over the nodes that were given class ``c``."""
        chosen = self.area[self.classes == c]
        return float(chosen.mean()) if len(chosen) else None


@dataclass(frozen=True, eq=False)
class Results:
    """All measurements of one sweep."""

    measured: tuple[Measured, ...]

    @cached_property
    def explainers(self) -> tuple[str, ...]:
        """The explainers in the order in which they were run."""
        return tuple(dict.fromkeys(m.explainer for m in self.measured))

    def sample(self, explainer: str, where: Where | None = None) -> Sample:
        """The applicable nodes' areas of one explainer, over the cells that ``where`` keeps.

        Raises:
            UsageError: nothing was measured there.
        """
        chosen = [m for m in self.measured if m.explainer == explainer and (where is None or where(m.cell))]
        chosen.sort(key=lambda m: m.cell.id)  # so that two explainers' samples pair up
        if not chosen:
            raise UsageError(f"{explainer} was not measured there", fix="run the cells that the question is about")
        return _joined(chosen, [m.applies for m in chosen], [m.area for m in chosen])

    def randomised(self, seed: int) -> Results:
        """The same cells with random scores in place of every explainer's: what chance gives."""
        rng = np.random.default_rng(seed)
        drawn = {m.cell.id: m for m in self.measured}
        areas = {key: outranking(rng.random((len(m.area), len(m.used))), m.used) for key, m in drawn.items()}
        return Results(tuple(replace(m, area=areas[m.cell.id]) for m in self.measured))

    def rows(self) -> Iterator[dict[str, Any]]:
        """One record an explainer, white box and setting: means, interval, by class, closed form, what did not
        apply.
        """
        groups: dict[Key, list[Measured]] = {}
        for m in self.measured:
            groups.setdefault(_key(m), []).append(m)
        for key, members in groups.items():
            sample = Results(tuple(members)).sample(key[0])
            cell = members[0].cell
            expected = None
            if cell.setting is not None:
                name = _CLOSED_FORM_NAME.get(key[0], key[0])
                known = key[0] != "published_lrp" or cell.white_box == "neighborhood"  # elsewhere it is no rule
                expected = expected_outranking(cell.white_box, name, cell.setting) if known else None
            score = sample.score("area")
            yield {
                "explainer": key[0],
                **{k: v for k, v in cell.facts().items() if k not in ("graph", "seed")},
                "mean": score.value,
                "low": score.low,
                "high": score.high,
                "n_nodes": score.n,
                "n_graphs": len(np.unique(sample.graphs)),
                "n_not_applicable": sample.n_not_applicable,
                "mean_as_published": float(np.mean([m.area.mean() for m in members])),
                "class_0": sample.of_class(0),
                "class_1": sample.of_class(1),
                "expected": expected,
                "seconds_a_cell": float(np.mean([m.seconds for m in members])),
            }

    def arc_rows(self) -> Iterator[dict[str, Any]]:
        """One record an explainer, white box and coding of false (on Facebook: share of important features).

        Each measure of arcs has its mean, its interval over graphs and how many nodes it does not apply to.
        """
        groups: dict[tuple[Any, ...], list[Measured]] = {}
        for m in self.measured:
            s = m.cell.setting
            where = (None, m.cell.p_important) if s is None else (s.false_value, None)
            if m.arcs:
                groups.setdefault((m.explainer, m.cell.white_box, *where), []).append(m)
        for (explainer, white_box, false, important), members in groups.items():
            found: dict[str, Any] = {"explainer": explainer, "white_box": white_box, "false": false}
            found |= {"p_important": important, "data": "synthetic" if important is None else "facebook"}
            for name in ARC_MEASURES:
                kept = [~np.isnan(m.arcs[name]) for m in members]
                sample = _joined(members, kept, [m.arcs[name] for m in members])
                score = sample.score(name)
                found[name] = {
                    "mean": score.value,
                    "low": score.low,
                    "high": score.high,
                    "n_nodes": score.n,
                    "n_not_applicable": sample.n_not_applicable,
                }
            yield found

    def comparisons(self) -> list[Comparison]:
        """Every published mean that was measured again, where all the published seeds were run."""
        published, groups = published_means(), {}
        for m in self.measured:
            groups.setdefault(_key(m), []).append(m)
        found = []
        for key, members in groups.items():
            n_seeds = 4 if key[2] is not None else 1
            if key in published and len(members) == n_seeds:
                measured = float(np.mean([m.area.mean() for m in members]))
                found.append(Comparison(key, published[key], measured))
        return found

    def pairs(self, names: Sequence[str], seed: int = 0) -> list[dict[str, Any]]:
        """Each two explainers on the same nodes: the mean difference, its interval over graphs, Holm's p over all
        pairs.

        The p-value flips the signs of all differences of one node of one graph together.
        """
        found, p_values = [], []
        for white_box in dict.fromkeys(m.cell.white_box for m in self.measured):
            for first, second in combinations([n for n in names if n in self.explainers], 2):
                a, b = (self._synthetic(name, white_box) for name in (first, second))
                if a is None or b is None:
                    continue
                differences = a.area - b.area
                score = replace(a, area=differences).score("difference", seed)
                clusters = np.unique(np.stack([a.graphs, a.nodes.astype(str)], 1), axis=0, return_inverse=True)[1]
                test = permutation_test(differences, clusters=clusters.ravel(), seed=seed)
                p_values.append(test.p)
                found.append(
                    {
                        "white_box": white_box,
                        "first": first,
                        "second": second,
                        "difference": score.value,
                        "low": score.low,
                        "high": score.high,
                        "n": score.n,
                    }
                )
        adjusted = holm(np.array(p_values)) if p_values else []
        return [{**row, "p_holm": float(p)} for row, p in zip(found, adjusted, strict=True)]

    def _synthetic(self, explainer: str, white_box: str) -> Sample | None:
        def where(cell: Cell) -> bool:
            return cell.white_box == white_box and cell.setting is not None and cell.setting.false_value == 0.0

        return self.sample(explainer, where) if any(where(m.cell) for m in self.measured) else None


def _joined(members: Sequence[Measured], kept: Sequence[np.ndarray], areas: Sequence[np.ndarray]) -> Sample:
    """The kept nodes of several cells together."""
    graphs = [np.full(int(k.sum()), m.cell.graph) for k, m in zip(kept, members, strict=True)]
    return Sample(
        np.concatenate([area[k] for k, area in zip(kept, areas, strict=True)]),
        np.concatenate(graphs),
        np.concatenate([m.nodes[k] for k, m in zip(kept, members, strict=True)]),
        np.concatenate([m.classes[k] for k, m in zip(kept, members, strict=True)]),
        int(sum((~k).sum() for k in kept)),
    )


def _key(m: Measured) -> Key:
    s = m.cell.setting
    positive, false = (s.p_positive, s.false_value) if s is not None else (None, None)
    return m.explainer, m.cell.white_box, positive, m.cell.p_important, false
