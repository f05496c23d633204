"""The benchmark's report: one HTML file that loads nothing, from the record that ``--json`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import floor
from typing import Any

from truescope.gnn.benchmark.arc_report import arcs_html
from truescope.gnn.benchmark.charts import Line, legend, line_chart

_TITLES = {"local": "Local", "neighborhood": "Neighborhood", "two-hop": "Two-hop"}
_WORDS = {
    "Local": "the answer depends on the node’s own important features",
    "Neighborhood": "on those of its neighbours over important arcs, not on its own",
    "Two-hop": "on those of its neighbours’ neighbours",
    "false coded 0 or −1": "how a feature that a node does not have is written; one that it has (“positive”) is 1",
    "oracle, random, degree": "controls: the known answer; scores drawn at random; how often a feature is not zero "
    "(of an arc, its degree), without a look at the classifier",
}
_SIGN = {"held": "✓", "failed": "✗", "undecided": "?", "not_testable": "–"}
_CHANCE = 0.5
_ORDER = ("failed", "undecided", "not_testable", "held")
_STYLE = """
:root{--page:#f4f3f0;--card:#fff;--line:#e1dfd9;--ink:#1c1d22;--soft:#62646d;--held:#0b6e52;--failed:#b02a20;
--undecided:#80590a;--accent:#5746af}
@media(prefers-color-scheme:dark){:root{--page:#101115;--card:#181a20;--line:#2b2e37;--ink:#ecedf1;--soft:#a0a3ae;
--held:#5cc7a3;--failed:#f58a7f;--undecided:#e0b65a;--accent:#a99cf5}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:14px/1.5 "Inter","Segoe UI",
-apple-system,Roboto,"Noto Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1180px;margin:0 auto;padding:28px 20px 60px}h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;
margin:34px 0 10px}h3{font-size:14px;margin:18px 0 4px}p,dl{margin:6px 0;max-width:90ch}.soft{color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px}dt{font-weight:600}dd{margin:0}
.card p{max-width:none}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;margin:10px 0}
.claim{border-left:4px solid var(--undecided)}.claim.held{border-left-color:var(--held)}
.claim.failed{border-left-color:var(--failed)}.claim b{font-weight:600}.status{font-weight:700;margin-right:8px}
.held .status{color:var(--held)}.failed .status{color:var(--failed)}.undecided .status{color:var(--undecided)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:12px;align-items:end}
.charts>svg,.charts>div>svg{width:100%;height:auto}
.charts>svg,.charts>div>svg{background:var(--card);border:1px solid var(--line);border-radius:10px}
svg text{fill:var(--ink);font:11px sans-serif}svg .title{font-weight:600;font-size:13px}svg .tick{fill:var(--soft)}
svg .label{fill:var(--soft)}svg .grid{stroke:var(--line);stroke-width:1}
svg .expected{stroke:var(--ink);stroke-width:1.2;fill:none}svg .level{stroke:var(--ink);stroke-dasharray:1 3}
@media(prefers-color-scheme:dark){.series>:not(.expected),.legend line{filter:brightness(1.6)}}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:8px 0;padding:0}.legend
svg{vertical-align:middle; margin-right:6px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px}th,td{text-align:right;padding:4px 9px;
border-bottom:1px solid var(--line);white-space:nowrap}th{color:var(--soft);font-weight:600}
th:first-child,td:first-child,th.t,td.t{text-align:left}
th.over{text-align:center}tr.under>th:first-child{text-align:right}
tr.off td{color:var(--failed)}td.wrap{white-space:normal}
"""


def report_html(record: Mapping[str, Any]) -> str:
    """The whole page."""
    rows: list[Mapping[str, Any]] = record["rows"]
    parts = [
        _head(record),
        "<h2>The published findings</h2>" if record["claims"] else "",
        claims_html(record["claims"]),
        _chart_rows(rows, record["explainers"]),
        _facebook(rows, record["explainers"]),
        _by_class(rows),
        arcs_html(record["arcs"], record["arc_comparisons"]),
        _comparisons(record["comparisons"]),
        _pairs(record["pairs"]),
    ]
    return page_html("Explainers of graph networks", "".join(parts))


def page_html(title: str, body: str) -> str:
    """A page that may load nothing, with this report's style."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )


