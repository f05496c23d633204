"""Splits: what they promise, on tables of every shape."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from truescope.core.errors import TableError, UsageError
from truescope.tabular import Table
from truescope.tabular.compare import make_splits


def table(n: int = 120, n_positive: int = 40, groups: int = 12) -> Table:
    rng = np.random.default_rng(1)
    positive = np.zeros(n, dtype=int)
    positive[rng.choice(n, n_positive, replace=False)] = 1
    made = pd.DataFrame({"x": rng.normal(size=n), "g": [f"g{i % groups}" for i in range(n)], "y": positive})
    return Table.of(made.assign(t=rng.permutation(np.arange(n) // 4)), "y", group="g", time="t")


def test_stratified_splits_part_the_rows_and_keep_the_base_rate() -> None:
    found = make_splits(table(), repeats=3, folds=5, seed=7)
    assert [(s.repeat, s.fold) for s in found] == [(r, f) for r in range(3) for f in range(5)]
    for repeat in range(3):
        tests = np.concatenate([s.test for s in found if s.repeat == repeat])
        assert sorted(tests.tolist()) == list(range(120))
    for split in found:
        assert not set(split.train) & set(split.test) and len(split.train) + len(split.test) == 120
        assert table().positive[split.test].sum() == 8
    assert not np.array_equal(found[0].test, found[5].test)
    again = make_splits(table(), repeats=3, folds=5, seed=7)
    assert all(np.array_equal(a.test, b.test) for a, b in zip(found, again, strict=True))


def test_grouped_splits_never_part_a_group() -> None:
    made = table()
    assert made.groups is not None
    for split in make_splits(made, "grouped", repeats=2, folds=4):
        assert not set(made.groups[split.train]) & set(made.groups[split.test])


def test_temporal_splits_learn_from_the_past_only() -> None:
    made = table()
    assert made.times is not None
    found = make_splits(made, "temporal", repeats=9, folds=5)
    assert len(found) == 5 and {split.repeat for split in found} == {0}
    for split in found:
        assert made.times[split.train].max() < made.times[split.test].min()
    assert found[-1].test.tolist() and made.times[found[-1].test].max() == made.times.max()
    sizes = [len(split.test) for split in found]
    assert max(sizes) - min(sizes) <= 4


@pytest.mark.parametrize(
    ("made", "arguments", "error", "says"),
    [
        (table(), {"kind": "stratifed"}, UsageError, "did you mean stratified"),
        (table(), {"folds": 1}, UsageError, "too few"),
        (table(n_positive=4), {"folds": 10}, TableError, "--folds 4"),
        (table(groups=3), {"kind": "grouped", "folds": 5}, TableError, "3 groups"),
        (table(), {"kind": "temporal", "folds": 60}, TableError, "moments"),
    ],
)
def test_splits_that_cannot_be_made(made: Table, arguments: dict, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        make_splits(made, **arguments)


def test_splits_need_their_column() -> None:
    plain = Table.of(pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40) % 2}), "y")
    for kind, flag in (("grouped", "--group"), ("temporal", "--time")):
        with pytest.raises(UsageError, match=flag):
            make_splits(plain, kind)
