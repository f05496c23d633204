"""A tree changed by hand: a node dropped, the nodes put in another order, an exit flipped. The old tree stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from truescope.core.errors import TableError
from truescope.tabular.trees.tree import BOTH, NEGATED, FastFrugalTree, close


def edit(
    tree: FastFrugalTree, *, drop: int | None = None, reorder: Sequence[int] | None = None, flip: int | None = None
) -> FastFrugalTree:
    """The tree after one edit or several, made in this order: drop, reorder, flip. Levels count from 1. No scores.

    Raises:
        TableError: a level the tree does not have, an order that is none, or the only node dropped.
    """
    if drop is not None:
        tree = _drop(tree, drop)
    if reorder is not None:
        tree = _reorder(tree, reorder)
    if flip is not None:
        tree = _flip(tree, flip)
    return replace(tree, scores=None)


def _drop(tree: FastFrugalTree, level: int) -> FastFrugalTree:
    _check_level(tree, level)
    if len(tree.nodes) == 1:
        raise TableError("the only node cannot be dropped", why="a tree has at least one")
    nodes = [node for number, node in enumerate(tree.nodes, start=1) if number != level]
    return replace(tree, nodes=close(nodes))


def _reorder(tree: FastFrugalTree, order: Sequence[int]) -> FastFrugalTree:
    """Exits go with their nodes; the node that is last no more takes the exit of the one that is last now."""
    if sorted(order) != list(range(1, len(tree.nodes) + 1)):
        raise TableError(
            f"{list(order)} is no order of the {len(tree.nodes)} nodes",
            fix=f"name each level once, for example {list(range(len(tree.nodes), 0, -1))}",
        )
    nodes = [tree.nodes[level - 1] for level in order]
    spare = nodes[-1].exit
    return replace(tree, nodes=close([replace(node, exit=spare) if node.exit == BOTH else node for node in nodes]))


def _flip(tree: FastFrugalTree, level: int) -> FastFrugalTree:
    """An inner node decides the other class; the last node decides both the other way round."""
    _check_level(tree, level)
    nodes = list(tree.nodes)
    node = nodes[level - 1]
    nodes[level - 1] = (
        replace(node, direction=NEGATED[node.direction]) if node.exit == BOTH else replace(node, exit=1 - node.exit)
    )
    return replace(tree, nodes=tuple(nodes))


def _check_level(tree: FastFrugalTree, level: int) -> None:
    if not 1 <= level <= len(tree.nodes):
        raise TableError(f"the tree has {len(tree.nodes)} levels, no level {level}", fix="levels count from 1")
