"""What an explainer gives: for each explained node a score of every feature, of every node, of every arc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.errors import UsageError, nearest


@dataclass(frozen=True, eq=False)
class Attributions:
    """Scores of all explained nodes at once; a part that an explainer does not score is None.

    features    [n_targets, n_features]  |attribution| summed over the graph's nodes: how much a feature counts
    by_node     [n_targets, n_nodes]     |attribution| summed over features: how much a node counts
    arcs        [n_targets, n_arcs]
    full        [n_targets, n_nodes, n_features], signed; only where it was asked for
    """

    explainer: str
    nodes: Int[np.ndarray, " n_targets"]
    classes: Int[np.ndarray, " n_targets"]
    features: Float[np.ndarray, "n_targets n_features"] | None = None
    by_node: Float[np.ndarray, "n_targets n_nodes"] | None = None
    arcs: Float[np.ndarray, "n_targets n_arcs"] | None = None
    full: Float[np.ndarray, "n_targets n_nodes n_features"] | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scored(self) -> tuple[str, ...]:
        """Which parts the explainer scores."""
        return tuple(p for p in ("features", "by_node", "arcs") if getattr(self, p) is not None)

    def top(self, node: int, names: Sequence[str] | None = None, n: int = 10) -> list[tuple[str, float]]:
        """The ``n`` features that count most for one explained node, with their scores.

        Raises:
            UsageError: the node was not explained, or the explainer does not score features.
        """
        if self.features is None:
            raise UsageError(f"{self.explainer} does not score features", why=f"it scores {', '.join(self.scored)}")
        place = self._place(node)
        scores = self.features[place]
        order = np.argsort(-scores, kind="stable")[:n]
        return [(str(names[i]) if names else f"feature {i}", float(scores[i])) for i in order]

    def to_pyg(self, node: int, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]) -> Any:
        """One node's scores as a PyG `Explanation`: node_mask [n_nodes, n_features] or the widest part there is."""
        from torch_geometric.explain import Explanation

        place = self._place(node)
        parts: dict[str, Any] = {"x": x, "edge_index": edge_index, "index": node, "target": int(self.classes[place])}
        if self.full is not None:
            parts["node_mask"] = torch.from_numpy(self.full[place])
        elif self.features is not None:
            parts["node_mask"] = torch.from_numpy(self.features[place])[None]
        elif self.by_node is not None:
            parts["node_mask"] = torch.from_numpy(self.by_node[place])[:, None]
        if self.arcs is not None:
            parts["edge_mask"] = torch.from_numpy(self.arcs[place])
        return Explanation(**parts)

    def _place(self, node: int) -> int:
        found = np.flatnonzero(self.nodes == node)
        if not len(found):
            near = nearest(str(node), [str(other) for other in self.nodes])
            raise UsageError(f"node {node} was not explained", why=f"{len(self.nodes)} others were", fix=near)
        return int(found[0])


def from_pyg(explanations: Sequence[Any], explainer: str = "pyg") -> Attributions:
    """PyG `Explanation` objects of one graph, one a node, as `Attributions`; each needs an ``index``.

    A node mask [n_nodes, n_features] gives features, nodes and the full part, [1, n_features] features only,
    [n_nodes, 1] nodes only.

    Raises:
        UsageError: no explanations, or one without an index or a mask.
    """
    if not explanations:
        raise UsageError("there are no explanations to read")
    for explanation in explanations:
        if explanation.get("index") is None or not {"node_mask", "edge_mask"} & set(explanation.keys()):
            raise UsageError(
                "an explanation lacks its index or a mask",
                why=f"it has {', '.join(explanation.keys())}",
                fix="give what Explainer(model, x, edge_index, index=node) returns",
            )
    nodes = np.array([int(e.get("index")) for e in explanations])
    classes = np.array([_first_class(e) for e in explanations])
    parts: dict[str, Any] = {}
    if explanations[0].get("node_mask") is not None:
        mask = np.stack([_numbers(e.get("node_mask")) for e in explanations])
        if mask.shape[1] > 1 and mask.shape[2] > 1:
            parts["full"] = mask
        if mask.shape[2] > 1:
            parts["features"] = np.abs(mask).sum(1)
        if mask.shape[1] > 1:
            parts["by_node"] = np.abs(mask).sum(2)
    if explanations[0].get("edge_mask") is not None:
        parts["arcs"] = np.stack([_numbers(e.get("edge_mask")) for e in explanations])
    return Attributions(explainer, nodes, classes, **parts)


def chosen_nodes(nodes: Any, n_nodes: int) -> Int[np.ndarray, " n_targets"]:
    """Node numbers from None (all), an integer, a mask or a list.

    Raises:
        UsageError: a node that the graph does not have, or none at all.
    """
    if nodes is None:
        return np.arange(n_nodes)
    chosen = np.atleast_1d(np.asarray(nodes))
    if chosen.dtype == bool and chosen.shape == (n_nodes,):
        chosen = np.flatnonzero(chosen)
    if not len(chosen) or not np.issubdtype(chosen.dtype, np.integer) or chosen.min() < 0 or chosen.max() >= n_nodes:
        raise UsageError(
            f"cannot explain nodes {chosen[:5].tolist()}",
            why=f"the graph has nodes 0 to {n_nodes - 1}" if n_nodes else "the graph has no nodes",
            fix="give node numbers, a mask over all nodes, or nothing for all of them",
        )
    return chosen.astype(np.int64)


def _numbers(mask: Tensor) -> np.ndarray:
    """The mask in floating point: some of PyG's are of zeros and ones as integers."""
    return (mask.detach() if mask.is_floating_point() else mask.float()).numpy()


def _first_class(explanation: Any) -> int:
    target, index = explanation.get("target"), int(explanation.get("index"))
    if target is None:
        return -1
    flat = torch.as_tensor(target).reshape(-1)
    return int(flat[index] if len(flat) > 1 else flat[0])