def _head(record: Mapping[str, Any]) -> str:
    run = record["run"]
    commit = (run.get("commit") or {}).get("hash", "unknown")[:10]
    return (
        "<h1>Do explainers of graph networks say what the network uses?</h1>"
        f"<p>{len(record['explainers'])} explainers are asked about three classifiers (“white boxes”) whose important "
        f"features are known, in {record['n_cells']:,} cells: one classifier on one graph in one setting. A score, the "
        "area, is the share of pairs of an important and an unimportant feature that an explainer puts in the right "
        "order, a tie counting half: 1 is perfect, ½ is chance. Intervals are 95 % over graphs; nodes for which no "
        "feature can matter are counted and left out.</p>"
        f"<dl>{''.join(f'<dt>{word}</dt><dd>{told}</dd>' for word, told in _WORDS.items())}</dl>"
        f'<p class="soft">run {escape(run["id"])} · commit {escape(commit)} · seeds {escape(run["seeds"])} · '
        f"{run['seconds']:.0f} s of work in this run</p>"
    )


def claims_html(claims: Sequence[Mapping[str, Any]]) -> str:
    """Every verdict as a card, failed ones first."""
    cards = []
    for claim in sorted(claims, key=lambda c: _ORDER.index(c["status"])):
        controls = {s["name"]: (c["name"], s) for c in claim["controls"] for s in c["scores"]}
        scores = "; ".join(_score(s, controls.get(s["name"])) for s in claim["scores"])
        notes = "".join(f"<p>{escape(_signs(note))}</p>" for note in claim["notes"])
        status = claim["status"]
        predicted = escape(_signs(", ".join(claim["predictions"])))
        cards.append(
            f'<div class="card claim {status}"><span class="status">{_SIGN[status]} {status.replace("_", " ")}</span>'
            f'<b>{escape(claim["text"])}</b><p class="soft">predicted: {predicted}<br>'
            f"measured: {scores}</p>{notes}</div>"
        )
    return "".join(cards)


def _signs(text: str) -> str:
    return text.replace(">=", "≥").replace("<=", "≤")


def _score(score: Mapping[str, Any], control: tuple[str, Mapping[str, Any]] | None) -> str:
    text = f"{escape(score['name'])} {score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}], n = {score['n']:,}"
    if control is None:
        return text
    name, drawn = control
    return f"{text}, {escape(name)} {drawn['low']:.2f} … {drawn['high']:.2f}"


def _chart_rows(rows: Sequence[Mapping[str, Any]], explainers: Sequence[str]) -> str:
    shown = [name for name in explainers if name != "oracle"]
    places = {name: i for i, name in enumerate(shown)}
    lowest = min((r["low"] for r in rows if r["explainer"] in places), default=0.4)
    y_range = (min(0.4, floor(10 * lowest) / 10), 1.0)
    out = ["<h2>Scores by setting</h2>", legend([(name.replace("_", " "), i) for name, i in places.items()])]
    out.append(
        '<p class="soft">Crosses are what the closed form expects, upright bars the intervals, the dotted line is '
        "chance. Points at one place are drawn a little apart, to be told from each other.</p>"
    )
    for false, word in ((0.0, "false coded 0"), (-1.0, "false coded −1")):
        for x, fixed, label in (
            ("p_positive", "p_important", "share of positive features"),
            ("p_important", "p_positive", "share of important features"),
        ):
            charts = []
            for white_box, title in _TITLES.items():
                at = [r for r in rows if r["white_box"] == white_box and r["false"] == false and r[fixed] == 0.5]
                lines = [_chart_line(at, name, x, places[name]) for name in shown]
                charts.append(
                    line_chart(title, label, "area", [ln for ln in lines if ln.points], y_range, levels=[_CHANCE])
                )
            if any(charts):
                out.append(f'<h3>By {label}, {word}</h3><div class="charts">{"".join(charts)}</div>')
    return "".join(out)


def _chart_line(rows: Sequence[Mapping[str, Any]], name: str, x: str, place: int) -> Line:
    mine = sorted((r for r in rows if r["explainer"] == name), key=lambda r: r[x])
    points = [(r[x], r["mean"], r["low"], r["high"]) for r in mine]
    expected = [(r[x], r["expected"]) for r in mine if r["expected"] is not None]
    return Line(name, points, expected, place)


