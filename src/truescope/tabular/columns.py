"""What a column is (a number, a category, a date), and what can be wrong with it before anything is learned."""

from __future__ import annotations

from enum import StrEnum
from typing import cast

import numpy as np
import pandas as pd
from jaxtyping import Bool

from truescope.core.errors import TableError

MANY_LEVELS = 100
"""More categories than this are worth a note: models that know only "is it this level?" see few cases of each."""

IDENTIFIER_SHARE = 0.5
"""A category with more levels than this share of the rows (and than `FEW_LEVELS`) names cases and is left out."""

FEW_LEVELS = 20

_ISO_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?"


class Kind(StrEnum):
    """How a cue is read: ``numeric`` (compared with a threshold) or ``categorical`` (a member of a set of levels)."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """The one column of that name."""
    return cast(pd.Series, frame[name])


def read_column(values: pd.Series, notes: list[str]) -> tuple[pd.Series, Kind] | None:
    """The column as float64 or as text with NaN for what is missing, and its kind; None where it says nothing.

    Numbers, 0 and 1 among them, are numeric; text and booleans are categorical; dates become days since 1970-01-01.
    What is changed or left out is said in ``notes``.

    Raises:
        TableError: infinite numbers, complex numbers, or cells that are neither numbers nor text.
    """
    name = str(values.name)
    if values.isna().all():
        notes.append(f"{name} is empty and was left out")
        return None
    column, kind = _typed(values, name, notes)
    n_levels = column.nunique()
    if n_levels == 1 and not column.isna().any():
        notes.append(f"{name} is {column.iloc[0]!r} in every row and was left out")
        return None
    if kind is Kind.CATEGORICAL:
        if n_levels > max(FEW_LEVELS, IDENTIFIER_SHARE * len(column)):
            notes.append(
                f"{name} has {n_levels:,} different words in {len(column):,} rows, names cases, and was left out"
            )
            return None
        if n_levels > MANY_LEVELS:
            notes.append(f"{name} has {n_levels:,} levels: most models see few cases of each")
    return column, kind


def _typed(values: pd.Series, name: str, notes: list[str]) -> tuple[pd.Series, Kind]:
    if pd.api.types.is_datetime64_any_dtype(values):
        return _days(values, name, notes), Kind.NUMERIC
    if pd.api.types.is_bool_dtype(values) or isinstance(values.dtype, pd.CategoricalDtype):
        return _text(values), Kind.CATEGORICAL
    if pd.api.types.is_complex_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
        raise TableError(f"{name} holds {values.dtype}", fix="turn it into a number, or leave it out with --drop")
    if pd.api.types.is_numeric_dtype(values):
        return _finite(values, name), Kind.NUMERIC
    known = values.dropna()
    odd = sorted({type(v).__name__ for v in known if not isinstance(v, str | bool | np.bool_ | int | float)})
    if odd:
        raise TableError(f"{name} holds {', '.join(odd)}", fix="a cell is a number, a word, or empty")
    text = known.astype(str)
    if text.str.fullmatch(_ISO_DATE).all():
        moments = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
        if moments.notna().sum() == len(known):
            return _days(moments, name, notes), Kind.NUMERIC
    numbers = pd.to_numeric(text, errors="coerce")
    if numbers.isna().any() and numbers.notna().mean() > 0.5:
        words = ", ".join(sorted(map(repr, text[numbers.isna()].unique()[:3])))
        notes.append(f"{name} is read as words because of {words}; if that means missing, say so with --missing")
    return _text(values), Kind.CATEGORICAL


def _finite(values: pd.Series, name: str) -> pd.Series:
    numbers = pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index, name=name)
    if len(rows := np.flatnonzero(np.isinf(numbers))):
        shown = ", ".join(str(row + 1) for row in rows[:3])
        raise TableError(
            f"{name} is infinite in {len(rows)} rows (row {shown}{' …' if len(rows) > 3 else ''})",
            why="no threshold, mean or scale can be taken of it",
            fix="write a number or leave the cell empty, or leave the column out with --drop",
        )
    return numbers


def _days(values: pd.Series, name: str, notes: list[str]) -> pd.Series:
    moments = pd.to_datetime(values, utc=True).dt.tz_localize(None)
    notes.append(f"{name} is a date and was turned into days since 1970-01-01")
    return ((moments - pd.Timestamp(0)) / pd.Timedelta(days=1)).astype(np.float64)


def _text(values: pd.Series) -> pd.Series:
    words = values.astype(object)
    return words.map(str, na_action="ignore").where(words.notna(), np.nan).astype(object)


def leave_out_repeats(cues: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The cues without those that repeat an earlier one cell by cell."""
    hashes = {name: hash(tuple(pd.util.hash_pandas_object(cues[name], index=False))) for name in cues}
    first: dict[int, str] = {}
    keep = []
    for name in cues:
        original = first.setdefault(hashes[name], str(name))
        if original != name and cues[name].equals(cues[original].rename(name)):
            notes.append(f"{name} repeats {original} and was left out")
        else:
            keep.append(name)
    return cues.loc[:, keep]


def check_no_copy(cues: pd.DataFrame, positive: Bool[np.ndarray, " rows"], target: str) -> None:
    """See that no cue is the target under another name: two values, one for each class, in every row.

    Raises:
        TableError: one is.
    """
    for name in cues:
        column = column_of(cues, name)
        if bool(column.isna().any()) or column.nunique() != 2:
            continue
        first = (column == column.iloc[0]).to_numpy()
        if (first == positive).all() or (first != positive).all():
            raise TableError(
                f"the cue {name} is the target {target} under another name",
                why="it has one value for each class, without an exception",
                fix=f"leave it out with --drop {name}",
            )
