"""The bridge: a behaviour of the addition world as a tree over its features, whose fidelity is a claim."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from truescope.cli.main import main
from truescope.judge import Ledger
from truescope.pipelines import distil, rerun_claim
from truescope.pipelines.tables.distil import _balanced


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which "hundred" was distilled once."""
    home = tmp_path_factory.mktemp("distil") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUESCOPE_HOME", str(home))
        distil("hundred", n_controls=20)
    return home


def test_the_tree_agrees_with_the_model_and_says_what_it_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRUESCOPE_HOME", str(home))
    assert main(["distil", "hundred", "--n-controls", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (claim,) = found["claims"]
    fidelity = next(score for score in claim["scores"] if score["name"] == "fidelity")
    assert claim["status"] == "held" and claim["evidence_level"] == "E1"
    assert 0.75 < fidelity["low"] < fidelity["value"] < fidelity["high"] < 1 and fidelity["n"] == 5000
    assert "Exact tree of itself; approximate tree of the model" in found["headline"]
    # Features are named by what they depend on; the size of a sum is told by those that read its magnitude.
    assert all("magnitude" in sentence for sentence in found["words"])
    assert "approximate tree of the model" in Path(found["picture"]).read_text()
    statuses = [entry.kind for entry in Ledger(Path(found["ledger"])).entries()]
    assert len(statuses) == 2


@pytest.mark.slow
def test_the_claim_runs_again_from_its_entry(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUESCOPE_HOME", str(home))
    claim = distil("hundred", n_controls=20).record["claims"][0]["id"]
    again = rerun_claim(claim, record=False)
    assert again.reproduced and all(number.outcome == "equal" for number in again.numbers)


def test_fidelity_is_balanced_agreement() -> None:
    truth, told = np.array([1, 1, 1, 0, 0]), np.array([1, 0, 1, 0, 1])
    assert float(_balanced(2 * truth + told)) == pytest.approx((2 / 3 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cary"], "did you mean carry?"),
        (["carry", "--n-controls", "0"], "no verdict"),
        (["carry", "--seed", "-1"], "from 0 up"),
        (["carry", "--dictionary", "transcodr"], "did you mean transcoder?"),
    ],
)
def test_bad_calls(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distil", *words]) in (1, 2)
    shown = capsys.readouterr()
    assert says in shown.err and shown.out == ""
