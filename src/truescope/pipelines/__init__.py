"""One public function for each verb: the Python API.

Read `demo` first: it is the main job from end to end; `trace` and `judge` are its two halves for any model,
and `train` makes the dictionaries that graphs can be traced on. Inner rooms: `graphs` (the verbs on graph networks),
`tables` (the verbs on tables), `calibration` (the parts of `calibrate`).
"""

from truescope.pipelines.calibrate import CalibrationReport, calibrate
from truescope.pipelines.claims import (
    LedgerView,
    Reproduction,
    export_claims,
    list_claims,
    rerun_claim,
    show_claim,
)
from truescope.pipelines.demo import DemoReport, demo
from truescope.pipelines.doctor import examine
from truescope.pipelines.graphs import (
    GnnAuditReport,
    GnnBenchmarkReport,
    GnnDictionaryReport,
    gnn_audit,
    gnn_benchmark,
    gnn_dictionary,
    gnn_evaluate,
    gnn_explain,
)
from truescope.pipelines.judge import JudgeReport, judge
from truescope.pipelines.runs import find_page, list_runs
from truescope.pipelines.sites import describe_sites
from truescope.pipelines.tables import (
    CompareReport,
    DistilReport,
    ExplainersReport,
    TreeReport,
    compare,
    distil,
    explainers,
    tree,
)
from truescope.pipelines.trace import TraceReport, trace
from truescope.pipelines.train import TrainReport, train

__all__ = [
    "CalibrationReport",
    "CompareReport",
    "DemoReport",
    "DistilReport",
    "ExplainersReport",
    "GnnAuditReport",
    "GnnBenchmarkReport",
    "GnnDictionaryReport",
    "JudgeReport",
    "LedgerView",
    "Reproduction",
    "TraceReport",
    "TrainReport",
    "TreeReport",
    "calibrate",
    "compare",
    "demo",
    "describe_sites",
    "distil",
    "examine",
    "explainers",
    "export_claims",
    "find_page",
    "gnn_audit",
    "gnn_benchmark",
    "gnn_dictionary",
    "gnn_evaluate",
    "gnn_explain",
    "judge",
    "list_claims",
    "list_runs",
    "rerun_claim",
    "show_claim",
    "trace",
    "train",
    "tree",
]
