"""Decisions from tables: models that people can read, opaque ones, and an honest comparison of the two.

Read in this order: `columns` (what a column is, and what is wrong with it), `tables` (cues and a target), `generated`
(tables whose truth is known), `trees` (fast-and-frugal trees), `compare` (interpretable against opaque), `posthoc`
(explainers of opaque models, held to an axiom).
"""

from __future__ import annotations

from importlib.util import find_spec as _find_spec

from truescope.core.errors import UsageError as _UsageError

if _missing := [name for name in ("pandas", "sklearn") if _find_spec(name) is None]:
    raise _UsageError(f"tables need {' and '.join(_missing)}", fix="pip install 'truescope[tabular]'")

from truescope.tabular.columns import Kind
from truescope.tabular.generated import GENERATED, generated_table
from truescope.tabular.tables import Table, read_table
from truescope.tabular.trees import (
    CueWarning,
    FastFrugalTree,
    FastFrugalTreeClassifier,
    Node,
    PositiveClassWarning,
    TakeTheBestClassifier,
    TallyingClassifier,
)

__all__ = [
    "GENERATED",
    "CueWarning",
    "FastFrugalTree",
    "FastFrugalTreeClassifier",
    "Kind",
    "Node",
    "PositiveClassWarning",
    "Table",
    "TakeTheBestClassifier",
    "TallyingClassifier",
    "generated_table",
    "read_table",
]
