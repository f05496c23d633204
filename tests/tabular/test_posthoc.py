"""Explainers on white boxes against what they must score by hand; and against the axioms where they promise them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from truescope.core.errors import UsageError
from truescope.tabular.posthoc import (
    EXPLAINERS,
    N_CUES,
    WHITE_BOXES,
    Question,
    ask,
    audit,
    axiom_checks,
    expected_area,
    explainers_named,
    learn,
    ranked,
    white_box,
)

HERE = [one.name for one in explainers_named(None, [])]


@pytest.mark.parametrize("box", WHITE_BOXES)
def test_the_used_cues_are_those_that_can_change_the_answer(box: str) -> None:
    """By flipping every cue of every case: the truth that all else here stands on."""
    every = np.array(list(itertools.product([0.0, 1.0], repeat=6)))
    cases = np.hstack([every, np.zeros((len(every), N_CUES - 6))])
    found = white_box(box)
    moved = np.zeros(N_CUES, dtype=bool)
    for cue in range(N_CUES):
        flipped = cases.copy()
        flipped[:, cue] = 1 - flipped[:, cue]
        changed = found.value(flipped) != found.value(cases)
        moved[cue] = changed.any()
        # What matters in a case is used in it.
        assert found.truth(cases)[changed, cue].all()
    assert (moved == found.used_cues).all()


@pytest.mark.parametrize("share", [0.5, 0.3, 0.8])
@pytest.mark.parametrize("box", WHITE_BOXES)
@pytest.mark.parametrize("name", [name for name in HERE if EXPLAINERS[name].per_case and not EXPLAINERS[name].package])
def test_areas_are_those_worked_out_by_hand(name: str, box: str, share: float) -> None:
    found = audit(white_box(box), EXPLAINERS[name], ask(white_box(box), share=share, n_cases=10, seed=1), share)
    assert found.expected is not None and found.n_not_applicable == 0
    spread = np.sqrt(0.25 / found.area.n)
    assert found.area.value == pytest.approx(found.expected, abs=4 * spread)
    if found.expected == 1.0:
        assert found.area.value == 1.0


@pytest.mark.parametrize("box", WHITE_BOXES)
def test_explainers_of_whole_tables(box: str) -> None:
    questions = ask(white_box(box), share=0.5, n_cases=1000, n_tables=12, seed=2)
    permuted = audit(white_box(box), EXPLAINERS["permutation"], questions[:4], 0.5)
    assert permuted.area.value == permuted.expected == 1.0
    associated = audit(white_box(box), EXPLAINERS["association"], questions, 0.5)
    assert associated.expected is not None
    assert associated.area.value == pytest.approx(associated.expected, abs=0.2 if box in ("xor", "gate") else 0.02)


def test_a_case_where_all_or_nothing_is_used_is_not_applicable() -> None:
    box = white_box("linear")
    cases = ask(box, n_tables=2, n_cases=10)
    all_used = type(box)("all", "sum", tuple(range(N_CUES)), lambda x: x.sum(axis=1))
    with pytest.raises(UsageError, match="nothing can be outranked"):
        audit(all_used, EXPLAINERS["occlusion-zero"], cases, None)


def test_what_differs_by_rounding_ties() -> None:
    scores = np.array([[1.0, -1.0 - 1e-15, 1e-17, 0.0], [0.0, 0.0, 0.0, 0.0]])
    found = ranked(scores)
    assert found[0, 0] == found[0, 1] and found[0, 2] == found[0, 3] == 0 and (found[1] == 0).all()


def test_a_model_that_learned_a_box_is_explained_less_well() -> None:
    """A boosted tree that learned XOR leans a little on every cue: no score is exactly 0, and ties turn into luck."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    box = white_box("xor")
    function = learn(box, HistGradientBoostingClassifier(max_iter=30), n=2_000, share=0.5, seed=0)
    questions = ask(box, n_tables=20, n_cases=10, function=function)
    learned = audit(box, EXPLAINERS["occlusion-marginal"], questions, None)
    assert learned.expected is None and learned.area.value > 0.95
    x = questions[0].cases
    assert np.corrcoef(function(x), box.value(x))[0, 1] > 0.95


