"""One figure as SVG: a dot with its interval for each method, in panels side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from truescope.core.claims import Score

_LABELS, _PANEL, _GAP, _ROW, _TOP = 210, 200, 24, 22, 62
_INK, _GREY, _COLOUR = "#1f2328", "#8a8f98", "#0b6e4f"


@dataclass(frozen=True)
class Bar:
    """A method's score, and its control's."""

    label: str
    score: Score
    control: Score | None


def dots(panels: Sequence[tuple[str, Sequence[Bar]]], title: str) -> str:
    """The panels over one list of labels; the axis goes from 0 to 1 with chance, one half, marked."""
    labels = list(dict.fromkeys(bar.label for _, bars in panels for bar in bars))
    width = _LABELS + len(panels) * (_PANEL + _GAP)
    height = _TOP + len(labels) * _ROW + 36
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{_INK}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="20" font-size="13" font-weight="600">{escape(title)}</text>',
    ]
    for row, label in enumerate(labels):
        parts.append(f'<text x="{_LABELS - 12}" y="{_y(row) + 4}" text-anchor="end">{escape(label)}</text>')
    for number, (name, bars) in enumerate(panels):
        left = _LABELS + number * (_PANEL + _GAP)
        parts += _panel(left, name, {bar.label: bar for bar in bars}, labels)
    return "\n".join([*parts, "</svg>", ""])


def _y(row: int) -> float:
    return _TOP + row * _ROW + _ROW / 2


def _panel(left: int, name: str, bars: dict[str, Bar], labels: Sequence[str]) -> list[str]:
    def x(value: float) -> float:
        return round(left + _PANEL * value, 1)

    bottom = _TOP + len(labels) * _ROW
    middle = left + _PANEL / 2
    parts = [f'<text x="{middle}" y="{_TOP - 12}" text-anchor="middle" font-weight="600">{escape(name)}</text>']
    for tick in (0.0, 0.5, 1.0):
        dash = ' stroke-dasharray="3 3"' if tick == 0.5 else ""
        parts.append(f'<line x1="{x(tick)}" y1="{_TOP}" x2="{x(tick)}" y2="{bottom}" stroke="#d0d7de"{dash}/>')
        parts.append(f'<text x="{x(tick)}" y="{bottom + 16}" text-anchor="middle" fill="{_GREY}">{tick:g}</text>')
    for row, label in enumerate(labels):
        bar = bars.get(label)
        if bar is None:
            continue
        y, score = _y(row), bar.score
        said = f"{label}: {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
        parts.append(f"<g><title>{escape(said)}</title>")
        if bar.control is not None:
            ring = f'fill="#ffffff" stroke="{_GREY}" stroke-width="1.5"'
            parts.append(f'<circle cx="{x(bar.control.value)}" cy="{y}" r="3.5" {ring}/>')
        ends = f'x1="{x(score.low)}" y1="{y}" x2="{x(score.high)}" y2="{y}"'
        parts.append(f'<line {ends} stroke="{_COLOUR}" stroke-width="2"/>')
        parts.append(f'<circle cx="{x(score.value)}" cy="{y}" r="4" fill="{_COLOUR}"/></g>')
    return parts
