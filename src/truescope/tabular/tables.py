"""`Table`: cues and a two-class target, read with every doubt said before anything is learned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Shaped

from truescope.core.errors import TableError, UsageError, nearest
from truescope.tabular.columns import Kind, check_no_copy, column_of, leave_out_repeats, read_column

_OBVIOUS = ({"true", "false"}, {"1", "0"}, {"1.0", "0.0"}, {"yes", "no"}, {"y", "n"})
_POSITIVE = {"true", "1", "1.0", "yes", "y"}
MIN_ROWS = 10


@dataclass(frozen=True, eq=False)
class Table:
    """Cases in rows: cues (float64, or text with NaN for missing), and whether each is of the positive class.

    ``groups`` and ``times`` are no cues: they say which rows belong together, and in which order they came.
    ``notes`` say what was changed or left out on reading, one sentence each.
    """

    cues: pd.DataFrame
    positive: Bool[np.ndarray, " rows"]
    kinds: Mapping[str, Kind]
    target: str
    class_names: tuple[str, str]
    name: str = "table"
    groups: Shaped[np.ndarray, " rows"] | None = None
    times: Shaped[np.ndarray, " rows"] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.positive)

    def __repr__(self) -> str:
        negative, positive = self.class_names
        return (
            f"Table({self.name}: {len(self):,} rows, {len(self.kinds)} cues; {self.target} is {positive!r} in "
            f"{int(self.positive.sum()):,} and {negative!r} in {int((~self.positive).sum()):,})"
        )

    def names(self, kind: Kind) -> list[str]:
        """The cues of one kind, in the table's order."""
        return [name for name, found in self.kinds.items() if found is kind]

    @property
    def base_rate(self) -> float:
        """The share of rows of the positive class."""
        return float(self.positive.mean())

    @property
    def hash(self) -> str:
        """SHA-256 (16 digits) of every cell that is learned from, of the names and of the order of the rows."""
        digest = hashlib.sha256(repr((list(self.kinds.items()), self.target, self.class_names)).encode())
        for part in (self.cues, pd.Series(self.positive), self.groups, self.times):
            if part is not None:
                frame = part if isinstance(part, pd.DataFrame | pd.Series) else pd.Series(part)
                digest.update(pd.util.hash_pandas_object(frame.reset_index(drop=True)).to_numpy().tobytes())
        return digest.hexdigest()[:16]

    @staticmethod
    def of(
        frame: pd.DataFrame,
        target: str,
        *,
        positive: str | None = None,
        group: str | None = None,
        time: str | None = None,
        drop: Sequence[str] = (),
        name: str = "table",
    ) -> Table:
        """Read a data frame: ``target`` is the column to predict, ``positive`` the class that counts as yes.

        ``positive`` may be left out where it is obvious (true/false, 1/0, yes/no). With more than two classes it is
        one against the rest. ``group`` and ``time`` name columns for splits, ``drop`` columns that are no cues.

        Raises:
            TableError: one class, doubtful classes, no cue left, infinities, two columns of one name, a cue that is
                the target under another name, fewer than `MIN_ROWS` rows.
            UsageError: a named column does not exist; the nearest ones are named.
        """
        _check_names(frame, [target, *filter(None, (group, time)), *drop])
        notes: list[str] = []
        known = frame[target].notna().to_numpy()
        if not known.all():
            notes.append(f"{int((~known).sum()):,} rows have no {target} and were left out")
        frame = frame.loc[known].reset_index(drop=True)
        if len(frame) < MIN_ROWS:
            raise TableError(f"{name} has {len(frame)} rows with a {target}", fix=f"at least {MIN_ROWS} are needed")
        is_positive, class_names = read_target(column_of(frame, target), positive, notes)
        columns: dict[str, tuple[pd.Series, Kind]] = {}
        for cue in frame.columns:
            if cue not in {target, group, time, *drop} and (found := read_column(column_of(frame, cue), notes)):
                columns[str(cue)] = found
        if not columns:
            raise TableError(f"{name} has no cue left to learn from", why="; ".join(notes) or "every column is taken")
        cues = leave_out_repeats(pd.DataFrame({cue: column for cue, (column, _) in columns.items()}), notes)
        check_no_copy(cues, is_positive, target)
        return Table(
            cues=cues,
            positive=is_positive,
            kinds={str(cue): columns[str(cue)][1] for cue in cues},
            target=target,
            class_names=class_names,
            name=name,
            groups=None
            if group is None
            else _whole(column_of(frame, group), "a group").astype(str).to_numpy(dtype=str),
            times=None if time is None else _order(_whole(column_of(frame, time), "a time")),
            notes=tuple(notes),
        )


