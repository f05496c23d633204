"""`explainers`: claims stated first, failed where the arithmetic says so, and run again from their entries."""

from __future__ import annotations

import json

import pytest

from truescope.cli.main import main
from truescope.judge import Ledger
from truescope.pipelines import compare, explainers, rerun_claim

QUICK = {"boxes": ["xor", "and"], "n_tables": 10}


def test_claims_hold_and_fail_as_the_arithmetic_says() -> None:
    report = explainers(["occlusion-zero", "occlusion-marginal", "random"], boxes=["xor", "and"])
    pairs = zip(report.record["audits"], report.record["claims"], strict=True)
    status = {(audit["explainer"], audit["box"]): claim["status"] for audit, claim in pairs}
    assert status == {
        ("occlusion-zero", "xor"): "failed",
        ("occlusion-zero", "and"): "failed",
        ("occlusion-marginal", "xor"): "held",
        ("occlusion-marginal", "and"): "failed",
        ("random", "xor"): "failed",
        ("random", "and"): "failed",
    }
    kinds = [entry.kind for entry in Ledger(report.ledger).entries()]
    assert kinds == ["claim"] * 6 + ["verdict"] * 6
    held = next(c for c in report.record["claims"] if c["status"] == "held")
    assert held["type"] == "faithfulness" and held["evidence_level"] == "E1" and "agrees with" in held["sentence"]
    assert held["controls"][0]["n_won"] == 0


def test_a_claim_about_an_explainer_is_run_again_from_its_entry() -> None:
    report = explainers(["occlusion-mean"], **QUICK)
    again = rerun_claim(report.record["claims"][0]["id"])
    assert again.reproduced and {number.outcome for number in again.numbers} == {"equal"}


def test_a_comparison_is_run_again_from_its_entry() -> None:
    report = compare(
        "one-cue", models=["fft-ifan", "tree", "random-forest"], repeats=1, folds=3, n_shuffles=2, n_jobs=1
    )
    again = rerun_claim(report.record["claims"][0]["id"])
    assert again.reproduced and {number.outcome for number in again.numbers} == {"equal"}


def test_what_a_model_learned_has_no_number_by_hand() -> None:
    report = explainers(["occlusion-marginal"], model="tree", **QUICK)
    assert all(audit["expected"] is None for audit in report.record["audits"])
    assert all("learned" in claim["text"] for claim in report.record["claims"])


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explainers", "occlusion-mean", "random", "--boxes", "gate", "--n-tables", "10"]
    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert len(record["audits"]) == len(record["claims"]) == 2
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "0.875" in printed and "failed" in printed
    assert main([*words, "--strict"]) == 1
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["explainers", "shp-zero"], "did you mean shap-zero"),
        (["explainers", "--boxes", "nand"], "did you mean and"),
        (["explainers", "--share", "1"], "between 0 and 1"),
        (["explainers", "--model", "forest"], "random-forest"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert says in capsys.readouterr().err
