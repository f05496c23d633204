"""Statuses and evidence levels from scores, and scores of answers from their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from truescope.core.claims import ControlResult, DosePoint, EvidenceLevel, Prediction, Score, Status
from truescope.core.errors import ClaimError
from truescope.judge import (
    SCORES,
    NumberTask,
    control_result,
    decide,
    evidence_level,
    meets,
    share_as_strong,
    token_numbers,
)

NEAR, LOST = Prediction("within_5", ">=", 0.99), Prediction("exact", "<=", 0.6)


def score(name: str, value: float, half: float = 0.001) -> Score:
    return Score(name, value, value - half, value + half, 5000)


def doses() -> list[DosePoint]:
    return [DosePoint(dose, score("within_5", value)) for dose, value in ((0.5, 0.2), (1.0, 0.6), (2.0, 0.9))]


def controls(n_won: int = 0) -> ControlResult:
    return ControlResult("random groups", 100, n_won, (score("exact", 0.9),))


@pytest.mark.parametrize(
    ("near", "exact", "n_won", "status", "n_reasons"),
    [
        (score("within_5", 0.995), score("exact", 0.5), 0, Status.HELD, 0),
        (score("within_5", 0.995), score("exact", 0.5), 1, Status.FAILED, 1),
        (score("within_5", 0.98), score("exact", 0.5), 0, Status.FAILED, 1),
        (score("within_5", 0.98), score("exact", 0.7), 0, Status.FAILED, 2),
        (score("within_5", 0.9895), score("exact", 0.5), 0, Status.UNDECIDED, 1),
        (score("within_5", 0.9895), score("exact", 0.7), 0, Status.FAILED, 2),
        (
            score("within_5", 0.991),
            score("exact", 0.599),
            0,
            Status.HELD,
            0,
        ),  # touching intervals are on the right side
    ],
)
def test_status(near: Score, exact: Score, n_won: int, status: Status, n_reasons: int):
    got, reasons = decide([NEAR, LOST], [near, exact], [controls(n_won)])
    assert got is status and len(reasons) == n_reasons


def test_nothing_is_decided_without_controls_predictions_or_scores():
    with pytest.raises(ClaimError, match="no verdict without a control"):
        decide([NEAR], [score("within_5", 1.0)], [])
    with pytest.raises(ClaimError, match="predicts nothing"):
        decide([], [score("within_5", 1.0)], [controls()])
    with pytest.raises(ClaimError, match="did you mean exact"):
        decide([Prediction("exat", ">=", 0.5)], [score("exact", 1.0)], [controls()])
    with pytest.raises(ClaimError, match="no control was run"):
        control_result("random groups", [NEAR], [], 1000)


def test_controls_are_summed_up_by_smallest_mean_and_largest():
    runs = [{"within_5": 1.0, "exact": 0.9}, {"within_5": 0.99, "exact": 0.6}, {"within_5": 0.5, "exact": 0.0}]
    result = control_result("random groups", [NEAR, LOST], runs, 1000)
    assert (result.n, result.n_won) == (3, 1)  # the second alone meets both, at the very thresholds
    exact = next(s for s in result.scores if s.name == "exact")
    assert (exact.value, exact.low, exact.high, exact.n) == (0.5, 0.0, 0.9, 1000)
    assert meets([NEAR, LOST], runs[1]) and not meets([NEAR, LOST], runs[2])
    assert share_as_strong([NEAR, LOST], {"within_5": 1.0, "exact": 0.6}, runs) == {"exact": 3 / 4}


def test_evidence_levels():
    both, strong, weak = [NEAR, LOST], {"exact": 1 / 101}, {"exact": 0.2}
    assert evidence_level(Status.HELD, "suppress", both, strong) is EvidenceLevel.E4
    assert evidence_level(Status.HELD, "suppress", both, weak) is EvidenceLevel.E1
    assert evidence_level(Status.HELD, "suppress", [LOST], strong) is EvidenceLevel.E1  # no collateral named
    assert evidence_level(Status.HELD, "suppress", [NEAR], {}) is EvidenceLevel.E1  # no effect named
    assert evidence_level(Status.HELD, "induce", [NEAR], strong, doses()) is EvidenceLevel.E3
    assert evidence_level(Status.HELD, "induce", [NEAR], strong) is EvidenceLevel.E1  # at one dose only
    assert evidence_level(Status.HELD, "induce", [NEAR], weak, doses()) is EvidenceLevel.E1
    assert evidence_level(Status.HELD, "observe", both, {}) is EvidenceLevel.E1
    for status in (Status.FAILED, Status.UNDECIDED):
        assert evidence_level(status, "suppress", both, strong) is EvidenceLevel.E1
    assert evidence_level(Status.NOT_TESTABLE, "suppress", both, {}) is EvidenceLevel.E0


def test_answers_are_scored_by_their_definition():
    numbers = token_numbers([*map(str, range(199)), " 7", "+", "<bos>", "١"])
    assert numbers[199] == 7 and np.isnan(numbers[200:]).all()
    task = NumberTask(torch.zeros(5, 2, dtype=torch.long), np.full(5, 95), numbers)
    outcomes = task.outcomes(np.array([95, 100, 101, 85, 200]))
    assert tuple(outcomes) == SCORES
    assert outcomes["exact"].tolist() == [1, 0, 0, 0, 0]
    assert outcomes["within_5"].tolist() == [1, 1, 0, 0, 0]
    assert outcomes["units_digit"].tolist() == [1, 0, 0, 1, 0]
    # An answer that is no number is as far off as 198, the farthest number, would be.
    assert outcomes["error"].tolist() == [0, 5, 6, 10, 103]
    scores = {s.name: s for s in task.scores(np.array([95, 100, 101, 85, 200]))}
    assert scores["exact"].value == 0.2 and scores["exact"].n == 5
    assert scores["exact"].low <= 0.2 <= scores["exact"].high
    assert scores["error"].value == pytest.approx(124 / 5)
    assert task.means(np.full(5, 95)) == {"exact": 1.0, "within_5": 1.0, "units_digit": 1.0, "error": 0.0}


def test_tasks_know_themselves():
    numbers = token_numbers(map(str, range(10)))
    task = NumberTask(torch.arange(8).reshape(4, 2), np.arange(4), numbers)
    assert task.hash == NumberTask(torch.arange(8).reshape(4, 2), np.arange(4), numbers).hash
    assert task.hash != NumberTask(torch.arange(8).reshape(4, 2), np.array([0, 1, 2, 4]), numbers).hash
    assert task.hash != task.rows(np.array([0, 1, 2])).hash and len(task.rows(np.array([2, 3]))) == 2
    with pytest.raises(ClaimError, match="no task"):
        NumberTask(torch.zeros(2, 2, dtype=torch.long), np.zeros(3, dtype=int), numbers)
    with pytest.raises(ClaimError, match="is a number"):
        NumberTask(torch.zeros(1, 2, dtype=torch.long), np.zeros(1, dtype=int), token_numbers(["a"]))
