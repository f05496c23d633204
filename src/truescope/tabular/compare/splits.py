"""The splits that every model of a comparison shares: stratified, grouped, or in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from truescope.core.errors import TableError, UsageError, nearest
from truescope.tabular.tables import Table

SPLITS = ("stratified", "grouped", "temporal")
"""The kinds of splits by name."""


@dataclass(frozen=True, eq=False)
class Split:
    """One division of the rows: ``train`` and ``test`` are row numbers, and share none."""

    repeat: int
    fold: int
    train: Int[np.ndarray, " n_train"]
    test: Int[np.ndarray, " n_test"]


def make_splits(
    table: Table, kind: str = "stratified", *, repeats: int = 10, folds: int = 10, seed: int = 0
) -> tuple[Split, ...]:
    """``repeats`` × ``folds`` splits of the table.

    ``stratified``: the share of positives is that of the table in every fold. ``grouped``: rows of one group stay
    together. ``temporal``: the rows in order of time are cut into folds + 1 parts, and each is predicted from all that
    came before it; rows of one moment are never on both sides, and there is one repeat only.

    Raises:
        UsageError: an unknown kind, too few repeats or folds, or a table without the groups or times that it needs.
        TableError: a fold would have one class only.
    """
    if kind not in SPLITS:
        raise UsageError(f"there is no split {kind!r}", why=f"there are {', '.join(SPLITS)}", fix=nearest(kind, SPLITS))
    if folds < 2 or repeats < 1:
        raise UsageError(f"{repeats} repeats of {folds} folds are too few", fix="at least 1 repeat of 2 folds")
    if kind == "temporal":
        found = _temporal(table, folds)
    else:
        found = tuple(
            Split(repeat, fold, np.asarray(train), np.asarray(test))
            for repeat in range(repeats)
            for fold, (train, test) in enumerate(_one_repeat(table, kind, folds, seed + repeat))
        )
    for split in found:
        for part, rows in (("training", split.train), ("test", split.test)):
            if len(np.unique(table.positive[rows])) < 2:
                raise TableError(
                    f"the {part} rows of fold {split.fold + 1} have one class only",
                    why=f"{table.name} has {int(table.positive.sum())} positive rows of {len(table)}",
                    fix="take fewer folds",
                )
    return found


def _one_repeat(table: Table, kind: str, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rarer = int(min(table.positive.sum(), (~table.positive).sum()))
    if rarer < folds:
        raise TableError(
            f"the rarer class of {table.name} has {rarer} rows, too few for {folds} folds",
            fix=f"--folds {max(rarer, 2)}",
        )
    rows = np.zeros(len(table))
    if kind == "stratified":
        return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, table.positive))
    if table.groups is None:
        raise UsageError("grouped splits need groups", fix="name the column that holds them: --group COLUMN")
    if (n_groups := len(np.unique(table.groups))) < folds:
        raise TableError(f"{n_groups} groups are too few for {folds} folds", fix=f"--folds {max(n_groups, 2)}")
    return list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(rows, table.positive, table.groups))


def _temporal(table: Table, folds: int) -> tuple[Split, ...]:
    if table.times is None:
        raise UsageError("temporal splits need times", fix="name the column that holds them: --time COLUMN")
    moments, moment_of = np.unique(table.times, return_inverse=True)
    if len(moments) <= folds:
        raise TableError(f"{len(moments)} moments are too few for {folds} folds", fix="take fewer folds")
    # Cut between moments, at about equal numbers of rows.
    rows_up_to = np.cumsum(np.bincount(moment_of))
    wanted = len(table) * np.arange(1, folds + 1) / (folds + 1)
    cuts = [int(np.searchsorted(rows_up_to, n)) for n in wanted] + [len(moments) - 1]
    if len(set(cuts)) < len(cuts):
        raise TableError("one moment holds more than a fold's rows", fix="take fewer folds")
    return tuple(
        Split(0, fold, np.flatnonzero(moment_of <= end), np.flatnonzero((moment_of > end) & (moment_of <= after)))
        for fold, (end, after) in enumerate(pairwise(cuts))
    )
