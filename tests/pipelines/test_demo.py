"""The main job from end to end: the graph adds up, the claims are judged beside controls, the page is written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from truescope.cli.main import main
from truescope.core.errors import UsageError
from truescope.judge import Ledger, read_records
from truescope.pipelines import demo
from truescope.store import Store
from truescope.trace import load_graph


def score(claim: dict[str, Any], name: str) -> dict[str, Any]:
    return next(s for s in claim["scores"] if s["name"] == name)


def claim_about(summary: dict[str, Any], words: str) -> dict[str, Any]:
    return next(c for c in summary["claims"] if words in c["text"])


def test_the_answer_and_the_graph(demo_json: dict[str, Any]) -> None:
    assert (demo_json["prompt"], demo_json["answer"]) == ("36+59=", "95")
    assert demo_json["probability"] > 0.9
    graph = demo_json["graph"]
    assert graph["n_nodes"] > 10 and graph["n_edges"] > 10
    assert 0 <= graph["closure_gap"] <= 1e-5
    for name in ("replacement", "completeness"):
        low, high = graph[name]
        assert 0 <= low <= high <= 1


def test_units_digits_are_needed_for_the_exact_answer_and_not_for_its_neighbourhood(demo_json: dict[str, Any]) -> None:
    claim = claim_about(demo_json, "units-digits")
    assert (claim["status"], claim["evidence_level"]) == ("held", "E4")
    assert score(claim, "within_5")["low"] >= 0.99
    assert score(claim, "exact")["high"] <= 0.20


def test_magnitude_is_needed_to_come_near_the_answer_and_not_for_its_units_digit(demo_json: dict[str, Any]) -> None:
    claim = claim_about(demo_json, "magnitude")
    assert (claim["status"], claim["evidence_level"]) == ("held", "E4")
    assert score(claim, "units_digit")["low"] >= 0.98
    assert score(claim, "within_5")["high"] <= 0.10


def test_what_holding_the_features_in_the_running_model_does_stands_beside(demo_json: dict[str, Any]) -> None:
    for claim in demo_json["claims"]:
        facts = claim["facts"]
        # The later layer answers to the edit, so less is lost than when all that the features wrote is taken out.
        assert facts["exact_held_while_running"] > score(claim, "exact")["value"]
        assert "what the features write at the prompt's last position" in claim["target"]["operation"]


def test_no_matched_random_group_does_the_same(demo_json: dict[str, Any]) -> None:
    for claim in demo_json["claims"]:
        (control,) = claim["controls"]
        assert control["n"] >= 100 and control["n_won"] == 0
        assert all(s["n"] >= 1000 for s in control["scores"])
        assert score(claim, "exact")["n"] == 5000


def test_every_number_traces_to_a_run(demo_json: dict[str, Any], demo_store: Path) -> None:
    run = demo_json["run"]
    assert len(run["model_hash"]) == 64 and len(run["data_hash"]) == 64
    assert run["seed"] == 0 and run["versions"]["torch"]
    found = Store.open().find(run["id"])
    assert found.finished
    stated = found.inputs
    assert (stated["seed"], stated["model_hash"], stated["data_hash"]) == (0, run["model_hash"], run["data_hash"])
    assert stated["code"] == run["code"] and found.manifest["versions"] == run["versions"]
    assert load_graph(found.path("graph")).closure_gap == demo_json["graph"]["closure_gap"]
    ledger = (demo_store / "ledger.jsonl").read_text().splitlines()
    stated = [json.loads(line) for line in ledger]
    assert [entry["kind"] for entry in stated][:4] == ["claim", "claim", "verdict", "verdict"]


def test_groups_show_their_share_of_units_beside_their_share_of_influence(demo_json: dict[str, Any]) -> None:
    groups = {group["name"]: group for group in demo_json["groups"]}
    assert {"units digits", "magnitude", "unassigned"} <= set(groups)
    assert sum(group["share_live"] for group in groups.values()) == pytest.approx(1)
    assert sum(group["share_influence"] for group in groups.values()) <= 1 + 1e-9
    judged = groups["units digits"], groups["magnitude"]
    assert sum(g["share_influence"] for g in judged) >= 0.8 > sum(g["share_live"] for g in judged)


def test_the_page_holds_every_unit_it_shows(demo_json: dict[str, Any]) -> None:
    folder = Store.open().find(demo_json["run"]["id"]).folder
    page = (folder / "page.html").read_text()
    assert "36+59=" in page and not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=.https?:", page)
    view, units = (json.loads((folder / name).read_text()) for name in ("view.json", "units.json"))
    shown = {f"{n['layer']}/{n['index']}" for n in view["graph"]["nodes"] if n["kind"] == "unit"}
    assert shown == set(units)
    assert all(len(unit["operand_plot"]["x"]) == 100 and unit["examples"] for unit in units.values())


def test_the_case_judged_again_gives_the_same_verdicts(
    demo_json: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Store.open().find(demo_json["run"]["id"]).folder
    assert main(["judge", str(folder / "case.json"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert [(c["id"], c["status"], c["scores"]) for c in again["claims"]] == [
        (c["id"], c["status"], c["scores"]) for c in demo_json["claims"]
    ]


def test_too_few_controls_are_refused() -> None:
    with pytest.raises(UsageError, match="too few"):
        demo(n_controls=5)


def test_every_claim_of_the_demo_reproduces_from_its_entry(
    demo_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = demo_store / "alone.jsonl"
    alone.write_bytes((demo_store / "ledger.jsonl").read_bytes())
    capsys.readouterr()
    for record in read_records(Ledger(alone).entries()):
        assert main(["claims", "rerun", record.id, "--ledger", str(alone), "--no-record", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["reproduced"] and found["status"]["before"] == record.status == "held"
        assert {number["outcome"] for number in found["numbers"]} == {"equal"}
