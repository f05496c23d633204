"""Experiments from a case file, on a compiled model whose path is known: the true one, wrong ones, and none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from busy_two_hop import case

from truescope.cli.main import main
from truescope.core.errors import ClaimError, UsageError
from truescope.judge import Ledger, read_records
from truescope.pipelines import judge, rerun_claim
from truescope.pipelines.cases import Case

SHARES = ["effect >= 0.5", "faithfulness >= 0.8", "completeness >= 0.8"]


def _experiments(groups: dict[str, list[str]]) -> list[dict[str, Any]]:
    both = groups["up"] + groups["down"]
    idle = groups["idle up"] + groups["idle"]
    path = {"ask": "path", "predictions": SHARES, "text": "The first hop implements the answer through these units"}
    return [
        {**path, "group": "hops", "from": groups["up"], "through": groups["down"]},
        {"group": "hops", "units": both, "text": "Setting both hops raises the donor's answer",
         "predictions": ["effect >= 0.5"]},
        {"ask": "necessity", "group": "hops", "units": both, "text": "Without both hops the answer is lost",
         "predictions": ["effect >= 0.25"]},
        {**path, "group": "wrong path", "from": groups["up"], "through": groups["idle"]},
        {"group": "idle", "units": idle, "text": "Setting idle units raises the donor's answer",
         "predictions": ["effect >= 0.1"]},
        {**path, "group": "no grounds", "from": groups["up"], "through": groups["down"][:1] + groups["idle"]},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, list[str]]]:
    return case(tmp_path_factory.mktemp("busy"))


def test_the_true_path_is_a_mechanism_and_wrong_ones_fail(known: tuple[dict[str, Any], dict[str, list[str]]]) -> None:
    record, groups = known
    report = judge({**record, "experiments": _experiments(groups), "n_pairs": 40})
    path, sufficient, needed, wrong, idle, bare = report.claims
    assert [c["evidence_level"] for c in report.claims] == ["E5", "E3", "E4", "E1", "E1", "E1"]
    assert [c["status"] for c in report.claims] == ["held", "held", "held", "failed", "failed", "failed"]
    assert path["rests_on"] == [sufficient["id"], needed["id"]] and "implements" in path["sentence"]
    assert {score["name"]: score["value"] for score in path["scores"]} == pytest.approx(
        {"effect": 1.0, "faithfulness": 1.0, "completeness": 1.0}, abs=1e-3
    )
    assert {s["name"]: abs(round(s["value"], 5)) for s in wrong["scores"][1:]} == {"faithfulness": 0, "completeness": 0}
    doses = [point["dose"] for point in sufficient["dose_response"]]
    assert doses == [0.25, 0.5, 0.75, 1.0] and needed["collateral"] == ["other_logits"]
    assert abs(idle["scores"][0]["value"]) < 1e-5 and "no held entry of E3 and E4" in " ".join(bare["notes"])

    records = {one.id: one for one in read_records(Ledger(report.ledger).entries())}
    assert records[path["id"]].claim.depends_on == (sufficient["id"], needed["id"])
    again = rerun_claim(path["id"], ledger=report.ledger)
    assert again.reproduced and again.verdict.evidence_level == "E5"
    assert rerun_claim(sufficient["id"], ledger=report.ledger, record=False).reproduced


def test_less_than_most_of_an_effect_is_no_mechanism(known: tuple[dict[str, Any], dict[str, list[str]]]) -> None:
    record, groups = known
    experiments = _experiments(groups)[:3]
    experiments[0]["predictions"] = ["effect >= 0.5", "faithfulness >= 0.5", "completeness >= 0.8"]
    path = judge({**record, "experiments": experiments, "n_pairs": 30}).claims[0]
    assert path["status"] == "held" and path["evidence_level"] == "E1"
    assert "predicts faithfulness >= 0.8" in " ".join(path["notes"])


def test_what_is_wrong_in_an_experiment_is_named(known: tuple[dict[str, Any], dict[str, list[str]]]) -> None:
    record, groups = known
    path, dose, *_ = _experiments(groups)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**dose, "ask": "dose-respons"}, "dose-response"),
        ({**dose, "doses": ["1"]}, "a list of numbers"),
        ({**dose, "predictions": ["effect <= 0.5"]}, "how large it is at least"),
        ({**dose, "predictions": ["efect >= 0.5"]}, "is no prediction"),
        ({**path, "units": groups["up"]}, "has no part 'units'"),
        ({name: part for name, part in path.items() if name != "through"}, "has no through"),
        ({**path, "positions": "first"}, "one of last, all"),
    ]
    for experiment, said in wrong:
        with pytest.raises((UsageError, ClaimError)) as caught:
            Case.read({**record, "experiments": [experiment]})
        assert said in f"{caught.value} {caught.value.why} {caught.value.fix}"
    for experiment, said in (
        ({**path, "from": groups["down"], "through": groups["up"]}, "later ones"),
        ({**dose, "units": ["0/999"]}, "was not measured"),
        ({**dose, "doses": [0.5, 1]}, "no doses of a dose-response"),
        ({**dose, "positions": "all"}, "last position"),
    ):
        with pytest.raises(ClaimError, match=r".") as refused:
            judge({**record, "experiments": [experiment], "n_pairs": 20})
        assert said in f"{refused.value} {refused.value.why}"


def test_the_command_runs_experiments(
    known: tuple[dict[str, Any], dict[str, list[str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, groups = known
    file = tmp_path / "case.json"
    experiment = {**_experiments(groups)[1], "controls": "directions", "positions": "all"}
    file.write_text(json.dumps({**record, "experiments": [experiment], "n_pairs": 20}))
    assert main(["judge", str(file), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["claims"]
    assert found["evidence_level"] == "E3" and found["controls"][0]["name"] == "random directions"
