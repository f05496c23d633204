"""Shapes as SVG text: escaped, self-contained, with a title and a description for who cannot see them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path

from truescope.core.errors import UsageError
from truescope.store import write_atomic

INK, FAINT, GRID, PAPER = "#1a1a1a", "#5f6368", "#d5d8dc", "#ffffff"
RIGHT, WRONG = "#0b5394", "#c2410c"
"""Decided rightly, decided wrongly: far apart in colour, and in lightness where there is none."""
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"


Length = float | int
"""In units of the drawing: pixels on a screen, tenths of a millimetre on a card."""


def number(value: Length) -> str:
    """A coordinate with no more digits than can be seen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def fit_text(text: str, width: Length, size: Length) -> str:
    """The text, cut with an ellipsis where it would be wider than ``width``."""
    most = max(3, int(width / (0.55 * size)))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


class Canvas:
    """Collects shapes; coordinates grow to the right and down."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def rect(
        self,
        x: Length,
        y: Length,
        w: Length,
        h: Length,
        *,
        fill: str = "none",
        stroke: str = "none",
        rx: Length = 0,
        width: Length = 1.2,
    ) -> None:
        """A box."""
        self.parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}" rx="{number(rx)}" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="{number(width)}"/>'
        )

    def line(
        self,
        x1: Length,
        y1: Length,
        x2: Length,
        y2: Length,
        *,
        stroke: str = INK,
        width: Length = 1.4,
        dash: str = "",
        arrow: bool = False,
    ) -> None:
        """A straight line, with an arrow's head at its end if wanted."""
        more = (f' stroke-dasharray="{dash}"' if dash else "") + (' marker-end="url(#head)"' if arrow else "")
        self.parts.append(
            f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" stroke="{stroke}" '
            f'stroke-width="{number(width)}"{more}/>'
        )

    def circle(
        self, x: Length, y: Length, r: Length, *, fill: str = INK, stroke: str = "none", width: Length = 1.4
    ) -> None:
        """A disc or a ring."""
        self.parts.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}" fill="{fill}" stroke="{stroke}" '
            f'stroke-width="{number(width)}"/>'
        )

    def diamond(self, x: Length, y: Length, r: Length, *, stroke: str = WRONG, fill: str = PAPER) -> None:
        """An open diamond."""
        path = f"M{number(x)} {number(y - r)}L{number(x + r)} {number(y)}L{number(x)} {number(y + r)}L{number(x - r)} "
        self.parts.append(f'<path d="{path}{number(y)}Z" fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>')

    def text(
        self,
        x: Length,
        y: Length,
        text: str,
        *,
        size: Length = 13,
        anchor: str = "start",
        bold: bool = False,
        fill: str = INK,
        full: str = "",
    ) -> None:
        """A line of text; ``full`` is shown when one points at it."""
        weight = ' font-weight="600"' if bold else ""
        tip = f"<title>{escape(full)}</title>" if full and full != text else ""
        self.parts.append(
            f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" text-anchor="{anchor}" '
            f'fill="{fill}"{weight}>{tip}{escape(text)}</text>'
        )


@dataclass(frozen=True)
class Figure:
    """A finished picture: SVG, what it is called, and what it says in words. Notebooks show it by themselves."""

    body: str
    width: Length
    height: Length
    title: str
    words: str
    unit: str = ""

    @property
    def svg(self) -> str:
        """The picture as one SVG element; its description is the tree in words."""
        key = hashlib.sha256((self.title + self.body).encode()).hexdigest()[:8]
        # Ids are the picture's own: a page may hold several.
        body = self.body.replace("url(#head)", f"url(#head-{key})")
        size = (
            f'width="{number(self.width)}{self.unit}" height="{number(self.height)}{self.unit}" ' if self.unit else ""
        )
        scale = 10 if self.unit else 1
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}viewBox="0 0 {number(self.width * scale)} '
            f'{number(self.height * scale)}" role="img" aria-labelledby="t-{key} d-{key}" font-family="{FONT}">'
            f'<title id="t-{key}">{escape(self.title)}</title><desc id="d-{key}">{escape(self.words)}</desc>'
            f'<defs><marker id="head-{key}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8Z" fill="{INK}"/></marker></defs>'
            f'<rect width="100%" height="100%" fill="{PAPER}"/>{body}</svg>'
        )

    @property
    def html(self) -> str:
        """A page with the picture and its words, made to be printed."""
        page = f"@page{{size:{number(self.width)}mm {number(self.height)}mm;margin:0}}" if self.unit == "mm" else ""
        style = f"{page}body{{margin:0}}svg{{display:block;max-width:100%;height:auto}}"
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(self.title)}</title>'
            f"<style>{style}</style></head><body>{self.svg}</body></html>\n"
        )

    def save(self, path: str | Path) -> Path:
        """Write the picture as .svg or .html.

        Raises:
            UsageError: another ending.
        """
        path = Path(path).expanduser()
        if path.suffix not in (".svg", ".html"):
            raise UsageError(f"a picture is written as .svg or .html, not {path.suffix or 'without an ending'!r}")
        write_atomic(path, (self.html if path.suffix == ".html" else self.svg + "\n").encode())
        return path

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="max-width:{number(self.width)}{self.unit or "px"}">{self.svg}</div>'
