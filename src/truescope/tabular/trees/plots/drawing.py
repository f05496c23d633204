"""The tree drawn: questions down the middle, exits to the left (negative) and right (positive), icons for the cases."""

from __future__ import annotations

from dataclasses import dataclass

from truescope.tabular.trees.plots.svg import FAINT, GRID, INK, PAPER, RIGHT, Canvas, Length, fit_text
from truescope.tabular.trees.scores import Leaf
from truescope.tabular.trees.tree import BOTH, NEGATED, FastFrugalTree, Node
from truescope.tabular.trees.words import threshold_words

SIGNS = {"<=": "≤", ">=": "≥", "!=": "≠"}
MOST_ICONS = 60


@dataclass(frozen=True)
class Layout:
    """Sizes of a drawing; the icons take what is left between an exit and the edge."""

    width: Length
    icons: bool
    node_w: Length = 168.0
    node_h: Length = 40.0
    gap: Length = 104.0
    exit_w: Length = 104.0
    exit_h: Length = 34.0
    pitch: Length = 108.0
    size: Length = 13.0

    @property
    def scale(self) -> Length:
        """How much larger than on screen lines and distances are."""
        return self.size / 13.0


def condition(node: Node, *, fires: bool) -> str:
    """What holds of the cue's value on one side of the node."""
    direction = node.direction if fires else NEGATED[node.direction]
    return f"{SIGNS.get(direction, direction)} {threshold_words(node.threshold)}"


def icon_worth(leaves: tuple[Leaf, ...]) -> int:
    """How many cases one icon stands for: 1, 2 or 5 times a power of ten, so that no exit needs more than 60."""
    most = max(leaf.n for leaf in leaves)
    step = 1
    while most / step > MOST_ICONS:
        step = next(m * 10 ** (len(str(step)) - 1) for m in (2, 5, 10) if m * 10 ** (len(str(step)) - 1) > step)
    return step


def draw_tree(canvas: Canvas, tree: FastFrugalTree, x: Length, y: Length, layout: Layout) -> Length:
    """Draw the tree with its top left corner at ``x``, ``y``; returns the height it took."""
    middle, top = x + layout.width / 2, y
    leaves = {(leaf.level, leaf.positive): leaf for leaf in tree.scores.leaves} if tree.scores else {}
    worth = icon_worth(tuple(leaves.values())) if leaves else 1
    for level, node in enumerate(tree.nodes, start=1):
        _draw_node(canvas, node, middle, top, layout)
        sides = (False, True) if node.exit == BOTH else (node.exit == 1,)
        for positive in sides:
            _draw_exit(canvas, tree, node, positive, leaves.get((level, positive)), middle, top, layout, worth)
        if node.exit != BOTH:
            below = top + layout.node_h
            k = layout.scale
            canvas.line(middle, below, middle, top + layout.pitch - 2 * k, arrow=True, width=1.4 * k)
            label = condition(node, fires=node.exit == 0)
            room = layout.gap + layout.node_w / 2 - 20 * k
            shown = fit_text(label, room, layout.size - k)
            canvas.text(
                middle + 8 * k,
                (below + top + layout.pitch) / 2 + 2 * k,
                shown,
                size=layout.size - k,
                fill=FAINT,
                full=label,
            )
        top += layout.pitch
    height = top - y - (0 if layout.icons else layout.pitch - layout.node_h - 14 * layout.scale)
    if layout.icons and leaves:
        _legend(canvas, middle, y + height - 6, worth)
        height += 14
    return height


def _draw_node(canvas: Canvas, node: Node, middle: Length, top: Length, layout: Layout) -> None:
    k = layout.scale
    left = middle - layout.node_w / 2
    canvas.rect(left, top, layout.node_w, layout.node_h, fill=PAPER, stroke=INK, rx=6 * k, width=1.6 * k)
    shown = fit_text(node.cue, layout.node_w - 16 * k, layout.size + k)
    baseline = top + layout.node_h / 2 + layout.size * 0.38
    canvas.text(middle, baseline, shown, size=layout.size + k, anchor="middle", bold=True, full=node.cue)


def _draw_exit(
    canvas: Canvas,
    tree: FastFrugalTree,
    node: Node,
    positive: bool,
    leaf: Leaf | None,
    middle: Length,
    top: Length,
    layout: Layout,
    worth: int,
) -> None:
    side = 1 if positive else -1
    centre = top + layout.node_h / 2
    near = middle + side * layout.node_w / 2
    far = near + side * layout.gap
    k = layout.scale
    canvas.line(near, centre, far - side * 2 * k, centre, arrow=True, width=1.4 * k)
    label = condition(node, fires=positive)
    shown = fit_text(label, layout.gap - 10 * k, layout.size - k)
    canvas.text((near + far) / 2, centre - 8 * k, shown, size=layout.size - k, anchor="middle", full=label)
    left = far if positive else far - layout.exit_w
    # Square corners say positive, round ones negative, so that the sides differ without colour too.
    rx = 2 * k if positive else layout.exit_h / 2
    canvas.rect(
        left, centre - layout.exit_h / 2, layout.exit_w, layout.exit_h, fill="#f3f4f6", stroke=INK, rx=rx, width=1.2 * k
    )
    name = str(tree.positive if positive else tree.negative)
    decision = fit_text(name, layout.exit_w - 12 * k, layout.size)
    baseline = centre + layout.size * 0.38
    canvas.text(left + layout.exit_w / 2, baseline, decision, size=layout.size, anchor="middle", bold=True, full=name)
    if leaf is None or not layout.icons:
        return
    said = f"{_whole(leaf.n_right)} right, {_whole(leaf.n - leaf.n_right)} wrong"
    below = centre + layout.exit_h / 2 + 15
    canvas.text(left + layout.exit_w / 2, below, said, size=layout.size - 2, anchor="middle", fill=FAINT)
    start = far + side * (layout.exit_w + 14)
    room = layout.width / 2 - layout.node_w / 2 - layout.gap - layout.exit_w - 20
    _draw_icons(canvas, leaf, start, top, side, room, worth)


def _draw_icons(canvas: Canvas, leaf: Leaf, start: Length, top: Length, side: int, room: Length, worth: int) -> None:
    """Right decisions as discs, wrong ones as open diamonds after them, filled row by row away from the exit."""
    right, wrong = (_icons(count, worth) for count in (leaf.n_right, leaf.n - leaf.n_right))
    pitch = 10.5
    a_row = max(5, int(room / pitch))
    for place in range(right + wrong):
        cx = start + side * (place % a_row) * pitch
        cy = top + 6 + (place // a_row) * pitch
        if place < right:
            canvas.circle(cx, cy, 3.9, fill=RIGHT)
        else:
            canvas.diamond(cx, cy, 4.4)


def _icons(count: Length, worth: int) -> int:
    """At least one icon for any case at all."""
    return max(round(count / worth), 1) if count else 0


def _legend(canvas: Canvas, middle: Length, y: Length, worth: int) -> None:
    cases = "1 case" if worth == 1 else f"{worth:,} cases"
    canvas.line(middle - 190, y - 14, middle + 190, y - 14, stroke=GRID, width=1)
    canvas.circle(middle - 176, y, 4, fill=RIGHT)
    canvas.text(middle - 166, y + 4, "decided rightly", size=12, fill=FAINT)
    canvas.diamond(middle - 62, y, 4.5)
    canvas.text(middle - 52, y + 4, "decided wrongly", size=12, fill=FAINT)
    canvas.text(middle + 60, y + 4, f"one sign = {cases}", size=12, fill=FAINT)


def _whole(count: Length) -> str:
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:,.1f}"
