"""What a person means by a table: a file, a data frame, a table read already, or one that is made on the spot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truescope.core.errors import UsageError, nearest

if TYPE_CHECKING:
    from truescope.tabular import Table


@contextmanager
def tabular() -> Iterator[None]:
    """Imports from the tabular room, which stands on an extra.

    Raises:
        UsageError: a package of the extra is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"tables need {error.name}", fix="pip install 'truescope[tabular]'") from error


def read_data(
    data: Any,
    target: str | None,
    *,
    positive: str | None = None,
    group: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    missing: Sequence[str] = (),
    seed: int = 0,
) -> Table:
    """The table that ``data`` means: see `truescope.pipelines.tables.compare`.

    Raises:
        UsageError, TableError: as their names say.
    """
    with tabular():
        import pandas as pd

        from truescope.tabular import GENERATED, Table, generated_table, read_table
    if isinstance(data, Table):
        return data
    if isinstance(data, str) and not Path(data).expanduser().exists():
        if data in GENERATED:
            return generated_table(data, seed=seed)
        if not Path(data).suffix:
            known = ", ".join(GENERATED)
            raise UsageError(
                f"there is no table {data!r}",
                why=f"it is no file, and generated are {known}",
                fix=nearest(data, GENERATED),
            )
    if target is None:
        raise UsageError("which column is to be predicted?", fix="name it with --target")
    if isinstance(data, pd.DataFrame):
        return Table.of(data, target, positive=positive, group=group, time=time, drop=drop)
    return read_table(data, target=target, positive=positive, group=group, time=time, drop=drop, missing=missing)
