"""The verbs on graph networks: `truescope gnn benchmark | audit | explain | evaluate | dictionary`.

`verbs` says what each one does and needs no extra; the file of its name runs it, and stands on the extra `gnn`.
"""

from truescope.pipelines.graphs.verbs import (
    GnnAuditReport,
    GnnBenchmarkReport,
    GnnDictionaryReport,
    gnn_audit,
    gnn_benchmark,
    gnn_dictionary,
    gnn_evaluate,
    gnn_explain,
)

__all__ = [
    "GnnAuditReport",
    "GnnBenchmarkReport",
    "GnnDictionaryReport",
    "gnn_audit",
    "gnn_benchmark",
    "gnn_dictionary",
    "gnn_evaluate",
    "gnn_explain",
]
