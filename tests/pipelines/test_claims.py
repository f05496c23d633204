"""The ledger from the command line: claims are listed, exported, and run again from their entries alone."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from truescope.cli.main import main
from truescope.core.claims import Claim
from truescope.core.errors import ClaimError
from truescope.judge import Ledger, read_records
from truescope.pipelines.claims import RERUNS, compare_scores, rerun_claim
from truescope.pipelines.judge import judge
from truescope.store import Store
from truescope.truth.addition import ADDITION_FOLDER

PROMPTS = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(10, 40) for b in range(20, 40)]
NEEDLESS = {"text": "three neurons carry the answer", "units": ["1/0", "1/1", "1/2"], "predictions": ["exact <= 0.5"]}
WHOLE = {
    "text": "without a layer most answers are lost",
    "units": [f"1/{i}" for i in range(384)],
    "predictions": ["exact <= 0.5"],
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of two judged claims about the addition world, one failed and one not testable; the run is gone."""
    folder = tmp_path_factory.mktemp("judged")
    model = folder / "model"
    shutil.copytree(ADDITION_FOLDER, model)
    case = {"model": str(model), "prompts": PROMPTS, "claims": [NEEDLESS, WHOLE]}
    report = judge(case, store=Store.open(folder / "home"))
    kept = folder / "ledger.jsonl"
    shutil.copy(report.ledger, kept)
    shutil.rmtree(folder / "home")
    return kept


def ids(ledger: Path) -> dict[str, str]:
    return {record.status: record.id for record in read_records(Ledger(ledger).entries())}


