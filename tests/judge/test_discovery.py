"""The judge is not fooled by nothing, and is not blind: labels and effects that are there are found."""

from __future__ import annotations

import numpy as np
import pytest

from truescope.core import ClaimError, ClaimType, DosePoint, EvidenceLevel, Score, Status, UsageError
from truescope.judge import (
    MOST_FALSE,
    WORLDS,
    Discovery,
    LabelledCases,
    effect_claim,
    false_discovery,
    judge_effect,
    judge_label,
    label_claim,
)


@pytest.mark.parametrize("world", WORLDS)
def test_claims_about_nothing_seldom_hold(world: str):
    (found,) = false_discovery([world], n_runs=120)
    assert found.n_runs == 120 and len(found.p_values) == 120
    assert found.n_held <= 8 and found.type_one <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 120)
    again = false_discovery([world], n_runs=5)[0]
    assert again.p_values.tolist() == found.p_values[:5].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_the_bound_of_a_thousand_runs_is_below_the_bar(world: str):
    (found,) = false_discovery([world], n_runs=1000, seed=1)
    assert found.bound <= MOST_FALSE and found.passed, found.to_json()


def test_a_judge_that_is_fooled_does_not_pass():
    uniform = np.linspace(0.001, 1.0, 1000)
    assert Discovery("w", 1000, 50, uniform, True, 0).passed
    assert not Discovery("w", 1000, 60, uniform, True, 0).passed  # upper bound .074
    assert not Discovery("w", 1000, 0, uniform**2, True, 0).passed
    assert not Discovery("w", 1000, 0, uniform**2, False, 0).passed  # type 1 is .22
    with pytest.raises(UsageError, match="no world"):
        false_discovery(["nowhere"])


def some_cases(area_shift: float, n: int = 200, seed: int = 0) -> LabelledCases:
    rng = np.random.default_rng(seed)
    labelled = np.arange(n) < n // 4
    return LabelledCases(np.maximum(rng.normal(size=n) + area_shift * labelled, 0.0), labelled)


def test_a_label_that_fits_is_found_and_says_how_well():
    cases = some_cases(2.0)
    claim = label_claim(cases, "dates", {"model_hash": "m", "features": ["3/17"]})
    verdict = judge_label(claim, cases)
    assert (verdict.status, verdict.evidence_level) == (Status.HELD, EvidenceLevel.E1)
    assert verdict.p_values["auroc"] == 1 / 1000 and verdict.controls[0].n_won == 0
    (score,) = verdict.scores
    active, silent = cases.activations[cases.labelled], cases.activations[~cases.labelled]
    by_pairs = (np.sign(active[:, None] - silent[None, :]) + 1).mean() / 2
    assert score.value == pytest.approx(by_pairs) and score.low < by_pairs < score.high
    assert verdict.sentence.startswith("The label “dates” separates where feature 3/17 is active: auroc")
    weak = judge_label(label_claim(some_cases(0.4), "dates", {}), some_cases(0.4))
    assert weak.status is Status.UNDECIDED  # it beats shuffles, and may lie on either side of 0.6


def test_labels_that_cannot_be_judged():
    cases = some_cases(1.0)
    one = LabelledCases(cases.activations, np.arange(200) == 0)
    assert judge_label(label_claim(one, "rare", {}), one).status is Status.NOT_TESTABLE
    with pytest.raises(ClaimError, match="other labels"):
        judge_label(label_claim(cases, "dates", {}), one)


def test_an_effect_is_found_and_gets_the_level_it_has_the_content_for():
    rng = np.random.default_rng(0)
    effects, controls = rng.normal(0.5, 1.0, size=200), rng.normal(0.0, 1.0, size=(100, 200))

    def claim(kind: ClaimType):
        return effect_claim("The direction raises it", {"direction": 1}, {"n": 200}, matched_on=("norm",), type=kind)

    kept = (Score("kept", 0.99, 0.98, 1.0, 200),)
    doses = [DosePoint(d, Score("effect", d / 3, 0.0, 1.0, 200)) for d in (1.0, 2.0, 3.0)]
    both = {"collateral": kept, "dose_response": doses}
    levels = {kind: judge_effect(claim(kind), effects, controls, **both).evidence_level.value for kind in
              (ClaimType.SUFFICIENCY, ClaimType.NECESSITY, ClaimType.RELIANCE)}  # fmt: skip
    assert list(levels.values()) == ["E3", "E4", "E4"]
    bare = judge_effect(claim(ClaimType.RELIANCE), effects, controls)
    assert (bare.status, bare.evidence_level) == (Status.HELD, EvidenceLevel.E1)
    assert bare.p_values["effect"] == 1 / 101
    stronger = judge_effect(claim(ClaimType.RELIANCE), effects, controls + 0.5)
    assert stronger.status is Status.FAILED and "do as much" in stronger.notes[0]
    clustered = judge_effect(claim(ClaimType.RELIANCE), effects, controls, clusters=np.arange(200) // 20)
    assert clustered.scores[0].value == bare.scores[0].value
    with pytest.raises(ClaimError, match="plans 100"):
        judge_effect(claim(ClaimType.RELIANCE), effects, controls[:50])
