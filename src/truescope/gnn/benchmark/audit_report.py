"""The audit's report: the dose–response of every explainer on one page that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from truescope.gnn.benchmark.charts import Line, legend, line_chart
from truescope.gnn.benchmark.report import claims_html, page_html


def audit_html(record: Mapping[str, Any]) -> str:
    """The whole page."""
    names = list(record["thresholds"])
    facts = record["subject"]
    learned = f" that learned “{escape(str(facts['learned']))}”" if "learned" in facts else ""
    head = (
        f"<h1>Who notices that the network uses “{escape(record['feature'])}”?</h1>"
        f"<p>The feature was wired into a network on {escape(str(facts['subject']))}{learned}, with a growing "
        f"strength: at 1 it moves the margin as much as everything else together. The area is the share of the other "
        f"features that the planted one outranks; an explainer has noticed when its whole 95 % interval over nodes is "
        f"above {record['noticed_above']:g}; half is chance. A false alarm is a node at which it ranks the "
        "feature that high although the network does not use it (strength 0).</p>"
        f'<p class="soft">run {escape(record["run"]["id"])} · '
        f"commit {escape((record['run']['commit'] or {}).get('hash', 'unknown')[:10])} · "
        f"seed {record['run']['seed']}</p>"
    )
    return page_html("Planted reliance", head + _curves(record, names) + _table(record, names) + _claims(record))


def _curves(record: Mapping[str, Any], names: list[str]) -> str:
    steps = sorted({dose["strength"] for dose in record["doses"]})
    place = {strength: float(i) for i, strength in enumerate(steps)}
    noticed = float(record["noticed_above"])
    charts = []
    for start in range(0, len(names), 4):
        some = names[start : start + 4]
        lines = []
        for i, name in enumerate(some):
            mine = [d for d in record["doses"] if d["explainer"] == name and d["area"] is not None]
            points = [(place[d["strength"]], d["area"], d["low"], d["high"]) for d in mine]
            if points:
                lines.append(Line(name, points, (), i))
        ticks = {place[s]: f"{s:g}" for s in steps}
        chart = line_chart("", "planted strength", "area", lines, (0.0, 1.0), ticks, (0.5, noticed))
        charts.append(f"<div>{legend([(n.replace('_', ' '), i) for i, n in enumerate(some)])}{chart}</div>")
    return (
        '<h2>Dose and response</h2><p class="soft">Upright bars are 95 % intervals over nodes; the dotted lines are '
        f"chance and {noticed:g}, above which a whole bar must lie. Strengths are evenly spaced; points at one "
        "strength are drawn a little apart, to be told from each other.</p>"
        f'<div class="charts">{"".join(charts)}</div>'
    )


def _table(record: Mapping[str, Any], names: list[str]) -> str:
    steps = sorted({dose["strength"] for dose in record["doses"]})
    by_key = {(d["explainer"], d["strength"]): d for d in record["doses"]}
    head = "".join(f"<th>{s:g}</th>" for s in steps)
    body = []
    for name in names:
        cells = []
        for strength in steps:
            dose = by_key[name, strength]
            cells.append("<td>–</td>" if dose["area"] is None else f"<td>{dose['area']:.2f}</td>")
        at = record["thresholds"][name]
        said = "always, used or not" if name in record["false_alarms"] else "never" if at is None else f"from {at:g} on"
        alarms = _rate(record["false_alarm_rates"][name])
        label = escape(name.replace("_", " "))
        body.append(f'<tr><td>{label}</td>{"".join(cells)}<td class="t">{said}</td><td>{alarms}</td></tr>')
    changed = "".join(f"<td>{e['changed']:.0%}</td>" for e in record["effects"])
    return (
        "<h2>The same in numbers</h2>"
        '<div class="scroll card"><table><tr><th rowspan="2">explainer</th>'
        f'<th class="over" colspan="{len(steps)}">area at strength</th><th class="t" rowspan="2">notices</th>'
        f'<th rowspan="2">false alarms</th></tr><tr class="under">{head}</tr>{"".join(body)}'
        f"<tr><td>nodes whose class the feature alone decides</td>{changed}<td></td><td></td></tr></table></div>"
    )


def _claims(record: Mapping[str, Any]) -> str:
    if not record["claims"]:
        return ""
    return (
        '<h2>The claims, stated before the run</h2><p class="soft">One an explainer: that it notices. “Failed” says '
        "that it does not, or that it says the same of a feature as frequent that the network does not use: the same "
        "one, not planted, or one withheld from the network. random and degree do not look at the network; theirs "
        f"should fail. “named” is the share of nodes at which the area is above "
        f"{record['noticed_above']:g}.</p>{claims_html(record['claims'])}"
    )


def _rate(rate: Mapping[str, Any] | None) -> str:
    if rate is None:
        return "–"
    return f"{rate['value']:.0%} [{rate['low']:.0%}, {rate['high']:.0%}], n = {rate['n']}"
