"""A case of one's own: its parts are checked one by one, and a group that does nothing fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from truescope.cli.main import main

CLAIM = {"text": "three neurons", "units": ["1/0", "1/1", "1/2"], "predictions": ["exact <= 0.5"]}
PROMPTS = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(10, 40) for b in range(20, 40)]


def write(folder: Path, **parts: Any) -> str:
    path = folder / "case.json"
    path.write_text(json.dumps({"model": "addition", "prompts": PROMPTS, "claims": [CLAIM], **parts}))
    return str(path)


def test_a_group_that_is_not_needed_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", write(tmp_path), "--json"]) == 0
    (claim,) = json.loads(capsys.readouterr().out)["claims"]
    assert claim["status"] == "failed" and claim["controls"][0]["n"] == 100
    assert main(["judge", write(tmp_path), "--json", "--strict"]) == 1


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"claims": []}, 'needs "claims"'),
        ({"claims": [{**CLAIM, "units": ["one"]}]}, "claim 1 of the case is incomplete"),
        ({"claims": [{**CLAIM, "units": ["9/0"]}]}, "9/0"),
        ({"claims": [{**CLAIM, "predictions": ["exactly < 1"]}]}, "is no prediction"),
        ({"prompts": [{"prompt": "1+1="}]}, 'needs "prompts"'),
        ({"prompts": [{"prompt": "1+1="}, {"prompt": "1+2="}]}, "an answer"),
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
    (tmp_path / "broken.json").write_text("{")
    assert main(["judge", str(tmp_path / "broken.json")]) == 2
    said = capsys.readouterr().err
    assert "there is no case" in said and "is not JSON" in said


def test_groups_are_not_judged_on_prompts_that_they_were_found_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", write(tmp_path, grouping={"rule": "found"}), "--seed", "1"]) == 2
    assert "found on" in capsys.readouterr().err
