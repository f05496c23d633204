"""`truescope tree`: the published tree from the command line, its pictures, and what is said of bad calls."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from truescope.cli.main import main
from truescope.pipelines import tree


@pytest.fixture
def tables(real_data: Path) -> Path:
    return real_data / "tabular"


def test_the_heart_tree_with_its_test_cases(tables: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    card = tmp_path / "card.html"
    call = ["tree", str(tables / "heart.train.csv"), "--target", "diagnosis", "--test", str(tables / "heart.test.csv")]
    assert main([*call, "--out", str(card), "--what", "card", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["words"][0] == "If thal = {rd,fd}, decide True."
    assert [found["held_out"][key] for key in ("hi", "fa", "mi", "cr")] == [64, 19, 9, 61]
    low, high = found["held_out"]["intervals"]["sens"]
    assert low < 64 / 73 < high
    assert (found["table"]["n_learned"], found["table"]["n_held_out"]) == (150, 153)
    assert len(found["trees"]) == 7 and found["run"]["commit"]
    assert "If thal = {rd,fd}, decide True." in card.read_text()
    for picture in (found["picture"], found["card"]):
        assert ET.parse(picture).getroot().tag.endswith("svg")
    assert main(call) == 0
    shown = capsys.readouterr()
    assert "fitted on 150" in shown.out and "held out 153" in shown.out and "Grew 7 trees" in shown.err


def test_words_only_and_words_in(tables: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    call = ["tree", str(tables / "titanic.csv"), "--target", "survived"]
    assert main([*call, "--words"]) == 0
    words = capsys.readouterr().out
    assert words.splitlines()[0] == "If sex = {female}, decide True."
    file = tmp_path / "tree.txt"
    file.write_text(words)
    assert main([*call, "--from-words", str(file), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert "\n".join(again["words"]) + "\n" == words
    assert again["learned"]["hi"] == 360


def test_costs_from_a_file(tables: Path) -> None:
    report = tree(
        tables / "heart.train.csv",
        "diagnosis",
        costs=tables / "heart.cost.csv",
        outcome_costs={"fa": 10, "mi": 20},
    )
    assert report.model.tree_.cues == ("cp", "sex", "age", "trestbps")
    assert report.record["learned"]["cost"] == pytest.approx(4.987, abs=5e-4)


def test_held_out_cases_take_no_part(tables: Path) -> None:
    report = tree(tables / "heartdisease.csv", "diagnosis", holdout=0.4, seed=1)
    about = report.record["table"]
    assert (about["n_learned"], about["n_held_out"]) == (181, 122)
    assert report.record["learned"]["n"] == 181 and report.record["held_out"]["n"] == 122
    again = tree(tables / "heartdisease.csv", "diagnosis", holdout=0.4, seed=1)
    assert again.record == report.record


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--target", "diagnosi"], 2, "did you mean diagnosis?"),
        ([], 2, "--target"),
        (["--target", "diagnosis", "--goal", "bac"], 1, "did you mean bacc"),
        (["--target", "diagnosis", "--what", "car"], 2, "did you mean card"),
        (["--target", "diagnosis", "--out", "x.png"], 2, ".svg or .html"),
        (["--target", "diagnosis", "--outcome-costs", "fa:3"], 2, "fa=10,mi=20"),
        (["--target", "diagnosis", "--from-words", "If thall > 3, decide True, otherwise, decide False."], 1, "thal"),
        (["--target", "diagnosis", "--holdout", "1.5"], 2, "from 0 to 1"),
        (["--target", "thal"], 1, "--positive"),
    ],
)
def test_bad_calls(words: list[str], status: int, says: str, tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tree", str(tables / "heart.train.csv"), *words]) == status
    shown = capsys.readouterr()
    assert says in shown.err and shown.out == "" and "Traceback" not in shown.err