def read_table(
    path: str | Path,
    *,
    target: str,
    positive: str | None = None,
    group: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    missing: Sequence[str] = (),
) -> Table:
    """Read a file of comma-, semicolon- or tab-separated values with one header line; arguments as of `Table.of`.

    Empty cells and NA are missing, and so are the words in ``missing``.

    Raises:
        UsageError: there is no such file. TableError: it is no table, or as `Table.of` says.
    """
    frame, name = read_frame(path, missing), Path(path).stem
    return Table.of(frame, target, positive=positive, group=group, time=time, drop=drop, name=name)


def read_frame(path: str | Path, missing: Sequence[str] = ()) -> pd.DataFrame:
    """A file's cells as a data frame, nothing judged yet; arguments and errors as of `read_table`."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no table {path}", fix="name a CSV file")
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        separator = max(",;\t", key=header.count)
        # The names are read as a row: pandas would rename a second column of one name.
        names = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str, encoding="utf-8-sig").iloc[0]
        frame = pd.read_csv(path, sep=separator, na_values=list(missing), encoding="utf-8-sig", low_memory=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise TableError(f"{path} is no table", why=str(error), fix="a header line, then one case a line") from error
    if len(names) != frame.shape[1]:
        raise TableError(f"{path} has {len(names)} names and {frame.shape[1]} columns", fix="one name a column")
    frame.columns = pd.Index([str(name).strip() for name in names])
    return frame


def read_target(
    values: pd.Series, positive: str | None, notes: list[str]
) -> tuple[Bool[np.ndarray, " rows"], tuple[str, str]]:
    """Which rows are positive, and the names (negative, positive) of the two classes.

    The order in which class names sort never decides which one is positive.

    Raises:
        TableError: one class only, a positive class that does not occur, or classes of which none is obviously the
            positive one and none was named.
    """
    words = values.map(_word)
    classes = sorted(words.unique())
    if len(classes) < 2:
        raise TableError(f"{values.name} is {classes[0]!r} in every row", why="there is nothing to tell apart")
    listed = ", ".join(repr(word) for word in classes[:6]) + (" …" if len(classes) > 6 else "")
    if positive is None:
        if {word.lower() for word in classes} not in _OBVIOUS:
            raise TableError(
                f"which class of {values.name} counts as yes?",
                why=f"it has {len(classes)} classes: {listed}",
                fix=f"name one, for example --positive {classes[-1]}",
            )
        positive = next(word for word in classes if word.lower() in _POSITIVE)
    chosen = _word(positive)
    if chosen not in classes:
        raise TableError(
            f"{values.name} is never {chosen!r}", why=f"its classes are {listed}", fix=nearest(chosen, classes)
        )
    others = [word for word in classes if word != chosen]
    if len(others) > 1:
        notes.append(f"{values.name} has {len(classes)} classes: {chosen!r} is told from the rest")
    return (words == chosen).to_numpy(dtype=bool), (others[0] if len(others) == 1 else f"not {chosen}", chosen)


def _word(value: object) -> str:
    """1.0 and 1 and "1" are one class."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _check_names(frame: pd.DataFrame, asked: Sequence[str]) -> None:
    names = [str(name) for name in frame.columns]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise TableError(f"two columns are called {repeated[0]!r}", fix="give every column a name of its own")
    for name in asked:
        if name not in names:
            raise UsageError(
                f"the table has no column {name!r}",
                why=f"it has {', '.join(names[:8])}{' …' if len(names) > 8 else ''}",
                fix=nearest(name, names),
            )
    if len(set(asked)) < len(asked):
        raise UsageError("a column has one part to play", why=f"named twice among {', '.join(asked)}")


def _whole(values: pd.Series, what: str) -> pd.Series:
    if values.isna().any():
        raise TableError(f"{int(values.isna().sum())} rows have no {values.name}", why=f"every row needs {what}")
    return values


def _order(values: pd.Series) -> np.ndarray:
    """Times as numbers that sort: dates as nanoseconds, numbers as they are."""
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(dtype=np.float64)
    try:
        return pd.to_datetime(values, utc=True, format="ISO8601").astype("int64").to_numpy()
    except (ValueError, TypeError) as error:
        raise TableError(
            f"{values.name} cannot be put in order", why=str(error), fix="use numbers, or dates like 2024-01-31"
        ) from error
