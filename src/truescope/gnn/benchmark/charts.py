"""Line charts as SVG, drawn here so that a report needs no script and loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

COLOURS = ("#2468b4", "#c05a0c", "#0b6e52", "#8a4bb0", "#80590a", "#0f8a94", "#62646d", "#b23f86")
"""One a line, told apart by colour-blind readers together with the dashes."""
DASHES = ("", "7 3", "2 3", "9 3 2 3", "", "7 3", "2 4", "4 2")
"""One a line, as SVG writes them."""
Place = Callable[[float, float], tuple[float, float]]
"""From a point of the data to one of the picture."""
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 360, 250, 44, 12, 30, 38
_MARGIN = 14.0
"""Free room at both ends of the x axis, for the points that are set apart."""
_APART = 2.4
"""How far the points of two lines at one x are set apart, so that both can be seen."""


@dataclass(frozen=True)
class Line:
    """One line: its points (x, y, low, high), and the same points where theory puts them."""

    name: str
    points: Sequence[tuple[float, float, float, float]]
    expected: Sequence[tuple[float, float]] = ()
    place: int = 0


def line_chart(
    title: str,
    x_label: str,
    y_label: str,
    lines: Sequence[Line],
    y_range: tuple[float, float],
    ticks: Mapping[float, str] | None = None,
    levels: Sequence[float] = (),
) -> str:
    """One chart as an SVG element; crosses mark what theory expects, bars the intervals.

    ``ticks`` name places on x; ``levels`` are heights that a reader compares with, dotted. Points of several lines at
    one x are drawn a little apart, in the order of the lines' places.
    """
    xs = sorted({p[0] for line in lines for p in line.points})
    if not xs:
        return ""
    span = (xs[0], xs[-1]) if xs[0] < xs[-1] else (xs[0] - 0.05, xs[0] + 0.05)
    low, high = y_range

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - span[0]) / (span[1] - span[0])
        up = (min(max(y, low), high) - low) / (high - low)
        return (
            round(_LEFT + _MARGIN + across * (_WIDTH - _LEFT - _RIGHT - 2 * _MARGIN), 1),
            round(_HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM), 1),
        )

    parts = [
        *_axes(title, x_label, y_label, ticks or {x: f"{x:g}" for x in xs}, y_range, at),
        *(_level(y, at) for y in levels if low <= y <= high),
        *(_line(line, _apart(at, line, lines)) for line in lines),
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}: {escape(y_label)} by '
        f'{escape(x_label)}">{"".join(parts)}</svg>'
    )


def legend(names: Sequence[tuple[str, int]]) -> str:
    """The names of the lines with their colours and dashes; ``int`` is a line's place."""
    items = "".join(
        f'<li><svg viewBox="0 0 28 10" width="28" height="10"><line x1="1" x2="27" y1="5" y2="5" '
        f'stroke="{COLOURS[p % len(COLOURS)]}" stroke-width="2.2" stroke-dasharray="{DASHES[p % len(DASHES)]}"/></svg>'
        f"{escape(name)}</li>"
        for name, p in names
    )
    return f'<ul class="legend">{items}</ul>'


def _axes(
    title: str, x_label: str, y_label: str, ticks: Mapping[float, str], y_range: tuple[float, float], at: Place
) -> list[str]:
    low, high = y_range
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<text x="{_LEFT}" y="15" class="title">{escape(title)}</text>']
    for value in _round_values(low, high):
        y = at(0.0, value)[1]
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 3.5}" class="tick" text-anchor="end">{value:g}</text>')
    for x, word in ticks.items():
        place = at(x, low)[0]
        parts.append(f'<text x="{place}" y="{bottom + 15}" class="tick" text-anchor="middle">{escape(word)}</text>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 6}" class="label" text-anchor="middle">{escape(x_label)}</text>')
    y_place = (_TOP + bottom) / 2
    parts.append(
        f'<text x="11" y="{y_place}" class="label" text-anchor="middle" transform="rotate(-90 11 {y_place})">'
        f"{escape(y_label)}</text>"
    )
    return parts


def _round_values(low: float, high: float) -> list[float]:
    """Five to nine round values of a range, a step of 1, 2 or 5 times a power of ten apart."""
    least = (high - low) / 8
    power = 10.0 ** floor(log10(least))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= least * (1 - 1e-9))
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _level(y: float, at: Place) -> str:
    height = at(0.0, y)[1]
    return f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height}" y2="{height}" class="level"/>'


def _apart(at: Place, line: Line, lines: Sequence[Line]) -> Place:
    """``at``, with a line's points moved sideways by its rank among the lines."""
    places = sorted({one.place for one in lines})
    aside = (places.index(line.place) - (len(places) - 1) / 2) * _APART

    def beside(x: float, y: float) -> tuple[float, float]:
        across, up = at(x, y)
        return round(across + aside, 1), up

    return beside


def _line(line: Line, at: Place) -> str:
    colour, dash = COLOURS[line.place % len(COLOURS)], DASHES[line.place % len(DASHES)]
    path = " ".join(f"{x},{y}" for x, y in (at(p[0], p[1]) for p in line.points))
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>']
    for x, y, low, high in line.points:
        (px, py), (_, top), (_, bottom) = at(x, y), at(x, high), at(x, low)
        parts.append(f'<line x1="{px}" x2="{px}" y1="{top}" y2="{bottom}" stroke="{colour}" stroke-width="1.2"/>')
        parts.append(
            f'<circle cx="{px}" cy="{py}" r="3" fill="{colour}"><title>{escape(line.name)} at {x:g}: {y:.4f} '
            f"[{low:.4f}, {high:.4f}]</title></circle>"
        )
    for x, y in line.expected:
        px, py = at(x, y)
        parts.append(
            f'<path d="M{px - 4} {py - 4}L{px + 4} {py + 4}M{px - 4} {py + 4}L{px + 4} {py - 4}" class="expected">'
            f"<title>expected: {y:.4f}</title></path>"
        )
    return f'<g class="series">{"".join(parts)}</g>'
