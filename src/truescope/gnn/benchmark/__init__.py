"""The true-to-the-model benchmark: does an explainer rank what a white box uses above what it does not?

Read in this order: `cells` (what is run), `measure` (one explainer on one cell), `sweep` (many cells), `results`
(means,
intervals, comparisons), `published` (the published means), `findings` (the published findings as claims), `charts` and
`report` (the page).
"""

from truescope.gnn.benchmark.cells import Cell, facebook_cells, published_cells, quick_cells
from truescope.gnn.benchmark.charts import Line, legend, line_chart
from truescope.gnn.benchmark.findings import FINDINGS, Finding, judge_findings
from truescope.gnn.benchmark.measure import ENTRIES, PUBLISHED, Measured, measure
from truescope.gnn.benchmark.published import Comparison, explanation, published_means
from truescope.gnn.benchmark.report import report_html
from truescope.gnn.benchmark.results import Results, Sample
from truescope.gnn.benchmark.sweep import processors, sweep

__all__ = [
    "ENTRIES",
    "FINDINGS",
    "PUBLISHED",
    "Cell",
    "Comparison",
    "Finding",
    "Line",
    "Measured",
    "Results",
    "Sample",
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