def called(capsys: pytest.CaptureFixture[str], *words: Any) -> Any:
    status = main(["claims", *map(str, words), "--json"])
    assert status == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_claims_are_listed_failed_first_and_filtered(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = called(capsys, "list", "--ledger", ledger)
    assert [claim["status"] for claim in both["claims"]] == ["failed", "not_testable"] and both["n"] == 2
    assert both["claims"][0]["sentence"].startswith("The necessity of the group “group 1” for the exact answer was")
    for words, n in (("--type", "necessity"), 2), (("--status", "not_testable"), 1), (("--text", "MOST answers"), 1):
        assert len(called(capsys, "list", "--ledger", ledger, *words)["claims"]) == n
    for words, n in (("--level", "E4"), 0), (("--target", "group 1"), 1), (("--target", "1/383"), 1):
        assert len(called(capsys, "list", "--ledger", ledger, *words)["claims"]) == n
    assert main(["claims", "list", "--ledger", str(ledger)]) == 0
    shown = capsys.readouterr().out
    assert shown.index("✗ failed") < shown.index("– not testable") and "2 claims in" in shown
    assert main(["claims", "list"]) == 0
    assert "no claims yet" in capsys.readouterr().out


def test_an_entry_has_everything_that_was_stated_and_found(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = called(capsys, "show", ids(ledger)["failed"][:8], "--ledger", ledger)
    assert claim["target"]["model_hash"] and claim["population"]["data_hash"] and claim["population"]["n"] == 300
    assert claim["stated_by"]["versions"]["truescope"] and claim["judged_by"]["versions"]["torch"]
    for part in ("metric", "correction", "control", "controls", "seeds", "assumptions", "threats", "scope", "scores"):
        assert claim[part], part
    assert {"name", "value", "low", "high", "n"} == set(claim["scores"][0])
    assert claim["procedure"]["verb"] == "judge"
    assert main(["claims", "show", ids(ledger)["failed"], "--ledger", str(ledger)]) == 0
    assert "run it again: truescope claims rerun" in capsys.readouterr().out


def test_exports_hold_the_same_numbers(ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = {}
    for format in ("json", "jsonl", "csv", "markdown"):
        assert main(["claims", "export", "--format", format, "--ledger", str(ledger)]) == 0
        texts[format] = capsys.readouterr().out
    whole = json.loads(texts["json"])["claims"]
    assert [json.loads(line) for line in texts["jsonl"].splitlines()] == whole
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert len(rows) == sum(len(claim["scores"]) for claim in whole)
    exact = next(s for s in whole[0]["scores"] if s["name"] == "exact")
    assert float(rows[0]["value"]) == exact["value"] and rows[0]["predicted"] == "<= 0.5"
    assert rows[0]["code_version"] and rows[0]["model_hash"] and int(rows[0]["n_controls"]) == 100
    assert texts["markdown"].index("## Failed") < texts["markdown"].index("## Not testable")
    out = tmp_path / "claims.csv"
    said = called(capsys, "export", "--format", "csv", "--out", out, "--ledger", ledger)
    assert out.read_text() == texts["csv"] and said["bytes"] == len(texts["csv"].encode())


def test_another_process_with_the_ledger_alone_runs_a_claim_again(ledger: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere" / "ledger.jsonl"
    alone.parent.mkdir()
    shutil.copy(ledger, alone)
    command = [sys.executable, "-m", "truescope", "claims", "rerun", ids(ledger)["failed"], "--ledger", str(alone)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TRUESCOPE_HOME": str(tmp_path / "empty")}
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, cwd=alone.parent)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["reproduced"] and found["status"] == {"before": "failed", "now": "failed"} and found["recorded"]
    assert {number["outcome"] for number in found["numbers"]} == {"equal"}
    last = Ledger(alone).entries()[-1]
    assert last.claim_id == found["id"] and last.provenance["rerun_of"]
    assert len(Ledger(alone).entries()) == len(Ledger(ledger).entries()) + 1


def test_a_model_that_moved_is_named_and_one_that_changed_is_refused(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved"
    original = ledger.parent / "model"
    shutil.copytree(original, moved)
    found = rerun_claim(ids(ledger)["failed"], ledger=ledger, model=moved, record=False)
    assert found.reproduced and not found.recorded

    from safetensors.torch import load_file, save_file

    weights = next(moved.glob("*.safetensors"))
    tensors = load_file(weights)
    name = next(name for name in tensors if "down_proj" in name)
    tensors[name] = tensors[name] + 1e-3
    save_file(tensors, weights, metadata={"format": "pt"})
    words = ["claims", "rerun", ids(ledger)["failed"], "--ledger", str(ledger), "--model", str(moved)]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "is not the model that the claim was stated for" in said and "--model" in said and "Traceback" not in said
    assert main([*words[:-1], str(tmp_path / "gone")]) == 1
    assert "gone" in capsys.readouterr().err


def test_other_outcomes_and_numbers_are_no_reproduction(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rerun would give if the model answered otherwise: the status differs, or a number leaves its interval."""
    module, _, name = RERUNS["judge"].partition(":")
    record = next(r for r in read_records(Ledger(ledger).entries()) if r.status == "failed")
    honest = rerun_claim(record.id, ledger=ledger, record=False).verdict
    exact = next(s for s in honest.scores if s.name == "exact")
    inside, outside = replace(exact, value=exact.low), replace(exact, value=exact.low - 0.01)

    def with_score(score: Any) -> Any:
        return replace(honest, scores=tuple(score if s.name == "exact" else s for s in honest.scores))

    for score, expected in ((inside, "within"), (outside, "outside")):
        monkeypatch.setattr(import_module(module), name, lambda *a, score=score, **k: with_score(score))
        found = rerun_claim(record.id, ledger=ledger, record=False)
        assert {n.name: n.outcome for n in found.numbers}["exact"] == expected
        assert found.reproduced == (expected == "within")
    assert record.verdict is not None
    missing = compare_scores(record.verdict.body["scores"], replace(honest, scores=honest.scores[1:]))
    assert [number.outcome for number in missing].count("missing") == 1


def test_entries_that_cannot_be_run_again_say_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    stated = Claim.from_json(
        {
            "text": "t",
            "predictions": [{"score": "auc", "relation": ">=", "threshold": 0.5}],
            "control": {"name": "shuffled labels", "matched_on": [], "n": 10, "seed": 0},
            "target": {},
            "population": {},
        }
    )
    ledger.state(stated)
    with pytest.raises(ClaimError, match="never judged"):
        rerun_claim(stated.id, ledger=ledger.path)
    assert main(["claims", "rerun", "zzz", "--ledger", str(ledger.path)]) == 2
    assert main(["claims", "list", "--ledger", str(tmp_path / "none.jsonl")]) == 2
    assert main(["claims", "list", "--status", "hold", "--ledger", str(ledger.path)]) == 2
    said = capsys.readouterr().err
    assert "there is no claim" in said and "there is no ledger" in said and "held" in said
    assert main(["claims", "export", "--format", "cvs", "--ledger", str(ledger.path)]) == 2
    assert "csv" in capsys.readouterr().err
    ledger.path.write_text(ledger.path.read_text().replace("shuffled", "shovelled"))
    assert main(["claims", "list", "--ledger", str(ledger.path)]) == 1
    assert "was changed after it was stated" in capsys.readouterr().err


def test_every_verb_of_the_table_is_a_function() -> None:
    for path in RERUNS.values():
        module, _, name = path.partition(":")
        assert callable(getattr(import_module(module), name))
