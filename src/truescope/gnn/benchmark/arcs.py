"""Arcs: does an explainer that scores them rank those that a white box uses for a node above the others?

    local       among the arcs into the node, the important ones                                     (as published)
    global      among all arcs, the important ones into the node                                     (as published)
    weighted    the same, the arcs into the node and all others counting alike                       (as published)
    walks       among all arcs, those on a walk of important arcs into the node, as long as the classifier looks
    precision   of the same arcs the average precision: few arcs count among many, and chance is their share

The published measures call an arc two hops away unimportant although Two-hop uses it; `walks` is what it uses. A node
into which all arcs are important, or none, is not applicable to the first three; one without a walk to the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from truescope.gnn.whiteboxes import Instance
from truescope.judge.axioms import average_precision, outranking

ARC_MEASURES: Mapping[str, str] = {
    "local": "among the arcs into the node",
    "global": "all arcs, those into the node that are important",
    "weighted": "the same, arcs into the node weighted like all others",
    "walks": "all arcs, those on walks that the classifier uses",
    "precision": "the same by average precision",
}
"""What is measured of arcs, and in words."""
Areas = Mapping[str, Float[np.ndarray, " n_targets"]]

_PERFECT = ((1.0, 1.0, 1.0),) * 3
PUBLISHED_ARCS: Mapping[tuple[str, str], Sequence[tuple[float, float, float]]] = {
    ("deconvolution", "local"): _PERFECT,
    ("deconvolution", "neighborhood"): _PERFECT,
    ("deconvolution", "two-hop"): ((1.0, 0.999957, 0.99997), (1.0, 0.999998, 0.999999), (1.0, 0.999999, 0.999999)),
    ("integrated_gradients", "local"): _PERFECT,
    ("integrated_gradients", "neighborhood"): _PERFECT,
    ("integrated_gradients", "two-hop"): (
        (1.0, 0.999965, 0.999976),
        (1.0, 0.999998, 0.999999),
        (1.0, 0.999999, 0.999999),
    ),
    ("published_lrp", "local"): _PERFECT,
    ("published_lrp", "neighborhood"): _PERFECT,
    ("published_lrp", "two-hop"): ((1.0, 0.999693, 0.999789), (1.0, 0.999952, 0.999967), (1.0, 0.999966, 0.999977)),
    ("gnn_explainer", "local"): (
        (0.960815, 0.986262, 0.977459),
        (0.944964, 0.978149, 0.966796),
        (0.853325, 0.94179, 0.913112),
    ),
    ("gnn_explainer", "neighborhood"): (
        (0.995732, 0.998878, 0.997689),
        (0.999491, 0.999887, 0.999744),
        (1.0, 0.999985, 0.999988),
    ),
    ("gnn_explainer", "two-hop"): (
        (0.985041, 0.994493, 0.99183),
        (0.996248, 0.997546, 0.997161),
        (0.990938, 0.995539, 0.994199),
    ),
}
"""What the authors stored of arcs on the Facebook network and put in no table: (local, global, weighted) at a share of
important features of .1, .3 and .5."""
_SHARES = (0.1, 0.3, 0.5)
_STORED = ("local", "global", "weighted")


@dataclass(frozen=True, eq=False)
class ArcTruth:
    """What is true of a white box's arcs for each explained node.

    into     [n_targets, n_arcs]   the arcs into the node
    walks    [n_targets, n_arcs]   the important arcs on walks of ``hops`` important arcs into the node
    """

    important: Bool[np.ndarray, " n_arcs"]
    into: Bool[np.ndarray, "n_targets n_arcs"]
    walks: Bool[np.ndarray, "n_targets n_arcs"]

    @classmethod
    def of(cls, instance: Instance, hops: int) -> ArcTruth:
        """The truth of an instance; a classifier that only looks at the node itself (hops 0) counts its arcs: one."""
        important = instance.important.numpy()
        sources, targets = instance.edge_index.numpy()
        into = targets == instance.nodes[:, None]
        first = into & important
        if hops < 2:
            return cls(important, into, first)
        n_nodes = len(instance.x)
        begins = np.zeros(n_nodes, dtype=bool)
        begins[targets[important]] = True  # an important arc leads to it
        middle = np.zeros((len(into), n_nodes), dtype=bool)
        middle[np.nonzero(first)[0], sources[np.nonzero(first)[1]]] = True
        return cls(important, into, (first & begins[sources]) | (middle[:, targets] & important))

    def areas(self, scores: Float[np.ndarray, "n_targets n_arcs"]) -> Areas:
        """Every measure of every node, NaN where it does not apply."""
        truth = self.into & self.important
        whole = outranking(scores, truth)
        local = np.array([outranking(s[i][None], self.important[i])[0] for s, i in zip(scores, self.into, strict=True)])
        whole = np.where(np.isnan(local), np.nan, whole)  # as published: where none of the arcs into the node differ
        n_into, n_used = self.into.sum(1), truth.sum(1)
        near, far = n_into - n_used, scores.shape[1] - n_into
        apart = (whole * (near + far) - local * near) / np.maximum(far, 1)  # against the arcs that lead elsewhere
        # All arcs into the node together weigh what all others do.
        weighted = (near * local + n_into * apart) / np.maximum(near + n_into, 1)
        return {
            "local": local,
            "global": whole,
            "weighted": weighted,
            "walks": outranking(scores, self.walks),
            "precision": average_precision(scores, self.walks),
        }


def arc_comparisons(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the authors stored of arcs on the Facebook network beside ours."""
    found = []
    for row in rows:
        stored = PUBLISHED_ARCS.get((row["explainer"], row["white_box"]))
        if row["data"] != "facebook" or stored is None or row["p_important"] not in _SHARES:
            continue
        for name, published in zip(_STORED, stored[_SHARES.index(row["p_important"])], strict=True):
            measured = row[name]["mean"]
            where = {key: row[key] for key in ("explainer", "white_box", "p_important")} | {"measure": name}
            found.append({**where, "published": published, "measured": measured, "difference": measured - published})
    return found
