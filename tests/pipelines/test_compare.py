"""`compare`: a run that resumes, a claim that is stated first, a page that lets nothing in, and what a person sees."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from truescope.cli.main import main
from truescope.core.errors import UsageError
from truescope.judge import Ledger
from truescope.pipelines import compare
from truescope.tabular.compare import cells as cells_module

QUICK: dict[str, Any] = {"models": ["fft-ifan", "logistic", "tree", "hist-gradient-boosting"], "n_jobs": 1}
SMALL: dict[str, Any] = {**QUICK, "repeats": 1, "folds": 3, "n_shuffles": 2}


def table(n: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    x = rng.normal(size=n)
    kind = rng.choice(["a", "b", "c<script>"], size=n)
    p = 1 / (1 + np.exp(-(2 * x + (kind == "a"))))
    made = pd.DataFrame({"x": x, "kind": kind, "noise": rng.normal(size=n), "y": (rng.random(n) < p).astype(int)})
    made.loc[::17, "x"] = np.nan
    made.loc[::13, "kind"] = None
    return made


def test_a_claim_is_stated_before_a_model_is_fitted_and_judged_after(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    whole = cells_module.run_cell

    def watched(*arguments: Any) -> Any:
        from truescope.core.config import home

        seen.append([entry.kind for entry in Ledger(home() / "ledger.jsonl").entries()])
        return whole(*arguments)

    monkeypatch.setattr(cells_module, "run_cell", watched)
    report = compare(table(), "y", **SMALL)
    assert seen[0] == ["claim"] and len(seen) == 4 * 3 + 2 * 4 * 3
    entries = Ledger(report.ledger).entries()
    assert [entry.kind for entry in entries] == ["claim", "verdict"]
    claim = report.record["claims"][0]
    assert claim["type"] == "comparison" and claim["controls"][0]["n"] == 2
    assert claim["scores"][0]["value"] == pytest.approx(-report.record["best"]["points"] / 100)
    assert report.record["failed"] == {}


def test_a_run_that_was_stopped_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = []
    whole = cells_module.run_cell

    def stopping(model: str, *rest: Any) -> Any:
        if len(fitted) == 7:
            raise KeyboardInterrupt
        fitted.append(model)
        return whole(model, *rest)

    monkeypatch.setattr(cells_module, "run_cell", stopping)
    with pytest.raises(KeyboardInterrupt):
        compare(table(), "y", **SMALL)
    monkeypatch.setattr(cells_module, "run_cell", lambda *arguments: fitted.append("again") or whole(*arguments))
    resumed = compare(table(), "y", **SMALL)
    assert len(fitted) == 4 * 3 + 2 * 4 * 3
    fitted.clear()
    assert compare(table(), "y", **SMALL).record == resumed.record and fitted == []
    fresh = compare(table(), "y", **SMALL, fresh=True).record
    assert len(fitted) == 36
    for record in (fresh, resumed.record):
        for model in record["models"]:
            model.pop("seconds")
    assert fresh["models"] == resumed.record["models"] and fresh["best"] == resumed.record["best"]


def test_processes_give_the_same_numbers() -> None:
    one = compare(table(), "y", **SMALL).record
    two = compare(table(), "y", **{**SMALL, "n_jobs": 2}, fresh=True).record
    assert [m["measures"] for m in one["models"]] == [m["measures"] for m in two["models"]]


def test_everything_is_learned_inside_the_folds() -> None:
    """A level and a number that only test rows have must change nothing about what was learned."""
    from truescope.tabular import Table
    from truescope.tabular.compare import Plan, Split, run_cell

    made, plan = table(), Plan()
    made.loc[:79, "x"] = made.loc[:79, "x"].fillna(0.0)
    changed = made.copy()
    changed.loc[80:, "x"] = 1e6
    changed.loc[80:, "kind"] = "only in test"
    split = Split(0, 0, np.arange(80), np.arange(80, 240))
    for name in ("logistic", "tree", "random-forest", "hist-gradient-boosting", "fft-ifan"):
        first, second = (run_cell(name, Table.of(frame, "y"), split, plan) for frame in (made, changed))
        assert "error" not in first and "error" not in second, (first, second)
        assert first["threshold"] == second["threshold"]
        assert first["complexity"]["nodes"] == second["complexity"]["nodes"]


def test_the_page_needs_nothing_and_lets_nothing_in() -> None:
    page = compare(table(), "y", **SMALL).page.read_text()
    assert "default-src 'none'" in page and "<script" not in page
    assert "c&lt;script&gt;" in page
    assert not re.search(r'(?:src|href)=|url\((?!#)|style="', page)
    assert page.count("<svg") == page.count("aria-label") == 3 + 4


def test_one_kind_of_model_has_no_claim_and_says_so() -> None:
    report = compare(table(), "y", **{**SMALL, "models": ["logistic", "tree"]})
    assert report.record["claims"] == [] and "Only one kind" in report.headline
    assert not report.ledger.exists()


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["compare"], 2, "DATA"),
        (["compare", "none.csv", "--target", "y"], 2, "no table none.csv"),
        (["compare", "nonlinaer"], 2, "did you mean nonlinear"),
        (["compare", "one-cue", "--models", "ftt-ifan"], 2, "did you mean fft-ifan"),
        (["compare", "one-cue", "--goal", "bac"], 2, "did you mean bacc"),
        (["compare", "one-cue", "--splits", "grouped"], 2, "--group"),
        (["compare", "one-cue", "--rope", "-1"], 2, "rope"),
        (["compare", "one-cue", "--folds", "1"], 2, "too few"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(
    words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == status
    printed = capsys.readouterr()
    assert says in printed.err and printed.out == ""


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"truescope\[interpretable\]"):
        compare(table(), "y", models=["figs"])


def test_the_command_prints_json_or_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    words = ["compare", str(tmp_path / "t.csv"), "--target", "y", "--repeats", "1", "--folds", "3", "--jobs", "1"]
    words += ["--n-shuffles", "2", "--models", "logistic", "--models", "random-forest"]
    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["table"]["rows"] == 240 and record["claims"][0]["population"]["hash"] == record["table"]["hash"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert record["headline"] in " ".join(printed.out.split()) and "the page: file://" in printed.out
