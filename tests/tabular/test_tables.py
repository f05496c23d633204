"""Reading a table: every kind of bad input gets a sentence, and what is read is what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from truescope.core.errors import TableError, UsageError
from truescope.tabular import Kind, Table, read_table


def frame(n: int = 40, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    made: dict[str, object] = {"y": np.arange(n) % 2, "x": rng.normal(size=n)}
    return pd.DataFrame({**made, **columns})


def test_kinds_and_values_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = ["age;colour;smokes;visit;won"]
    rows += [f"{20 + i},5;{'red' if i % 3 else ''};{i % 4 == 0};2024-01-{i + 1:02d};{'ny'[i % 2]}" for i in range(20)]
    path.write_text("\n".join(rows).replace(",5", ".5"), encoding="utf-8")
    table = read_table(path, target="won")
    assert table.kinds == {
        "age": Kind.NUMERIC,
        "colour": Kind.CATEGORICAL,
        "smokes": Kind.CATEGORICAL,
        "visit": Kind.NUMERIC,
    }
    assert table.class_names == ("n", "y") and table.positive.tolist() == [bool(i % 2) for i in range(20)]
    assert table.cues["age"].tolist() == [20.5 + i for i in range(20)]
    assert table.cues["visit"].iloc[0] == (pd.Timestamp("2024-01-01") - pd.Timestamp(0)).days
    assert table.cues["colour"].isna().tolist().count(True) == 7 and set(table.cues["smokes"]) == {"True", "False"}
    assert any("visit is a date" in note for note in table.notes)


def test_a_positive_class_that_sorts_oddly_is_asked_for() -> None:
    odd = frame(y=np.where(np.arange(40) < 12, "sick", "healthy"))
    with pytest.raises(TableError, match="--positive"):
        Table.of(odd, "y")
    for positive, n in (("sick", 12), ("healthy", 28)):
        table = Table.of(odd, "y", positive=positive)
        assert table.positive.sum() == n and table.class_names[1] == positive
    assert Table.of(frame(y=np.arange(40) % 2 == 0), "y").positive[0]
    assert Table.of(frame(y=np.where(np.arange(40) < 5, 1.0, 0.0)), "y").positive.sum() == 5


def test_more_classes_are_one_against_the_rest() -> None:
    table = Table.of(frame(y=[("a", "b", "c")[i % 3] for i in range(40)]), "y", positive="b")
    assert table.positive.sum() == 13 and table.class_names == ("not b", "b") and "3 classes" in table.notes[0]


@pytest.mark.parametrize(
    ("columns", "arguments", "says"),
    [
        ({"y": 1}, {}, "'1' in every row"),
        ({"bad": [1.0, np.inf] * 20}, {}, "infinite in 20 rows"),
        ({"twin": [i % 2 for i in range(40)]}, {}, "twin is the target y under another name"),
        ({"twin": ["b" if i % 2 else "a" for i in range(40)]}, {}, "--drop twin"),
        ({}, {"positive": "2"}, "never '2'"),
        ({"x": 3}, {}, "no cue left"),
        ({"x": [[1]] * 40}, {}, "x holds list"),
        ({"x": [1 + 2j] * 40}, {}, "complex"),
        ({"g": [None] + ["a"] * 39}, {"group": "g"}, "1 rows have no g"),
        ({"t": ["soon"] * 40}, {"time": "t"}, "cannot be put in order"),
        ({"y": [None] * 35 + [0, 1, 0, 1, 0]}, {}, "5 rows"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(columns: dict, arguments: dict, says: str) -> None:
    with pytest.raises(TableError, match=says):
        Table.of(frame(**columns), "y", **arguments)


def test_names_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean target"):
        Table.of(frame().rename(columns={"y": "target"}), "tarket")
    with pytest.raises(UsageError, match="no column 'z'"):
        Table.of(frame(), "y", drop=["z"])
    with pytest.raises(UsageError, match="one part to play"):
        Table.of(frame(), "y", group="y")
    (tmp_path / "twice.csv").write_text("a,b,a,y\n" + "1,2,3,0\n2,3,4,1\n" * 10)
    with pytest.raises(TableError, match="two columns are called 'a'"):
        read_table(tmp_path / "twice.csv", target="y")
    with pytest.raises(UsageError, match="no table"):
        read_table(tmp_path / "none.csv", target="y")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(TableError, match="is no table"):
        read_table(tmp_path / "empty.csv", target="y")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(TableError, match="is no table"):
        read_table(tmp_path / "binary.csv", target="y")


def test_what_says_nothing_is_left_out_and_said() -> None:
    n = 200
    made = frame(
        n,
        same="a",
        empty=np.nan,
        again=np.random.default_rng(0).normal(size=n),
        person=[f"p{i}" for i in range(n)],
        gap=[None if i % 5 else "yes" for i in range(n)],
    )
    table = Table.of(made, "y")
    assert list(table.kinds) == ["x", "gap"]
    said = " / ".join(table.notes)
    for words in ("same is 'a' in every row", "empty is empty", "again repeats x", "person has 200 different words"):
        assert words in said


def test_ten_thousand_levels_are_read_quickly_and_said() -> None:
    n = 40_000
    made = frame(n, code=[f"c{i % 10_000}" for i in range(n)])
    table = Table.of(made, "y")
    assert table.kinds["code"] is Kind.CATEGORICAL and "10,000 levels" in table.notes[0]


def test_rows_without_a_target_are_left_out_and_groups_and_times_are_no_cues() -> None:
    made = frame(g=[f"p{i // 4}" for i in range(40)], t=pd.date_range("2020-01-01", periods=40)[::-1].astype(str))
    made["y"] = made["y"].astype(object)
    made.loc[3, "y"] = None
    table = Table.of(made, "y", group="g", time="t")
    assert len(table) == 39 and list(table.kinds) == ["x"] and "1 rows have no y" in table.notes[0]
    assert table.groups is not None and len(set(table.groups)) == 10
    assert table.times is not None and (np.diff(table.times) < 0).all()


def test_the_hash_is_of_what_is_learned_from() -> None:
    first, second = Table.of(frame(), "y"), Table.of(frame(), "y")
    assert first.hash == second.hash
    changed = frame()
    changed.loc[7, "x"] += 1e-9
    assert Table.of(changed, "y").hash != first.hash
    assert Table.of(frame().rename(columns={"x": "z"}), "y").hash != first.hash
    assert Table.of(frame(y=1 - frame()["y"]), "y").hash != first.hash


def test_words_for_missing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{'?' if i == 3 else i},{i % 2}\n" for i in range(20)))
    words = read_table(tmp_path / "t.csv", target="y")
    assert words.kinds == {} or "--missing" in " ".join(words.notes)
    numbers = read_table(tmp_path / "t.csv", target="y", missing=["?"])
    assert numbers.kinds == {"x": Kind.NUMERIC} and numbers.cues["x"].isna().tolist().count(True) == 1


@pytest.mark.parametrize(
    ("file", "target", "rows", "cues", "positives"),
    [
        ("heart.train", "diagnosis", 150, 13, 66),
        ("breastcancer", "diagnosis", 683, 9, 239),
        ("titanic", "survived", 2201, 3, 711),
        ("mushrooms", "poisonous", 8124, 21, 3916),
    ],
)
def test_real_tables(real_data: Path, file: str, target: str, rows: int, cues: int, positives: int) -> None:
    table = read_table(real_data / "tabular" / f"{file}.csv", target=target)
    assert (len(table), len(table.kinds), int(table.positive.sum())) == (rows, cues, positives)
