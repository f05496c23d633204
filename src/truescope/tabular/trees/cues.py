"""A table as cues: numeric ones sorted once, categorical ones as text levels; what cannot be learned is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from sklearn.utils.validation import check_array

from truescope.core.errors import TableError, nearest

MISSING_LEVEL = "NA"
"""A missing categorical value is a level of its own."""


@dataclass(frozen=True, eq=False)
class Cue:
    """One column: its sorted distinct ``values`` (numbers or level names) and each row's place among them.

    ``codes`` [n] int32 index ``values``; ``len(values)`` stands for a missing number.
    """

    name: str
    numeric: bool
    values: np.ndarray
    codes: Int[np.ndarray, " cases"]

    @property
    def n_values(self) -> int:
        """How many distinct values there are."""
        return len(self.values)


class Columns:
    """The columns of a data frame or an array by name, without copying what is not asked for."""

    def __init__(self, X: Any, names: Sequence[str] | None = None) -> None:
        self.frame = X if isinstance(X, pd.DataFrame) else None
        self.array = None if self.frame is not None else X
        if self.frame is not None:
            self.names = [str(name) for name in self.frame.columns]
        else:
            self.names = list(names) if names is not None else [f"x{i}" for i in range(X.shape[1])]
        self.n_cases: int = len(X)

    def raw(self, name: str) -> Any:
        """The column as it came.

        Raises:
            TableError: no column has this name.
        """
        if name not in self.names:
            raise TableError(
                f"there is no column {name!r}",
                why=f"the table has {', '.join(self.names[:12])}{' …' if len(self.names) > 12 else ''}",
                fix=nearest(name, self.names),
            )
        place = self.names.index(name)
        return self.frame.iloc[:, place] if self.frame is not None else self.array[:, place]  # type: ignore[index]

    def numbers(self, name: str) -> np.ndarray:
        """The column as doubles, missing values as NaN.

        Raises:
            TableError: it holds something that is no number.
        """
        column = self.raw(name)
        try:
            if isinstance(column, pd.Series):
                return column.to_numpy(dtype=np.float64, na_value=np.nan)
            return np.asarray(column, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TableError(
                f"column {name!r} should hold numbers", why=str(error), fix="the tree was learned on numbers there"
            ) from error

    def levels(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The column as text: each row's code, and the distinct levels the codes point at (missing: "NA")."""
        codes, found = pd.factorize(self.raw(name), use_na_sentinel=True)
        names = np.array([*(str(level) for level in found), MISSING_LEVEL], dtype=object)
        return np.where(codes < 0, len(names) - 1, codes), names


def columns_of(X: Any, *, check_numbers: bool = True) -> Columns:
    """``X`` as columns, after the checks that need no look at single values (``check_numbers`` looks at the types).

    Raises:
        TableError, ValueError: it is empty, not two-dimensional, sparse, complex, or names a column twice.
    """
    if not isinstance(X, pd.DataFrame):
        if not check_numbers and isinstance(X, np.ndarray) and X.ndim == 2 and len(X):
            return Columns(X)
        return Columns(check_array(X, dtype=cast(Any, None), ensure_all_finite=False))
    if X.shape[0] == 0:
        raise TableError(f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required.")
    if X.shape[1] == 0:
        raise TableError(f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    columns = Columns(X)
    twice = sorted({name for name in columns.names if columns.names.count(name) > 1})
    if twice:
        raise TableError(
            f"more than one column is called {', '.join(map(repr, twice))}",
            why="a tree speaks of its cues by name",
            fix="rename or drop the copies",
        )
    return columns


def is_numeric(column: Any, name: str) -> bool:
    """Whether a column is a numeric cue; text, booleans and categories are not.

    Raises:
        TableError: it holds dates, durations, or complex numbers.
    """
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return False
    if pd.api.types.is_datetime64_any_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind):
        raise TableError(
            f"cue {name!r} holds dates or durations",
            why="a threshold on a moment means little for later data",
            fix="turn it into a number first, such as days since a start, or drop it",
        )
    if pd.api.types.is_bool_dtype(kind):
        return False
    if pd.api.types.is_numeric_dtype(kind):
        if pd.api.types.is_complex_dtype(kind):
            raise TableError(f"Complex data not supported: cue {name!r}")
        return True
    if kind == np.dtype(object) and not isinstance(column, pd.Series):
        # An array of objects has no types of its own; a column of it is numeric if all its values are numbers.
        return all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in column)
    return False


def encode(columns: Columns, rows: Bool[np.ndarray, " cases"] | None = None) -> list[Cue]:
    """Every column as a `Cue`, on the chosen rows.

    Raises:
        TableError: dates, infinite numbers, or a level with a semicolon.
    """
    return [_encode_one(columns, name, rows) for name in columns.names]


def _encode_one(columns: Columns, name: str, rows: Bool[np.ndarray, " cases"] | None) -> Cue:
    if is_numeric(columns.raw(name), name):
        numbers = columns.numbers(name)
        numbers = numbers if rows is None else numbers[rows]
        missing = np.isnan(numbers)
        if np.isinf(numbers).any():
            raise TableError(
                f"cue {name!r} holds {int(np.isinf(numbers).sum())} infinite values",
                fix="replace infinity by a missing value or by a bound",
            )
        values, codes = np.unique(numbers[~missing] if missing.any() else numbers, return_inverse=True)
        places = np.full(len(numbers), len(values), dtype=np.int32)
        places[~missing] = codes
        return Cue(name, True, values, places)
    codes, found = columns.levels(name)
    codes = codes if rows is None else codes[rows]
    used = np.unique(codes)
    # Two spellings of one level (1 and "1") are one level.
    values, merged = np.unique(found[used].astype(str), return_inverse=True)
    _check_levels(name, values)
    new = np.zeros(len(found), dtype=np.int32)
    new[used] = merged
    return Cue(name, False, values.astype(object), new[codes])


def _check_levels(name: str, levels: Iterable[str]) -> None:
    for level in levels:
        if ";" in level:
            raise TableError(
                f"a level of cue {name!r} holds a semicolon: {level!r}",
                why="it separates the nodes where trees are exchanged with other programs",
                fix="replace it in the data",
            )
