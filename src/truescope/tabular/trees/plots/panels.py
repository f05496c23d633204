"""The panels around a tree: the cases, right and wrong decisions, statistics as bars, all trees in ROC space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from truescope.tabular.trees.plots.svg import FAINT, GRID, INK, PAPER, RIGHT, WRONG, Canvas, Length, fit_text
from truescope.tabular.trees.tree import FastFrugalTree

PALE_RIGHT, PALE_WRONG = "#dbe7f3", "#fbe6da"
BARS = ("mcu", "pci", "sens", "spec", "acc", "bacc")


def draw_header(canvas: Canvas, tree: FastFrugalTree, title: str, x: Length, y: Length, width: Length) -> Length:
    """The title, the number of cases and the base rate as a bar; returns the height."""
    canvas.text(x, y + 22, fit_text(title, width, 20), size=20, bold=True, full=title)
    if tree.scores is None:
        return 40
    n, share = tree.scores.n, tree.scores.base_rate
    left = (1 - share) * width
    top = y + 38
    canvas.rect(x, top, width, 14, fill="#eceef0")
    canvas.rect(x + left, top, width - left, 14, fill="#4a5560")
    canvas.line(x + left, top - 3, x + left, top + 17, width=2)
    name = {side: str(tree.positive if side else tree.negative) for side in (False, True)}
    canvas.text(x, top + 31, f"{name[False]}: {n * (1 - share):,.0f} cases ({1 - share:.0%})", size=13)
    canvas.text(x + width / 2, top + 31, f"N = {n:,.0f}", size=13, anchor="middle", bold=True)
    canvas.text(x + width, top + 31, f"{name[True]}: {n * share:,.0f} cases ({share:.0%})", size=13, anchor="end")
    return 84


def draw_matrix(canvas: Canvas, tree: FastFrugalTree, x: Length, y: Length, size: Length) -> None:
    """Decisions in rows, the truth in columns; right cells carry a disc, wrong ones a diamond."""
    assert tree.scores is not None
    found = tree.scores.statistics
    canvas.text(x, y, "Right and wrong", size=14, bold=True)
    room = 74.0
    cell_w, cell_h = (size - room) / 2, 66.0
    names = [str(tree.positive), str(tree.negative)]
    canvas.text(x + room + cell_w, y + 22, "truth", size=12, anchor="middle", fill=FAINT)
    for column, name in enumerate(names):
        canvas.text(
            x + room + (column + 0.5) * cell_w, y + 39, fit_text(name, cell_w - 4, 12), size=12, anchor="middle"
        )
    cells = [[("hi", "hits", True), ("fa", "false alarms", False)], [("mi", "misses", False), ("cr", "rejected", True)]]
    for row, line in enumerate(cells):
        top = y + 46 + row * (cell_h + 4)
        label = fit_text(names[row], room - 8, 12)
        canvas.text(x + room - 8, top + cell_h / 2 + 10, label, size=12, anchor="end")
        canvas.text(x + room - 8, top + cell_h / 2 - 6, "decided", size=11, anchor="end", fill=FAINT)
        for column, (key, word, good) in enumerate(line):
            left = x + room + column * cell_w
            fill = PALE_RIGHT if good else PALE_WRONG
            canvas.rect(left, top, cell_w - 4, cell_h, fill=fill, stroke=RIGHT if good else WRONG, rx=3)
            if good:
                canvas.circle(left + 11, top + 12, 3.9, fill=RIGHT)
            else:
                canvas.diamond(left + 11, top + 12, 4.4, fill=fill)
            centre = left + (cell_w - 4) / 2
            canvas.text(centre, top + cell_h / 2 + 8, f"{found[key]:,.0f}", size=20, anchor="middle", bold=True)
            canvas.text(centre, top + cell_h - 8, word, size=11, anchor="middle", fill=FAINT)


def draw_bars(canvas: Canvas, tree: FastFrugalTree, x: Length, y: Length, width: Length, height: Length) -> None:
    """mcu (its bar: of the tree's levels), pci, sens, spec, acc and bacc as bars from 0 to 1."""
    assert tree.scores is not None
    found = tree.scores.statistics
    canvas.text(x, y, "How well, and how little it asks", size=14, bold=True)
    top, base = y + 34, y + height - 24
    for tenth in (0.0, 0.5, 1.0):
        at = base - tenth * (base - top)
        canvas.line(x, at, x + width, at, stroke=GRID, width=1, dash="" if tenth == 0 else "3 3")
    pitch = width / len(BARS)
    for place, name in enumerate(BARS):
        value = found[name]
        share = value / len(tree.nodes) if name == "mcu" else value
        bar = max(0.0, min(1.0, share)) * (base - top)
        centre = x + (place + 0.5) * pitch
        canvas.rect(centre - 13, base - bar, 26, bar, fill="#9aa5b1" if name in ("mcu", "pci") else RIGHT)
        shown = f"{value:.2f}" if value == value else "–"
        canvas.text(centre, base - bar - 5, shown, size=11.5, anchor="middle")
        label = f"mcu/{len(tree.nodes)}" if name == "mcu" else name
        canvas.text(centre, base + 16, label, size=12, anchor="middle", fill=FAINT)


def draw_roc(
    canvas: Canvas,
    points: Sequence[tuple[float, float, str]],
    chosen: int | None,
    x: Length,
    y: Length,
    size: Length,
    title: str,
) -> None:
    """Points (false alarm rate, sensitivity, label) with the chance diagonal; the chosen one is filled."""
    canvas.text(x, y, title, size=14, bold=True)
    left, top = x + 42, y + 18
    canvas.rect(left, top, size, size, fill=PAPER, stroke=GRID)
    for half in (0.0, 0.5, 1.0):
        canvas.text(left + half * size, top + size + 15, f"{half:g}", size=11, anchor="middle", fill=FAINT)
        canvas.text(left - 6, top + (1 - half) * size + 4, f"{half:g}", size=11, anchor="end", fill=FAINT)
    canvas.line(left, top + size, left + size, top, stroke=FAINT, width=1, dash="4 4")
    canvas.text(left + size / 2, top + size + 30, "1 − specificity", size=12, anchor="middle", fill=FAINT)
    canvas.parts.append(
        f'<text transform="translate({x + 12:.1f} {top + size / 2:.1f}) rotate(-90)" font-size="12" '
        f'text-anchor="middle" fill="{FAINT}">sensitivity</text>'
    )
    for place in sorted(range(len(points)), key=lambda p: p == chosen):
        far, sens, label = points[place]
        if far != far or sens != sens:
            continue
        filled = place == chosen
        cx, cy = left + far * size, top + (1 - sens) * size
        canvas.circle(cx, cy, 8.5, fill=RIGHT if filled else PAPER, stroke=RIGHT if filled else INK, width=1.2)
        canvas.text(cx, cy + 3.8, label, size=10.5, anchor="middle", bold=filled, fill=PAPER if filled else INK)


def draw_ranking(
    canvas: Canvas, cues: Sequence[Mapping[str, object]], goal: str, x: Length, y: Length, width: Length
) -> None:
    """The cues as a list with bars, the best first: number, question, and what it reaches alone."""
    canvas.text(x, y, f"Each cue alone, by {goal}", size=14, bold=True)
    for place, cue in enumerate(cues):
        top = y + 16 + place * 21
        value = float(str(cue["value"]))
        canvas.text(x + 18, top + 12, str(place + 1), size=11.5, anchor="end", fill=FAINT)
        question = str(cue["question"])
        canvas.text(x + 26, top + 12, fit_text(question, width - 130, 12.5), size=12.5, full=question)
        bar = max(0.0, min(1.0, abs(value))) * 52
        canvas.rect(x + width - 92, top + 2, bar, 12, fill=RIGHT)
        canvas.text(x + width, top + 12, f"{value:.3f}", size=11.5, anchor="end")