def _facebook(rows: Sequence[Mapping[str, Any]], explainers: Sequence[str]) -> str:
    chosen = [r for r in rows if r["data"] == "facebook"]
    if not chosen:
        return ""
    shares = sorted({r["p_important"] for r in chosen})
    head = "".join(f"<th>{_TITLES[w]}, {p:g} important</th>" for w in _TITLES for p in shares)
    body = []
    for name in explainers:
        cells = []
        for white_box in _TITLES:
            for share in shares:
                key = (name, white_box, share)
                row = [r for r in chosen if (r["explainer"], r["white_box"], r["p_important"]) == key]
                cells.append(f"<td>{row[0]['mean']:.4f}</td>" if row else "<td>–</td>")
        body.append(f"<tr><td>{escape(name.replace('_', ' '))}</td>{''.join(cells)}</tr>")
    left_out = max(r["n_not_applicable"] for r in chosen)
    return (
        f'<h2>Facebook ego network</h2><p class="soft">{chosen[0]["n_nodes"] + chosen[0]["n_not_applicable"]} nodes '
        f"explained; up to {left_out} of them see no feature and are left out.</p>"
        f'<div class="scroll card"><table><tr><th>explainer</th>{head}</tr>{"".join(body)}</table></div>'
    )


def _by_class(rows: Sequence[Mapping[str, Any]]) -> str:
    chosen = [
        r
        for r in rows
        if r["explainer"] == "gnn_explainer"
        and r["false"] == 0.0
        and r["p_important"] == 0.5
        and r["class_0"] is not None
    ]
    if not chosen:
        return ""
    body = "".join(
        f"<tr><td>{_TITLES[r['white_box']]}</td><td>{r['p_positive']:g}</td><td>{r['mean']:.3f}</td>"
        f"<td>{r['class_0']:.3f}</td><td>{r['class_1']:.3f}</td></tr>"
        for r in sorted(chosen, key=lambda r: (r["white_box"], r["p_positive"]))
    )
    return (
        "<h2>GNNExplainer by the class that the node was given</h2>"
        '<p class="soft">Areas where half of the features are important and false is coded 0.</p>'
        '<div class="scroll card"><table><tr><th>white box</th><th>share positive</th><th>all nodes</th>'
        f"<th>class 0</th><th>class 1</th></tr>{body}</table></div>"
    )


def _comparisons(comparisons: Sequence[Mapping[str, Any]]) -> str:
    if not comparisons:
        return ""
    off = [c for c in comparisons if not c["agrees"]]
    body = "".join(
        f'<tr class="off"><td>{escape(c["explainer"])}</td><td class="t">{escape(c["cell"])}</td>'
        f"<td>{c['published']:.4f}</td><td>{c['measured']:.4f}</td><td>{c['difference']:+.4f}</td>"
        f'<td class="t wrap">{escape(c["explanation"])}</td></tr>'
        for c in sorted(off, key=lambda c: -abs(c["difference"]))
    )
    table = (
        '<div class="scroll card"><table><tr><th>explainer</th><th class="t">cell</th><th>published</th><th>ours</th>'
        f'<th>difference</th><th class="t">why</th></tr>{body}</table></div>'
    )
    return (
        f"<h2>Against the published numbers</h2><p>{len(comparisons) - len(off)} of {len(comparisons)} published "
        f"means are "
        f"met within their tolerance.</p>{table if off else ''}"
    )


def _pairs(pairs: Sequence[Mapping[str, Any]]) -> str:
    if not pairs:
        return ""
    body = "".join(
        f'<tr><td>{_TITLES[p["white_box"]]}</td><td class="t">{_plain(p["first"])} − {_plain(p["second"])}</td>'
        f"<td>{_signed(p['difference'])}</td><td>[{_signed(p['low'])}, {_signed(p['high'])}]</td>"
        f"<td>{p['p_holm']:.3g}</td><td>{p['n']:,}</td></tr>"
        for p in pairs
    )
    return (
        '<h2>Explainers side by side</h2><p class="soft">How much larger the first one’s area is, on the '
        "same nodes, false coded 0. p: signs of all differences of a node flipped together, corrected by Holm over the "
        "table. The interval is over graphs and p over nodes: where graphs are few the two need not agree.</p>"
        '<div class="scroll card"><table><tr><th>white box</th><th class="t">difference</th><th>mean</th><th>95 % '
        "over graphs</th><th>p</th><th>n</th></tr>"
        f"{body}</table></div>"
    )


def _plain(name: str) -> str:
    return escape(name.replace("_", " "))


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
