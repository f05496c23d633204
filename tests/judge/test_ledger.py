"""The ledger keeps what was stated, in order, and tells when a line was cut off or changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from truescope.core.claims import Claim, ControlPlan, ControlResult, EvidenceLevel, Prediction, Score, Status, Verdict
from truescope.core.errors import ClaimError, StoreError
from truescope.core.evidence import ClaimType
from truescope.judge import Ledger

CLAIM = Claim(
    text="the group is needed",
    predictions=(Prediction("exact", "<=", 0.6), Prediction("within_5", ">=", 0.9)),
    control=ControlPlan("random groups", ("layer",), 100, 0),
    target={"features": ["0/1"]},
    population={"n": 5000},
    type=ClaimType.NECESSITY,
)
SCORES = (Score("exact", 0.47, 0.45, 0.49, 5000), Score("within_5", 0.99, 0.98, 1.0, 5000))
VERDICT = Verdict(
    CLAIM,
    Status.HELD,
    EvidenceLevel.E4,
    SCORES,
    (ControlResult("random groups", 100, 0, SCORES),),
    facts={"n_units": 1},
    collateral=("within_5",),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "runs" / "ledger.jsonl")


def test_what_is_written_is_read_in_order(ledger: Ledger):
    assert ledger.entries() == []
    stated = ledger.state(CLAIM, {"seed": 3})
    judged = ledger.append(VERDICT, {"run": "abc"})
    assert Ledger(ledger.path).entries() == [stated, judged]
    assert [entry.kind for entry in ledger.entries()] == ["claim", "verdict"]
    assert stated.claim_id == judged.claim_id == CLAIM.id and stated.provenance["seed"] == 3
    assert stated.provenance["versions"]["truescope"]
    assert stated.body["text"] == CLAIM.text and judged.body["status"] == "held"
    assert judged.body["scores"][0]["value"] == 0.47 and judged.body["facts"] == {"n_units": 1}
    assert ledger.state(CLAIM) == stated and len(ledger.entries()) == 2
    ledger.append(VERDICT)
    assert len(ledger.entries()) == 3


def test_a_verdict_on_a_claim_that_was_not_stated_is_refused(ledger: Ledger):
    with pytest.raises(ClaimError, match="was not stated"):
        ledger.append(VERDICT)
    ledger.state(CLAIM)
    easier = replace(CLAIM, predictions=(Prediction("exact", "<=", 0.9),))
    with pytest.raises(ClaimError, match="was not stated"):
        ledger.append(replace(VERDICT, claim=easier))
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize("cut", [1, 30])
def test_a_line_cut_off_by_a_crash_is_no_entry_and_does_no_harm(ledger: Ledger, cut: int):
    ledger.state(CLAIM)
    ledger.append(VERDICT)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[:-cut])
    assert [entry.kind for entry in ledger.entries()] == ["claim"]
    ledger.append(VERDICT)
    assert [entry.kind for entry in ledger.entries()] == ["claim", "verdict"]


def test_changed_lines_are_found(ledger: Ledger):
    ledger.state(CLAIM)
    ledger.append(VERDICT)
    first, second = ledger.path.read_text().splitlines()

    ledger.path.write_text(first.replace("0.6", "0.9") + "\n" + second + "\n")
    with pytest.raises(ClaimError, match=r"line 1 .* was changed after it was stated"):
        ledger.entries()
    ledger.path.write_text(first + "\n" + second.replace('"held"', '"failed"') + "\n")
    with pytest.raises(StoreError, match=r"line 2 .* was changed after it was written"):
        ledger.entries()
    ledger.path.write_text(second + "\n")  # the line before was taken out
    with pytest.raises(StoreError, match=r"line 1 .* was changed"):
        ledger.append(VERDICT)
    ledger.path.write_text("no json\n" + first + "\n")
    with pytest.raises(StoreError, match=r"line 1 .* is damaged"):
        ledger.state(CLAIM)
    assert ledger.path.read_text().startswith("no json")


def test_a_full_disk_leaves_the_ledger_as_it_was(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    ledger.state(CLAIM)
    before = ledger.path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="cannot be written") as error:
            ledger.append(VERDICT)
        assert "No space left" in error.value.why
    assert ledger.path.read_bytes() == before
    ledger.append(VERDICT)
    assert len(ledger.entries()) == 2


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Ledger(tmp_path / "file" / "ledger.jsonl").state(CLAIM)
    with pytest.raises(StoreError, match="cannot be read"):
        Ledger(tmp_path).entries()


WRITER = """
import sys
from truescope.core.claims import Claim, ControlPlan
from truescope.judge import Ledger
for i in range(30):
    claim = Claim(f"{sys.argv[2]} {i}", (), ControlPlan("c", (), 1, 0), {}, {})
    Ledger(sys.argv[1]).state(claim)
"""


def test_two_processes_append_to_one_ledger(ledger: Ledger):
    command = [sys.executable, "-c", WRITER, str(ledger.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [subprocess.Popen([*command, name], env=environment) for name in ("one", "two")]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    texts = [entry.body["text"] for entry in ledger.entries()]
    assert len(texts) == 60 and len(set(texts)) == 60
    assert json.loads(ledger.path.read_text().splitlines()[-1])["previous"] == ledger.entries()[-2].id
