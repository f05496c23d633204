"""The report's section on arcs: each explainer that scores them, by what is asked, and the published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from truescope.gnn.benchmark.arcs import ARC_MEASURES

_TITLES = {"local": "Local", "neighborhood": "Neighborhood", "two-hop": "Two-hop"}


def arcs_html(rows: Sequence[Mapping[str, Any]], comparisons: Sequence[Mapping[str, Any]]) -> str:
    """The section; nothing where no explainer scored arcs."""
    if not rows:
        return ""
    tables = []
    for false, important, title in (
        (0.0, None, "synthetic, false coded 0"),
        (-1.0, None, "synthetic, false coded −1"),
        *((None, share, f"Facebook, {share:g} important") for share in _facebook_shares(rows)),
    ):
        chosen = [r for r in rows if (r["false"], r["p_important"]) == (false, important)]
        if chosen:
            tables.append(f"<h3>{title}</h3>{_table(chosen)}")
    words = "; ".join(f"<b>{name}</b> {escape(text)}" for name, text in ARC_MEASURES.items())
    return (
        "<h2>Arcs</h2><p>Which messages count is known too: the important arcs. Areas as for features, "
        f"[95 % interval over graphs; over nodes on Facebook], – nodes to which it does not apply: {words}. Few arcs "
        "of many count for a node, so that an area near 1 can hide many idle ones on top: precision shows them, and "
        f"random scores give its chance level.</p>{''.join(tables)}{_published(comparisons)}"
    )


def _facebook_shares(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    return sorted({r["p_important"] for r in rows if r["data"] == "facebook"})


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ARC_MEASURES)
    body = []
    for row in sorted(rows, key=lambda r: list(_TITLES).index(r["white_box"])):
        cells = "".join(f"<td>{_cell(row[name])}</td>" for name in ARC_MEASURES)
        body.append(
            f'<tr><td>{_TITLES[row["white_box"]]}</td><td class="t">{escape(row["explainer"].replace("_", " "))}</td>'
            f"{cells}<td>{row['local']['n_nodes'] + row['local']['n_not_applicable']:,}</td></tr>"
        )
    return (
        f'<div class="scroll card"><table><tr><th>white box</th><th class="t">explainer</th>{head}<th>nodes</th></tr>'
        f"{''.join(body)}</table></div>"
    )


def _cell(found: Mapping[str, Any]) -> str:
    left = f" – {found['n_not_applicable']:,}" if found["n_not_applicable"] else ""
    return f'{found["mean"]:.3f} <span class="soft">[{found["low"]:.3f}, {found["high"]:.3f}]{left}</span>'


def _published(comparisons: Sequence[Mapping[str, Any]]) -> str:
    if not comparisons:
        return ""
    worst = max(comparisons, key=lambda c: abs(c["difference"]))
    return (
        f"<p>{len(comparisons)} numbers of arcs on Facebook are stored with the published benchmark and in none of its "
        f"tables; the largest difference is {abs(worst['difference']):.1e} ({escape(worst['explainer'])}, "
        f"{escape(worst['white_box'])}, {escape(worst['measure'])}).</p>"
    )
