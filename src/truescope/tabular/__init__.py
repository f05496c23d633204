"""Decisions from tables: models that people can read, opaque ones, and an honest comparison of the two.

Read in this order: `columns` (what a column is, and what is wrong with it), `tables` (cues and a target), `trees`
(fast-and-frugal trees, a room of their own).
"""

from __future__ import annotations

from importlib.util import find_spec as _find_spec

from truescope.core.errors import UsageError as _UsageError

if _missing := [name for name in ("pandas", "sklearn") if _find_spec(name) is None]:
    raise _UsageError(f"tables need {' and '.join(_missing)}", fix="pip install 'truescope[tabular]'")

from truescope.tabular.columns import Kind
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
    "CueWarning",
    "FastFrugalTree",
    "FastFrugalTreeClassifier",
    "Kind",
    "Node",
    "PositiveClassWarning",
    "Table",
    "TakeTheBestClassifier",
    "TallyingClassifier",
    "read_table",
]
