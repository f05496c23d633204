"""Explainers held to the axiom: what a white box uses outranks what it does not, in every case and over all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from truescope.core.claims import Score
from truescope.judge.axioms import Outranking
from truescope.tabular.posthoc.explainers import Explainer, Function, Question, Scores
from truescope.tabular.posthoc.oracles import expected_area
from truescope.tabular.posthoc.whiteboxes import WhiteBox

AREA = "outranking"
N_BACKGROUND = 50
N_EXPLAINED = 10
"""Explainers of single cases are asked about this many of each table; those of a whole table see all."""
_TIE = 1e-9
"""Scores closer than this share of the largest are ties: floating point must not rank what is equal."""


@dataclass(frozen=True)
class Audit:
    """One explainer on one white box, over several tables of cases.

    ``area``: mean over applicable cases, which are independent draws (over tables, for explainers of a whole table),
    with its interval. ``whole``: the mean area of each table's mean |score|. ``expected``: by hand. ``gap``: the
    largest |Σ scores − (f(x) − f(nothing))| for explainers that promise completeness.
    """

    box: str
    explainer: str
    per_case: bool
    area: Score
    whole: float
    expected: float | None
    n_not_applicable: int
    gap: float | None

    def to_json(self) -> dict[str, Any]:
        """Every number."""
        return asdict(self)


def ranked(scores: Scores) -> Scores:
    """|scores| with differences of rounding taken away, so that what is equal ties."""
    size = np.abs(scores)
    unit = _TIE * max(float(size.max(initial=0.0)), np.finfo(np.float64).tiny)
    return np.round(size / unit)


def audit(box: WhiteBox, explainer: Explainer, questions: Sequence[Question], share: float | None) -> Audit:
    """Explain every question's cases and score them against the box's truth.

    ``share`` of ones gives the oracle; None leaves it out, where the function only learned the box.
    """
    if explainer.per_case:
        questions = [replace(question, cases=question.cases[:N_EXPLAINED]) for question in questions]
    found = [explainer.scores(question) for question in questions]
    wholes = np.array([Outranking.of(ranked(scores).mean(axis=0), box.used_cues).mean for scores in found])
    areas = Outranking(wholes)
    if explainer.per_case:
        truths = np.concatenate([box.truth(question.cases) for question in questions])
        areas = Outranking.of(np.concatenate([ranked(scores) for scores in found]), truths)
    return Audit(
        box=box.name,
        explainer=explainer.name,
        per_case=explainer.per_case,
        area=areas.score(AREA, seed=questions[0].seed),
        whole=float(wholes.mean()),
        expected=None if share is None else expected_area(explainer.name, box.name, share),
        n_not_applicable=areas.n_not_applicable,
        gap=_gap(explainer, questions, found),
    )


def random_areas(truth: Bool[np.ndarray, "cases cues"], n: int, seed: int) -> list[float]:
    """The mean areas of ``n`` sets of random scores: the control of every claim about an explainer."""
    rng = np.random.default_rng(seed)
    return [Outranking.of(rng.random(truth.shape), truth).mean for _ in range(n)]


def _gap(explainer: Explainer, questions: Sequence[Question], found: Sequence[Scores]) -> float | None:
    nothing = explainer.nothing
    if nothing is None:
        return None
    gaps = [
        np.abs(scores.sum(axis=1) - (question.function(question.cases) - nothing(question))).max()
        for question, scores in zip(questions, found, strict=True)
    ]
    return float(max(gaps))


def ask(
    box: WhiteBox,
    *,
    n_tables: int = 100,
    n_cases: int = 100,
    share: float = 0.5,
    seed: int = 0,
    function: Function | None = None,
) -> list[Question]:
    """Tables of cases, each with a background of its own; ``function`` stands in for the box's own value."""
    questions = []
    for table in range(n_tables):
        rng = np.random.default_rng([seed, table, *box.name.encode()])
        cases, background = box.draw(n_cases, share, rng), box.draw(N_BACKGROUND, share, rng)
        questions.append(Question(function or box.value, cases, background, seed + table))
    return questions


def learn(box: WhiteBox, model: Any, *, n: int, share: float, seed: int) -> Function:
    """A function that a model learned from ``n`` cases whose labels are drawn by the box: P(yes).

    The label is yes with probability σ(4 (f(x) − mean f) / sd f).
    """
    rng = np.random.default_rng([seed, 1])
    x = box.draw(n, share, rng)
    z: Float[np.ndarray, " n"] = box.value(x)
    z = 4 * (z - z.mean()) / z.std()
    fitted = model.fit(x, rng.random(n) < 1 / (1 + np.exp(-z)))
    return lambda cases: np.asarray(fitted.predict_proba(cases)[:, 1], dtype=np.float64)
