"""Charts of a comparison as SVG: told apart by shape and pattern, never by colour alone, and said again in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, log10
from typing import Any

_LABEL, _PLOT, _ROW, _TOP = 176.0, 470.0, 26.0, 14.0
_TICKS = 5
_HOLLOW = 'fill="var(--card, #fff)"'


def _svg(width: float, height: float, alt: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(alt)}" font-family="sans-serif" font-size="12" '
        f'fill="currentColor"><title>{escape(alt)}</title>{body}</svg>'
    )


def _text(x: float, y: float, words: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor"{more}/>'


def _rect(x: float, y: float, width: float, height: float, more: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {more}/>'


class _Scale:
    """Values to places, with round ticks that enclose them."""

    def __init__(self, values: Sequence[float]) -> None:
        low, high = min(values), max(values)
        span = max(high - low, 1e-9)
        step = 10.0 ** floor(log10(span / _TICKS))
        step = next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= _TICKS)
        self.low = step * int(low // step)
        n = int(-(-(high - self.low) // step)) or 1
        self.ticks = [self.low + step * i for i in range(n + 1)]
        self.high = self.ticks[-1]
        self.digits = max(0, -floor(log10(step)))

    def place(self, value: float) -> float:
        return _LABEL + _PLOT * (value - self.low) / (self.high - self.low)

    def axis(self, bottom: float, title: str) -> str:
        parts = [_line(_LABEL, bottom, _LABEL + _PLOT, bottom, ' stroke-opacity="0.6"')]
        for tick in self.ticks:
            x = self.place(tick)
            parts.append(_line(x, _TOP - 6, x, bottom + 4, ' stroke-opacity="0.15"'))
            parts.append(_text(x, bottom + 17, f"{tick:.{self.digits}f}".replace("-", "−"), "middle"))
        parts.append(_text(_LABEL + _PLOT / 2, bottom + 35, title, "middle", ' fill-opacity="0.75"'))
        return "".join(parts)


def _mark(x: float, y: float, opaque: bool) -> str:
    """A filled circle for what can be read, a hollow square for what cannot."""
    if opaque:
        return _rect(x - 5, y - 5, 10.0, 10.0, f'{_HOLLOW} stroke="currentColor" stroke-width="2"')
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5"/>'


def means_chart(models: Sequence[Mapping[str, Any]], measure: str, title: str) -> str:
    """Each model's mean of one measure with its 95 % interval."""
    found = [(model, model["measures"][measure]) for model in models]
    scale = _Scale([m[end] for _, m in found for end in ("low", "high")])
    bottom = _TOP + _ROW * len(found)
    body = [scale.axis(bottom, f"{title} (mean over folds, 95 % interval)")]
    said = []
    for row, (model, m) in enumerate(found):
        y = _TOP + _ROW * (row + 0.5)
        body.append(_text(_LABEL - 12, y + 4, model["name"], "end"))
        body.append(_line(scale.place(m["low"]), y, scale.place(m["high"]), y, ' stroke-width="2"'))
        body.append(_mark(scale.place(m["mean"]), y, model["opaque"]))
        body.append(_text(_LABEL + _PLOT + 14, y + 4, f"{m['mean']:.3f}"))
        said.append(f"{model['name']} {m['mean']:.3f} [{m['low']:.3f}, {m['high']:.3f}]")
    return _svg(_LABEL + _PLOT + 64, bottom + 42, f"{title}: {'; '.join(said)}", "".join(body))


