"""The report of a calibration: a page of tables and a figure."""

from __future__ import annotations

from truescope.pipelines.calibration import sections
from truescope.pipelines.calibration.figure import Bar, dots
from truescope.pipelines.calibration.findings import METHODS, NAMED, RANDOM, Findings, fair_truth, shown, table

BEGIN, END = "<!-- headline:begin -->", "<!-- headline:end -->"
_HEADLINE = (
    ("frozen graph: direct effects", "edge", "frozen graph", "direct"),
    ("frozen graph: influence of edges", "edge", "frozen graph, influence", "value path"),
    ("QK attribution: terms of scores", "choice", "QK attribution", "direct"),
    ("live effects, read as edges", "edge", "live effects", "direct"),
    ("zero ablation of units", "unit", "zero ablation", "used"),
    ("gradient × input of units", "unit", "gradient × input", "used"),
    ("activation patching of units", "unit", "activation patching", "used, moved"),
    ("attribution patching of units", "unit", "attribution patching", "used, moved"),
    ("EAP-IG of units", "unit", "integrated gradients", "used, moved"),
)
_INTRO = """\
Means are over programs of means over prompts; intervals are 95 %, of a bootstrap that draws programs and keeps the
prompts and seeds of a program together. *n* counts prompts. A case in which all or none of the candidates are true has
nothing to rank and is counted apart (n/a). *Random weights* is the negative control: the same scores from a model of
the same shape that runs no program; above one half it says how much position and kind alone give away."""


def headline(findings: Findings) -> list[str]:
    """The table that stands first, and in the README."""
    rows = []
    for label, level, method, truth in _HEADLINE:
        named, control = (findings.get(*group, level, method, truth, "auroc") for group in (NAMED, RANDOM))
        if named is not None:
            numbers = [shown(named), f"{named.worst:.3f}", shown(control), str(named.score.n)]
            rows.append([label, truth, *numbers])
    return table(["score", "truth", "AUROC [95 %]", "worst prompt", "random weights", "n"], rows)


def verdict_counts(findings: Findings) -> str:
    """ "32 held, 5 failed of 50 claims"."""
    words = [verdict.status.value.replace("_", " ") for verdict in findings.verdicts]
    counted = ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))
    return f"{counted} of {len(words)} claims"


def markdown(findings: Findings) -> str:
    """The page."""
    facts = findings.facts
    command = f"truescope calibrate{' --quick' if facts['size'] == 'quick' else ''} --seed {facts['seed']} --out …"
    run = [f"- {name.replace('_', ' ')}: {value}" for name, value in facts.items() if name not in ("json", "figure")]
    lines = [
        "# Calibration",
        "",
        "How far each method can be trusted, measured on models whose mechanism is known. This page is written by",
        f"`{command}`; every number is in [`{facts['json']}`]({facts['json']}), and what counts as true in",
        "[decision 10](decisions/0010-what-counts-as-true.md).",
        "",
        BEGIN,
        *headline(findings),
        "",
        f"Seed {facts['seed']}, commit `{facts['commit']}`; {verdict_counts(findings)}.",
        END,
        "",
        f"![AUROC of every method]({facts['figure']})",
        "",
        _INTRO,
        "",
    ]
    for section in (
        sections.edges,
        sections.nodes,
        sections.graphs,
        sections.dictionaries,
        sections.collapse,
        sections.trained,
        sections.false_discovery,
        sections.claims,
    ):
        lines += section(findings)
    return "\n".join([*lines, "## The run", "", *run, ""])


def svg(findings: Findings) -> str:
    """The figure: edges, units and heads, a dot with its interval for each method, the random model's beside it."""
    panels = []
    for level, title in (("edge", "edges"), ("unit", "units and tokens"), ("head", "heads")):
        bars = []
        for method in METHODS:
            truth = fair_truth(level, method)
            named, control = (findings.get(*group, level, method, truth, "auroc") for group in (NAMED, RANDOM))
            if named is not None:
                bars.append(Bar(method, named.score, None if control is None else control.score))
        panels.append((title, bars))
    return dots(panels, "AUROC against the known mechanism (hollow: the same model with random weights)")
