"""The true-to-the-model benchmark: does an explainer rank what a white box uses above what it does not?

Read in this order: `cells` (what is run), `arcs` (what is true of arcs), `measure` (one explainer on one cell), `sweep`
(many cells), `results` (means, intervals, comparisons), `published` (the published means), `findings` (the published
findings as claims), `charts`, `arc_report` and `report` (the page).
"""

from truescope.gnn.benchmark.arcs import ARC_MEASURES, PUBLISHED_ARCS, ArcTruth, arc_comparisons
from truescope.gnn.benchmark.cells import Cell, facebook_cells, published_cells, quick_cells
from truescope.gnn.benchmark.charts import Line, legend, line_chart
from truescope.gnn.benchmark.findings import FINDINGS, Finding, judge_findings
from truescope.gnn.benchmark.measure import ENTRIES, PUBLISHED, Measured, measure
from truescope.gnn.benchmark.published import Comparison, explanation, published_means
from truescope.gnn.benchmark.report import report_html
from truescope.gnn.benchmark.results import Results, Sample
from truescope.gnn.benchmark.sweep import processors, sweep

__all__ = [
    "ARC_MEASURES",
    "ENTRIES",
    "FINDINGS",
    "PUBLISHED",
    "PUBLISHED_ARCS",
    "ArcTruth",
    "Cell",
    "Comparison",
    "Finding",
    "Line",
    "Measured",
    "Results",
    "Sample",
    "arc_comparisons",
    "explanation",
    "facebook_cells",
    "judge_findings",
    "legend",
    "line_chart",
    "measure",
    "processors",
    "published_cells",
    "published_means",
    "quick_cells",
    "report_html",
    "sweep",
]
