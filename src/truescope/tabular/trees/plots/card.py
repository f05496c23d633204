"""The pocket card: a tree on one A6 sheet, to be used with no computer at hand."""

from __future__ import annotations

import textwrap

from truescope.tabular.trees.plots.drawing import Layout, draw_tree
from truescope.tabular.trees.plots.svg import FAINT, GRID, INK, Canvas, Figure, fit_text
from truescope.tabular.trees.tree import FastFrugalTree
from truescope.tabular.trees.words import to_words

A6 = (105.0, 148.0)
"""Width and height in millimetres; a drawing has ten units to one."""


def pocket_card(tree: FastFrugalTree, *, title: str = "Fast-and-frugal tree", note: str = "") -> Figure:
    """The tree with its sentences, and what to expect of it in natural frequencies, on A6 upright.

    ``note`` is printed at the bottom: where the tree comes from, or what it is a tree of.
    """
    canvas = Canvas()
    width, height = A6[0] * 10, A6[1] * 10
    canvas.rect(14, 14, width - 28, height - 28, stroke=INK, rx=28, width=3)
    canvas.text(60, 96, fit_text(title, width - 120, 48), size=48, bold=True, full=title)
    canvas.line(60, 122, width - 60, 122, stroke=GRID, width=3)
    sentences = [textwrap.wrap(sentence, 50) for sentence in to_words(tree).splitlines()]
    foot = [*_expectations(tree), *([note] if note else [])]
    small = [line for text in foot for line in textwrap.wrap(text, 66)]
    # The tree takes what the sentences and the small print leave.
    below = 34 * len(small) + 42 * sum(map(len, sentences)) + 8 * len(sentences)
    pitch = min(280.0, (height - 280 - below) / len(tree.nodes))
    node_h, exit_h = min(90, pitch * 0.5), min(74, pitch * 0.42)
    layout = Layout(width - 60, False, 280, node_h, 178, 168, exit_h, pitch, size=30)
    y = 160 + draw_tree(canvas, tree, 30, 160, layout) + 24
    canvas.line(60, y, width - 60, y, stroke=GRID, width=3)
    y += 48
    for lines in sentences:
        for number, line in enumerate(lines):
            canvas.text(60 + 26 * bool(number), y, line, size=34)
            y += 42
        y += 8
    for number, line in enumerate(small):
        canvas.text(60, height - 52 - 34 * (len(small) - 1 - number), line, size=26, fill=FAINT)
    return Figure("".join(canvas.parts), *A6, title, " ".join([to_words(tree).replace("\n", " "), *foot]), "mm")


def _expectations(tree: FastFrugalTree) -> list[str]:
    """Natural frequencies of 100 cases like those the tree was scored on."""
    if tree.scores is None:
        return []
    s = tree.scores.statistics
    hits, misses = round(100 * s["hi"] / s["n"]), round(100 * s["mi"] / s["n"])
    alarms, rejected = round(100 * s["fa"] / s["n"]), round(100 * s["cr"] / s["n"])
    return [
        f"Of 100 cases like the {s['n']:,.0f} it was scored on, {hits + misses} are {tree.positive}: it finds {hits} "
        f"and misses {misses}. Of the {alarms + rejected} others it takes {alarms} for {tree.positive}. "
        f"It asks {s['mcu']:.1f} questions on average."
    ]
