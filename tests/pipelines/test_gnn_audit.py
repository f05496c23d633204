"""The audit's verdict: a claim falls where a feature that the model does not use is ranked as high."""

from __future__ import annotations

from typing import Any

import pytest

from truescope.gnn import Dose
from truescope.pipelines.graphs.audit import _claim, _verdict

FACTS = {"subject": "a network", "matched": ["town", "school"], "graph": "hash", "answers": "hash"}


def dose(strength: float, area: float, matched: tuple[float, ...] = ()) -> Dose:
    n_named = 50 if area > 0.9 else 0
    return Dose("by_hand", strength, area, area - 0.02, min(1.0, area + 0.02), 0.5, n_named, matched, 50)


@pytest.mark.parametrize(
    ("unplanted", "matched", "status", "n_won"),
    [
        (0.1, (0.1, 0.2), "held", 0),
        (0.1, (0.1, 0.95), "failed", 1),  # only a matched one is ranked as high, and it is not used either
        (0.95, (0.1, 0.2), "failed", 1),
        (0.1, (), "held", 0),
    ],
)
def test_what_is_not_used_and_is_ranked_as_high_fells_the_claim(
    unplanted: float, matched: tuple[float, ...], status: str, n_won: int
) -> None:
    how: dict[str, Any] = {"kind": "gcn", "n_nodes": 50, "seed": 0}
    claim = _claim("by_hand", "gender", FACTS, how, 1.0)
    assert claim.control.n == 3 and claim.control.sort == "matched_random"
    verdict = _verdict(claim, [dose(0.0, unplanted), dose(1.0, 0.97, matched)])
    (control,) = verdict.controls
    assert (verdict.status, control.n_won, control.n) == (status, n_won, 1 + len(matched))
    told = " ".join(verdict.notes)
    assert ("'school' (0.95)" in told) is (matched == (0.1, 0.95)) and ("not planted' (0.95)" in told) is (
        unplanted == 0.95
    )
    assert ("could not be ranked" in told) is (not matched)
