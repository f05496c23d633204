"""A case of one's own: its parts are checked one by one, and a group that does nothing fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from truescope.cli.main import main
from truescope.store import Store

CLAIM = {"text": "three neurons", "units": ["1/0", "1/1", "1/2"], "predictions": ["exact <= 0.5"]}
PROMPTS = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(10, 40) for b in range(20, 40)]


def write(folder: Path, **parts: Any) -> str:
    path = folder / "case.json"
    path.write_text(json.dumps({"model": "addition", "prompts": PROMPTS, "claims": [CLAIM], **parts}))
    return str(path)


def test_a_group_that_is_not_needed_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", write(tmp_path), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    (claim,) = summary["claims"]
    assert claim["status"] == "failed" and claim["controls"][0]["n"] == 100
    assert main(["judge", write(tmp_path), "--json", "--strict"]) == 1


def test_every_verdict_traces_to_a_run_that_is_judged_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def judged(*words: str) -> dict[str, Any]:
        assert main(["judge", write(tmp_path), "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    first = judged()
    run = first["run"]
    assert run["seed"] == 0 and run["versions"]["torch"] and "commit" in run
    assert all(len(run[name]) == 64 for name in ("model_hash", "data_hash", "code"))
    assert Store.open().find(run["id"]).finished
    ledger = Path(first["ledger"])
    written = ledger.read_bytes()
    assert judged() == first and ledger.read_bytes() == written
    assert judged("--fresh")["claims"] == first["claims"] and ledger.read_bytes() != written
    assert judged("--seed", "1")["run"]["id"] != run["id"]
    assert main(["serve", run["id"]]) == 1
    assert "it is a run of judge" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"claims": []}, 'needs "claims"'),
        ({"claims": [{**CLAIM, "units": ["one"]}]}, "claim 1 of the case is incomplete"),
        ({"claims": [{**CLAIM, "units": ["9/0"]}]}, "9/0"),
        ({"claims": [{**CLAIM, "predictions": ["exactly < 1"]}]}, "is no prediction"),
        ({"prompts": [{"prompt": "1+1="}]}, 'needs "prompts"'),
        ({"prompts": [{"prompt": "1+1="}, {"prompt": "1+2="}]}, "an answer"),
        ({"prompts": "additoin"}, 'needs "prompts"'),
        ({"prompts": {"prompt": "1+1="}}, 'needs "prompts"'),
        ({"prompts": [1, 2]}, "prompt 1 of the case"),
        ({"prompts": [{"prompt": "1+1=", "answer": None}] * 2}, "answer of prompt 1"),
        ({"prompts": [{"prompt": ["1+1="], "answer": 2}] * 2}, "prompt of prompt 1"),
        ({"prompts": [{"prompt": "1+1=", "answer": "9" * 40}] * 2}, "too large"),
        ({"model": 3}, "model of a case is 3"),
        ({"dictionary": ["neurons"]}, "dictionary of a case"),
        ({"dictionary": "nuerons"}, "did you mean neurons?"),
        ({"seed": "many"}, "seed is 'many'"),
        ({"seed": True}, "seed is True"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 0.5}, "a whole number"),
        ({"n_controls": None}, "a JSON null"),
        ({"n_controls": 7}, "needs 100"),
        ({"n_control": 100}, "did you mean n_controls?"),
        ({"grouping": "mine"}, "grouping is 'mine'"),
        ({"claims": {"text": "one"}}, 'needs "claims"'),
        ({"claims": ["one"]}, "claim 1 of the case is 'one'"),
        ({"claims": [{**CLAIM, "units": "1/0"}]}, "units of claim 1"),
        ({"claims": [{**CLAIM, "units": [10]}]}, "units of claim 1"),
        ({"claims": [{**CLAIM, "units": ["1/-1"]}]}, "'1/-1' is no unit"),
        ({"claims": [{**CLAIM, "predictions": "exact <= 0.5"}]}, "predictions of claim 1"),
        ({"claims": [{**CLAIM, "predictions": ["exakt <= 0.5"]}]}, "did you mean exact?"),
        ({"claims": [{**CLAIM, "predictions": ["exact <= nan"]}]}, "threshold"),
        ({"claims": [{**CLAIM, "predictions": []}]}, "predicts nothing"),
        ({"claims": [{**CLAIM, "text": 5}]}, "text of claim 1"),
        ({"claims": [{"text": "no units", "predictions": ["exact <= 0.5"]}]}, "it has no units"),
        ({"prompts": [{"prompt": "1+1=", "answer": "2"}, {"prompt": "1+1+1=", "answer": "3"}]}, "tokens"),
        ({"prompts": [{"prompt": "1+1=", "answer": "2 3 ="}, {"prompt": "1+2=", "answer": "+ ="}]}, "not one token"),
    ],
)
def test_a_damaged_case_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], parts: dict[str, Any], says: str
) -> None:
    assert main(["judge", write(tmp_path, **parts)]) in (1, 2)
    assert says in capsys.readouterr().err


def test_an_absent_or_broken_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(tmp_path / "none.json")]) == 2
    assert "there is no case" in capsys.readouterr().err
    for content, says in ((b"{", "is not JSON"), (b"\xff{}", "is not JSON"), (b"[1]", "holds a JSON list")):
        (tmp_path / "broken.json").write_bytes(content)
        assert main(["judge", str(tmp_path / "broken.json")]) == 2
        assert says in capsys.readouterr().err


def test_groups_are_not_judged_on_prompts_that_they_were_found_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", write(tmp_path, grouping={"rule": "found"}), "--seed", "1"]) == 2
    assert "found on" in capsys.readouterr().err
