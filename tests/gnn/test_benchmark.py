"""The benchmark's numbers, its verdicts, and what a report may hold."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from truescope.core.claims import Status
from truescope.core.errors import UsageError
from truescope.gnn.benchmark import (
    FINDINGS,
    Line,
    Measured,
    Results,
    judge_findings,
    line_chart,
    measure,
    published_cells,
    published_means,
    quick_cells,
    report_html,
    sweep,
)

FAST = ("deconvolution", "integrated_gradients", "published_lrp", "lrp_epsilon", "random", "oracle")


@pytest.fixture(scope="module")
def results() -> Results:
    cells = [c for c in quick_cells() if c.setting and (c.setting.p_positive != 0.5 or c.setting.false_value == 0)]
    cells = [c for c in cells if c.p_important == 0.5 or c.white_box != "neighborhood"]
    found = [m for one in sweep(cells, FAST, None, n_processes=1) for m in one]
    return Results(tuple(found))


def test_the_sweep_is_the_published_one() -> None:
    cells = published_cells()
    assert len(cells) == 18 * 4 * 3 and len({cell.id for cell in cells}) == len(cells)
    assert len(published_means()) > 150


def test_rows_hold_means_intervals_and_closed_forms(results: Results) -> None:
    rows = {(r["explainer"], r["white_box"], r["p_positive"], r["p_important"], r["false"]): r for r in results.rows()}
    local = rows["integrated_gradients", "local", 0.1, 0.5, 0.0]
    assert local["low"] <= local["mean"] <= local["high"] and local["n_graphs"] == 2
    assert local["expected"] == pytest.approx(0.55) and local["mean"] == pytest.approx(0.55, abs=0.02)
    assert rows["oracle", "two-hop", 0.5, 0.1, 0.0]["mean"] == 1.0
    assert rows["random", "local", 0.1, 0.5, -1.0]["mean"] == pytest.approx(0.5, abs=0.05)
    # No rule fires on Local as published, so no closed form of a relevance applies.
    assert rows["published_lrp", "local", 0.1, 0.5, 0.0]["expected"] is None


def test_findings_are_held_or_failed_with_their_reason(results: Results) -> None:
    able = [f for f in FINDINGS if {e for e, _ in f.samples.values()} <= set(FAST)]
    verdicts = judge_findings(results, {f.text: f.claim({}, 0) for f in able}, 0)
    by_word = {v.claim.text.split()[0]: v for v in verdicts}
    assert by_word["Deconvolution"].status is Status.HELD
    assert by_word["Integrated"].status is Status.HELD
    assert by_word["Layer-wise"].status is Status.FAILED
    assert "Explained" in by_word["Layer-wise"].notes[-1]
    assert all(v.controls[0].n_won == 0 for v in verdicts)


def test_pairs_are_of_the_same_nodes(results: Results) -> None:
    pairs = {(p["white_box"], p["first"], p["second"]): p for p in results.pairs(FAST[:3])}
    same = pairs["neighborhood", "integrated_gradients", "published_lrp"]
    assert same["difference"] == 0 and same["p_holm"] == 1
    apart = pairs["local", "deconvolution", "integrated_gradients"]
    assert apart["low"] > 0.2 and apart["p_holm"] < 0.01


def test_a_line_of_the_journal_comes_back() -> None:
    cell = quick_cells()[0]
    (one,) = measure(cell, ("deconvolution",), None)
    again = Measured.read(one.record(), cell)
    np.testing.assert_array_equal(again.area, one.area)
    assert again.applies.dtype == bool and (again.used == one.used).all()
    np.testing.assert_array_equal(again.arcs["local"], one.arcs["local"])
    with pytest.raises(UsageError, match="deconvolution"):
        measure(cell, ("deconvolutoin",), None)


def report_of(results: Results, rows: list[dict[str, Any]]) -> str:
    record = {
        "n_cells": 36,
        "explainers": list(results.explainers),
        "claims": [],
        "rows": rows,
        "comparisons": [],
        "arcs": list(results.arc_rows()),
        "arc_comparisons": [],
        "pairs": [],
        "run": {"id": "a<b", "seeds": "42, 43", "seconds": 1.0, "commit": None},
    }
    return report_html(record)


def test_the_report_loads_nothing(results: Results) -> None:
    page = report_of(results, list(results.rows()))
    assert "<h2>Arcs</h2>" in page and "a&lt;b" in page and page.count("<svg viewBox") > 6
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|<script", page)


def test_the_charts_reach_down_to_the_lowest_interval(results: Results) -> None:
    rows = list(results.rows())
    assert min(row["low"] for row in rows) > 0.4 and ">0.2</text>" not in _left_ticks(report_of(results, rows))
    low = [{**row, "mean": 0.28, "low": 0.25} if row["explainer"] == "random" else row for row in rows]
    assert ">0.2</text>" in _left_ticks(report_of(results, low))


def _left_ticks(page: str) -> str:
    return " ".join(re.findall(r'class="tick" text-anchor="end"(>[^<]+</text>)', page))


def test_points_keep_their_height_and_equal_ones_lie_side_by_side() -> None:
    """A point keeps its height, also far below chance; equal ones lie side by side."""
    line = [(0.1, 0.35, 0.3, 0.4), (0.5, 0.8, 0.75, 0.85)]
    chart = line_chart("", "x", "y", [Line("a", line, (), 0), Line("b", line, (), 1)], (0.3, 1.0), levels=[0.5, 2.0])
    assert re.findall(r'text-anchor="end">([^<]+)<', chart) == [f"{k / 10:g}" for k in range(3, 11)]
    assert chart.count('class="level"') == 1
    centres = [tuple(map(float, c)) for c in re.findall(r'<circle cx="([^"]+)" cy="([^"]+)"', chart)]
    (ax, ay), (bx, by) = centres[0], centres[2]
    assert len(set(centres)) == 4 and ay == by and 0 < bx - ax < 6
    heights = {k: float(y) for y, k in re.findall(r'y="([^"]+)" class="tick" text-anchor="end">([^<]+)<', chart)}
    at = heights["0.3"] + (heights["0.4"] - heights["0.3"]) / 2 - 3.5
    assert ay == pytest.approx(at, abs=0.2)