def differences_chart(differences: Sequence[Mapping[str, Any]], rope: float, opaque: set[str]) -> str:
    """Each model's difference to the reference in points, beside the region of practical equivalence (hatched)."""
    scale = _Scale([*(d[end] for d in differences for end in ("low", "high")), -rope * 1.5, rope * 1.5])
    bottom = _TOP + _ROW * len(differences)
    left, right = scale.place(-rope), scale.place(rope)
    hatch = (
        '<defs><pattern id="rope" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line x1="0" y1="0" x2="0" y2="6" stroke="currentColor" stroke-opacity="0.3" stroke-width="2"/>'
        "</pattern></defs>"
    )
    body = [
        hatch,
        _rect(left, _TOP - 6, right - left, bottom - _TOP + 6, 'fill="url(#rope)"'),
        scale.axis(bottom, f"points against {differences[0]['reference']} (95 % interval; hatched: practically equal)"),
        _line(scale.place(0.0), _TOP - 6, scale.place(0.0), bottom, ' stroke-dasharray="4 3"'),
    ]
    said = []
    for row, d in enumerate(differences):
        y = _TOP + _ROW * (row + 0.5)
        body.append(_text(_LABEL - 12, y + 4, d["model"], "end"))
        body.append(_line(scale.place(d["low"]), y, scale.place(d["high"]), y, ' stroke-width="2"'))
        body.append(_mark(scale.place(d["points"]), y, d["model"] in opaque))
        body.append(_text(_LABEL + _PLOT + 14, y + 4, f"{d['points']:+.1f}".replace("-", "−")))
        said.append(d["sentence"])
    return _svg(_LABEL + _PLOT + 64, bottom + 42, "; ".join(said), "".join(body))


def probabilities_chart(differences: Sequence[Mapping[str, Any]]) -> str:
    """For each model, how probable it is that it is worse (dark), practically equal (hatched), better (light)."""
    bottom = _TOP + _ROW * len(differences)
    body = [
        '<defs><pattern id="equal" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line x1="0" y1="0" x2="0" y2="6" stroke="currentColor" stroke-width="2"/></pattern></defs>'
    ]
    fills = {"worse": 'fill="currentColor" fill-opacity="0.75"', "equal": 'fill="url(#equal)"', "better": 'fill="none"'}
    said = []
    for row, d in enumerate(differences):
        y, x = _TOP + _ROW * row + 4, float(_LABEL)
        body.append(_text(_LABEL - 12, y + 13, d["model"], "end"))
        for part, fill in fills.items():
            width = _PLOT * d[part]
            body.append(_rect(x, y, width, 18.0, f'{fill} stroke="currentColor"'))
            x += width
        body.append(_text(_LABEL + _PLOT + 14, y + 13, d["verdict"]))
        said.append(
            f"{d['model']}: worse {d['worse']:.2f}, practically equal {d['equal']:.2f}, better {d['better']:.2f}"
        )
    x = float(_LABEL)
    for words, fill in zip(("worse", "practically equal", "better"), fills.values(), strict=True):
        body.append(_rect(x, bottom + 10, 14.0, 14.0, f'{fill} stroke="currentColor"'))
        body.append(_text(x + 20, bottom + 21, words))
        x += 150
    return _svg(_LABEL + _PLOT + 150, bottom + 34, "Probabilities. " + "; ".join(said), "".join(body))


def calibration_chart(model: Mapping[str, Any], size: float = 150.0) -> str:
    """What a model said (across) and how often it came true (up), in bins; the diagonal is perfect."""
    found = model["calibration"]
    left, top = 30.0, 36.0

    def at(p: float, true: float) -> tuple[float, float]:
        return left + size * p, top + size * (1 - true)

    points = [at(p, t) for p, t in zip(found["said"], found["came_true"], strict=True)]
    body = [
        _rect(left, top, size, size, 'fill="none" stroke="currentColor" stroke-opacity="0.4"'),
        _line(*at(0.0, 0.0), *at(1.0, 1.0), ' stroke-dasharray="4 3" stroke-opacity="0.6"'),
        _text(left, top - 22, model["name"]),
        _text(left, top - 7, f"ECE {found['error']:.3f}", more=' fill-opacity="0.75"'),
        _text(left - 5, top + 9, "1", "end"),
        _text(left - 5, top + size, "0", "end"),
        _text(left + size, top + size + 14, "1", "end"),
        _text(left + size / 2, top + size + 14, "said", "middle", ' fill-opacity="0.75"'),
        f'<polyline fill="none" stroke="currentColor" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>',
        *(_mark_small(x, y, model["opaque"]) for x, y in points),
    ]
    alt = f"Calibration of {model['name']}: expected calibration error {found['error']:.3f}"
    return _svg(left + size + 12, top + size + 20, alt, "".join(body))


def _mark_small(x: float, y: float, opaque: bool) -> str:
    if opaque:
        return _rect(x - 3, y - 3, 6.0, 6.0, f'{_HOLLOW} stroke="currentColor"')
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
