"""`truescope calibrate` from end to end, on one program and one chain: report, ledger, going on, and bad calls."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from importlib import import_module
from pathlib import Path

import pytest

from truescope.cli.main import main
from truescope.core.errors import UsageError
from truescope.judge import Ledger
from truescope.pipelines import calibrate, rerun_claim
from truescope.pipelines.calibration import cells

# The verb's function has its module's name.
verb = import_module("truescope.pipelines.calibrate")

TINY = cells.Size("tiny", 2, 0, 2, 1, 1, (2,), (1,), 2, 20)
GROUPS = ("named programs", "random weights", "collapse")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calibration of seconds: one program, two prompts, the dictionaries that need no training."""
    whole = cells.cells

    def few(size: cells.Size, seed: int) -> list[cells.Cell]:
        return [
            cell
            for cell in whole(size, seed)
            if cell.facts["group"] in GROUPS
            and cell.facts["norms"] == "identity"
            and cell.facts["program"] in ("copy_last", "chain_2")
            and not str(cell.facts["dictionary"]).startswith("trained")
        ]

    monkeypatch.setattr(verb, "QUICK", TINY)
    monkeypatch.setattr(verb, "cells", few)


def test_a_calibration_ends_as_a_page_and_as_claims(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = calibrate(quick=True, workers=1, out=tmp_path / "docs")
    page = (tmp_path / "docs/calibration.md").read_text(encoding="utf-8")
    titles = ("Edges", "Nodes", "Pruned graphs", "The collapse test", "Claims", "The run")
    for title in (f"## {name}" for name in titles):
        assert title in page
    assert "| frozen graph: direct effects | direct | 1.000 [1.000, 1.000] |" in page
    record = json.loads((tmp_path / "docs/calibration.json").read_text(encoding="utf-8"))
    assert record["facts"]["seed"] == 7
    assert all(one["low"] <= one["value"] + 1e-9 for one in record["summaries"])
    ET.parse(tmp_path / "docs/calibration.svg")
    verdicts = {claim["text"]: claim for claim in record["claims"]}
    first = verdicts["The frozen graph on the model's own neurons ranks true value edges above all others, and closes"]
    assert first["status"] == "held" and first["controls"][0]["n_won"] == 0

    entries = Ledger(report.ledger).entries()
    kinds = [entry.kind for entry in entries]
    assert kinds.index("verdict") == kinds.count("claim"), "a claim was stated after the first verdict"

    again = calibrate(quick=True, workers=1)
    assert len(Ledger(report.ledger).entries()) == len(entries)
    assert again.findings.record()["summaries"] == report.findings.record()["summaries"]


@pytest.mark.slow
def test_a_claim_is_run_again_from_its_entry(tiny: None) -> None:
    report = calibrate(quick=True, workers=1)
    first = next(v for v in report.findings.verdicts if v.claim.text.startswith("The frozen graph on the model"))
    result = rerun_claim(first.claim.id, ledger=report.ledger, record=False)
    assert result.reproduced
    assert [number.outcome for number in result.numbers] == ["equal", "equal"]


@pytest.mark.slow
def test_a_stopped_calibration_goes_on(tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    every, measured = verb.cells(TINY, 7), []
    whole = verb.measure_cell

    def until_the_third(key: str, size: cells.Size, seed: int) -> dict:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append(key)
        return whole(key, size, seed)

    monkeypatch.setattr(verb, "measure_cell", until_the_third)
    with pytest.raises(KeyboardInterrupt):
        calibrate(quick=True, workers=1)
    done = list(measured)
    monkeypatch.setattr(verb, "measure_cell", lambda key, size, seed: measured.append(key) or whole(key, size, seed))
    calibrate(quick=True, workers=1)
    assert measured[:3] == done and sorted(measured) == sorted(cell.key for cell in every)


def test_bad_calls_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="0 workers"):
        calibrate(workers=0)
    assert main(["calibrate", "--seed", "-1"]) == 2
    assert "give a seed from 0" in capsys.readouterr().err
    assert main(["calibrate", "--quik"]) == 2
