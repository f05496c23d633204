"""The figures: the whole story of a fit on one sheet, or one of its parts."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from truescope.core.errors import TableError
from truescope.tabular.trees.plots.drawing import Layout, draw_tree
from truescope.tabular.trees.plots.panels import draw_bars, draw_header, draw_matrix, draw_ranking, draw_roc
from truescope.tabular.trees.plots.svg import Canvas, Figure
from truescope.tabular.trees.settings import check_choice
from truescope.tabular.trees.tree import FastFrugalTree
from truescope.tabular.trees.words import threshold_words, to_words

PARTS = ("all", "tree", "icontree", "cues", "roc")
"""What `plot` can draw."""
WIDTH, MARGIN = 920.0, 30.0


def plot(
    tree: FastFrugalTree,
    trees: Sequence[FastFrugalTree],
    cues: pd.DataFrame | None,
    *,
    what: str = "all",
    title: str = "Fast-and-frugal tree",
    goal: str = "bacc",
) -> Figure:
    """``tree`` among ``trees`` (each with scores) as a figure.

    "all": cases, tree with icons, right and wrong, statistics, all trees in ROC space; "icontree": the tree with icons;
    "tree": the tree alone; "roc": the trees; "cues": each cue of the table ``cues`` alone.

    Raises:
        TableError: another word, or scores or cues that a part needs are absent.
    """
    check_choice("what", what, PARTS)
    if what == "cues":
        if cues is None:
            raise TableError("this estimator knows no cues", why="it was made from words or a record", fix="fit it")
        return _cue_figure(cues, goal, title)
    if what != "tree" and tree.scores is None:
        raise TableError("this tree has no scores to draw", fix="score it on labelled cases, or draw what='tree'")
    if what == "roc":
        return _roc_figure(tree, trees, title)
    canvas, inner = Canvas(), WIDTH - 2 * MARGIN
    y = MARGIN - 6
    if what == "all":
        y += draw_header(canvas, tree, title, MARGIN, y, inner) + 18
    icons = what != "tree"
    y += draw_tree(canvas, tree, MARGIN, y, Layout(inner, icons, pitch=108 if icons else 78))
    if what == "all":
        y += 40
        draw_matrix(canvas, tree, MARGIN, y, 250)
        draw_bars(canvas, tree, MARGIN + 290, y, 290, 208)
        draw_roc(canvas, *_points(tree, trees), MARGIN + 618, y, 172, "All trees of the fan")
        y += 210
    return Figure("".join(canvas.parts), WIDTH, y + MARGIN - 6, title, _alternative(tree))


def _roc_figure(tree: FastFrugalTree, trees: Sequence[FastFrugalTree], title: str) -> Figure:
    canvas = Canvas()
    points, chosen = _points(tree, trees)
    draw_roc(canvas, points, chosen, MARGIN, MARGIN + 10, 360, title)
    words = "; ".join(f"tree {label}: sensitivity {sens:.3f}, specificity {1 - far:.3f}" for far, sens, label in points)
    return Figure("".join(canvas.parts), 460, 470, title, words)


def _cue_figure(cues: pd.DataFrame, goal: str, title: str) -> Figure:
    known = cues[cues["direction"].notna()]
    rows = [
        {
            "question": f"{row['cue']} {row['direction']} {threshold_words(row['threshold'])}",
            "value": float(row[goal] if goal in known else row["bacc"]),
            "far": float(row["far"]),
            "sens": float(row["sens"]),
        }
        for row in (known.iloc[i] for i in range(len(known)))
    ]
    rows.sort(key=lambda row: -float(row["value"]))
    canvas = Canvas()
    points = [(row["far"], row["sens"], str(place + 1)) for place, row in enumerate(rows)]
    draw_roc(canvas, points, None, MARGIN, MARGIN + 10, 360, title)
    draw_ranking(canvas, rows, goal, 460, MARGIN + 10, 430)
    words = "; ".join(f"{row['question']}: {goal} {row['value']:.3f}" for row in rows)
    return Figure("".join(canvas.parts), WIDTH, max(470, MARGIN + 60 + 21 * len(rows)), title, words)


def _points(tree: FastFrugalTree, trees: Sequence[FastFrugalTree]) -> tuple[list[tuple[float, float, str]], int | None]:
    scored = [other.scores.statistics for other in trees if other.scores is not None]
    points = [(found["far"], found["sens"], str(number)) for number, found in enumerate(scored, start=1)]
    return points, next((place for place, other in enumerate(trees) if other == tree), None)


def _alternative(tree: FastFrugalTree) -> str:
    """What stands for the picture: the tree in words, and how well it does."""
    words = to_words(tree).replace("\n", " ")
    if tree.scores is None:
        return words
    s = tree.scores.statistics
    return (
        f"{words} On {s['n']:,.0f} cases: {s['hi']:,.0f} hits, {s['fa']:,.0f} false alarms, {s['mi']:,.0f} misses, "
        f"{s['cr']:,.0f} correct rejections; balanced accuracy {s['bacc']:.3f}."
    )
