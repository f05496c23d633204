"""Plain HTML for notebooks: static, escaped, self-contained, and readable without a style sheet."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truescope.core.claims import Verdict
    from truescope.core.graphs import Graph

_BADGE = {
    "held": ("#0b6e4f", "held"),
    "failed": ("#b3261e", "failed"),
    "undecided": ("#8a6d00", "undecided"),
    "not_testable": ("#5f6368", "not testable"),
}


def graph_html(graph: Graph, n_rows: int = 12) -> str:
    """The graph's scores and its ``n_rows`` most influential nodes, as one table."""
    low, high = graph.replacement
    c_low, c_high = graph.completeness
    answers = ", ".join(f"{escape(token)!s} ({p:.3f})" for token, p in graph.top_logits[:3])
    nodes = sorted(graph.nodes, key=lambda node: -node.influence)[:n_rows]
    rows = "".join(
        f"<tr><td><code>{escape(n.id)}</code></td><td>{escape(n.label)}</td>"
        f"<td style='text-align:right'>{n.activation:.3g}</td><td style='text-align:right'>{n.influence:.3f}</td></tr>"
        for n in nodes
    )
    return (
        f"<div><b>{escape(graph.prompt)}</b> → {answers}<br>"
        f"{graph.n_nodes} nodes, {graph.n_edges} edges; closure gap {graph.closure_gap:.1e}; "
        f"replacement {low:.3f}–{high:.3f}; completeness {c_low:.3f}–{c_high:.3f}"
        "<table><thead><tr><th>node</th><th>label</th><th>activation</th><th>influence</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def verdict_html(verdict: Verdict) -> str:
    """One verdict: its badge, its text, its scores with intervals beside its controls."""
    colour, word = _BADGE[verdict.status.value]
    controls = {score.name: score for control in verdict.controls for score in control.scores}
    rows = "".join(
        f"<tr><td>{escape(s.name)}</td><td>{s.value:.4g} [{s.low:.4g}, {s.high:.4g}]</td><td>{s.n}</td>"
        + (f"<td>{c.low:.4g} … {c.high:.4g}</td>" if (c := controls.get(s.name)) else "<td>–</td>")
        + "</tr>"
        for s in verdict.scores
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in verdict.notes)
    return (
        f"<div><span style='background:{colour};color:#fff;padding:0 .5em;border-radius:.5em'>{word}</span> "
        f"{verdict.evidence_level.value} ({verdict.evidence_level.title}) {escape(verdict.claim.text)}"
        "<table><thead><tr><th>score</th><th>value [interval]</th><th>n</th><th>controls</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{f'<ul>{notes}</ul>' if notes else ''}</div>"
    )
