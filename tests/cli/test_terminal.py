"""What a person sees: failing claims first, every score beside its interval and controls, nobody's markup obeyed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from truescope.cli.terminal import TerminalWatcher, print_claims, print_facts, stdout_console

STATUSES = ("held", "not_testable", "failed", "undecided")


def claim(status: str, n: int = 0) -> dict[str, Any]:
    score = {"name": "exact", "value": 0.5, "low": 0.4, "high": 0.6, "n": 5000}
    control = {"name": "random groups", "n": 100, "n_won": 0, "scores": [{**score, "low": 0.8, "high": 0.9, "n": 1000}]}
    return {
        "text": f"claim {n} [bold] that {status}",
        "status": status,
        "evidence_level": "E1",
        "scores": [score],
        "controls": [control],
        "notes": [],
    }


@pytest.mark.parametrize("order", list(itertools.permutations(STATUSES)))
def test_what_failed_stands_first_and_what_held_last(
    order: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    print_claims([claim(status) for status in order])
    shown = capsys.readouterr().out
    places = [shown.index(f"that {status}") for status in ("failed", "undecided", "not_testable", "held")]
    assert places == sorted(places)


def test_claims_of_one_status_keep_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    print_claims([claim("held", 1), claim("failed", 2), claim("held", 3), claim("failed", 4)])
    shown = capsys.readouterr().out
    places = [shown.index(f"claim {n} ") for n in (2, 4, 1, 3)]
    assert places == sorted(places)


def test_a_score_stands_beside_its_interval_its_n_and_its_controls(capsys: pytest.CaptureFixture[str]) -> None:
    print_claims([claim("held")])
    shown = capsys.readouterr().out
    assert "0.5000  [0.4000, 0.6000]  n=5000   100 random groups: 0.8000 … 0.9000" in shown
    assert "claim 0 [bold] that held" in shown


def test_a_prompt_is_shown_as_it_is_and_not_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = TerminalWatcher()
    with watcher.stage("trace") as said:
        said["text"] = "Traced '[/red] [bold]x'"
    watcher.note("waiting for [/bold]")
    print_facts({"a_name": "[/dim]"})
    printed = capsys.readouterr()
    assert "Traced '[/red] [bold]x' in 0.0 s" in printed.err and "waiting for [/bold]" in printed.err
    assert "a name: [/dim]" in printed.out


def test_under_json_receipts_are_silent_and_notes_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = TerminalWatcher(quiet=True)
    with watcher.stage("trace") as said:
        said["text"] = "Traced it"
    watcher.progress("trace", 5, 10)
    watcher.note("another process works on this run")
    printed = capsys.readouterr()
    assert printed.err.strip() == "another process works on this run" and printed.out == ""


def test_a_name_between_colons_is_no_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalWatcher() as watcher:
        watcher.note("Loaded mine.py:ok: 30 nodes")
    stdout_console().print("mine.py:ok: 30 nodes")
    said = capsys.readouterr()
    assert "mine.py:ok: 30" in said.err and "mine.py:ok: 30" in said.out