@pytest.mark.parametrize(
    ("names", "says"), [(["oclusion-zero"], "did you mean occlusion-zero"), ([""], "no explainer")]
)
def test_unknown_names(names: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        explainers_named(names, [])
    with pytest.raises(UsageError, match="did you mean xor"):
        white_box("xro")
    with pytest.raises(UsageError, match="share"):
        white_box("xor").draw(10, 1.0, np.random.default_rng(0))


def broken(name: str, n_cases: int) -> set[str]:
    return {check.axiom for check in axiom_checks(EXPLAINERS[name], n_cases=n_cases) if not check.passed}


def test_occlusion_keeps_every_axiom_but_completeness() -> None:
    """It misses what two cues do together; and a cue at its baseline's value gets 0, though the model reads it."""
    assert broken("occlusion-marginal", 8) == {"completeness", "zero-value detection"}
    (check,) = axiom_checks(EXPLAINERS["occlusion-marginal"], axioms=["completeness"], n_cases=40)
    assert check.counterexample is not None and check.counterexample.n_parts <= 2


def test_random_scores_break_what_can_be_broken() -> None:
    assert {"completeness", "null player", "symmetry", "sensitivity b"} <= broken("random", 5)


@pytest.mark.slow
def test_shapley_values_keep_every_axiom_that_they_promise() -> None:
    pytest.importorskip("shap", reason="the extra interpretable is not installed")
    assert broken("shap-marginal", 20) == {"zero-value detection"}


def shapley_by_definition(question: Question) -> np.ndarray:
    """All orders of the cues: φⱼ = mean over orders of what knowing j adds. Three cues only."""
    x, background, f = question.cases, question.background, question.function
    n_cues = x.shape[1]
    scores = np.zeros(x.shape)
    orders = list(itertools.permutations(range(n_cues)))
    for row, case in enumerate(x):
        for order in orders:
            known = background.copy()
            before = f(known).mean()
            for cue in order:
                known[:, cue] = case[cue]
                after = f(known).mean()
                scores[row, cue] += (after - before) / len(orders)
                before = after
    return scores


@pytest.mark.slow
def test_shapley_values_are_those_of_the_definition() -> None:
    pytest.importorskip("shap", reason="the extra interpretable is not installed")
    rng = np.random.default_rng(0)
    question = Question(
        lambda x: x[:, 0] * x[:, 1] + np.sin(x[:, 2]) * x[:, 0], rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
    )
    np.testing.assert_allclose(
        EXPLAINERS["shap-marginal"].scores(question), shapley_by_definition(question), atol=1e-10
    )


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.3])
@pytest.mark.parametrize("box", WHITE_BOXES)
@pytest.mark.parametrize("name", ["shap-zero", "shap-marginal"])
def test_shapley_areas_are_those_worked_out_by_hand(name: str, box: str, share: float) -> None:
    pytest.importorskip("shap", reason="the extra interpretable is not installed")
    found = audit(white_box(box), EXPLAINERS[name], ask(white_box(box), share=share, n_cases=10, seed=1), share)
    assert found.gap is not None and found.gap < 1e-9
    if (by_hand := expected_area(name, box, share)) is not None:
        assert found.area.value == pytest.approx(by_hand, abs=4 * np.sqrt(0.25 / found.area.n))


@pytest.mark.slow
def test_additivity_of_tree_shap() -> None:
    """shap's values of forests and boosted trees sum to what is explained; if a version breaks that, this says so."""
    shap = pytest.importorskip("shap", reason="the extra interpretable is not installed")
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 6))
    y = x[:, 0] * x[:, 1] + x[:, 2] > 0
    for model in (RandomForestClassifier(30, random_state=0), HistGradientBoostingClassifier(random_state=0)):
        explained = shap.TreeExplainer(model.fit(x, y))
        values: Any = np.asarray(explained.shap_values(x[:50]))
        base = np.ravel(explained.expected_value)
        if isinstance(model, RandomForestClassifier):
            total, said = values[..., 1].sum(axis=1) + base[1], model.predict_proba(x[:50])[:, 1]
        else:
            total, said = values.sum(axis=1) + base[0], model.decision_function(x[:50])
        assert np.abs(total - said).max() < 1e-6
