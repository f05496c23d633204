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
        f"above {record['noticed_above']:g}. A false alarm is a node at which it ranks the feature that high although "
        "the network does not use it (strength 0).</p>"
        f'<p class="soft">run {escape(record["run"]["id"])} · '
        f"commit {escape((record['run']['commit'] or {}).get('hash', 'unknown')[:10])} · "
        f"seed {record['run']['seed']}</p>"
    )
    return page_html(
        "Planted reliance", head + _curves(record, names) + _table(record, names) + claims_html(record["claims"])
    )


def _curves(record: Mapping[str, Any], names: list[str]) -> str:
    steps = sorted({dose["strength"] for dose in record["doses"]})
    place = {strength: float(i) for i, strength in enumerate(steps)}
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
        chart = line_chart("", "strength", "area", lines, (0.0, 1.0), ticks)
        charts.append(f"<div>{legend([(n.replace('_', ' '), i) for i, n in enumerate(some)])}{chart}</div>")
    return f'<h2>Dose and response</h2><div class="charts">{"".join(charts)}</div>'


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
        '<div class="scroll card"><table><tr><th>area at strength</th>'
        f'{head}<th class="t">notices</th><th>false alarms</th></tr>{"".join(body)}'
        f"<tr><td>nodes whose class the feature alone decides</td>{changed}<td></td><td></td></tr></table></div>"
    )


def _rate(rate: Mapping[str, Any] | None) -> str:
    if rate is None:
        return "–"
    return f"{rate['value']:.0%} [{rate['low']:.0%}, {rate['high']:.0%}], n = {rate['n']}"
