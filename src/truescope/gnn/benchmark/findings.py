"""The five published findings as claims that are stated before the run, and judged on it beside random scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from truescope.core.claims import Claim, ControlPlan, Prediction, Score, Status, Verdict
from truescope.gnn.benchmark.cells import Cell
from truescope.gnn.benchmark.results import Results, Where
from truescope.judge import control_result, decide, evidence_level

N_CONTROLS = 20
"""How many times every explainer's scores are replaced by random ones."""


@dataclass(frozen=True)
class Finding:
    """A published finding: what it predicts, where each score is taken, and what lies behind it."""

    text: str
    predictions: tuple[Prediction, ...]
    samples: Mapping[str, tuple[str, Where]]
    explanation: Callable[[Results], str]

    @property
    def explainers(self) -> tuple[str, ...]:
        """The explainers that it and its explanation are about."""
        mine = dict.fromkeys(explainer for explainer, _ in self.samples.values())
        return (*mine, "published_lrp") if "lrp_epsilon" in mine else tuple(mine)

    def claim(self, population: Mapping[str, Any], seed: int, procedure: Mapping[str, Any] | None = None) -> Claim:
        """The finding as it is written down before the run; ``procedure`` says how it is run again."""
        return Claim(
            text=self.text,
            predictions=self.predictions,
            control=ControlPlan("random scores", (), N_CONTROLS, seed),
            target={"subject": "published white boxes", "scores": sorted(self.samples)},
            population=dict(population),
            procedure=dict(procedure or {}),
        )

    def scores(self, results: Results, seed: int) -> list[Score]:
        """Each predicted score with its interval over graphs."""
        return [results.sample(explainer, where).score(name, seed) for name, (explainer, where) in self.samples.items()]

    def means(self, results: Results) -> dict[str, float]:
        """Each predicted score's mean alone."""
        return {name: results.sample(explainer, where).mean for name, (explainer, where) in self.samples.items()}


def _synthetic(cell: Cell) -> bool:
    return cell.setting is not None


def _coded(false: float, *white_boxes: str, positive: float | None = None, important: float | None = None) -> Where:
    def where(cell: Cell) -> bool:
        s = cell.setting
        if s is None or s.false_value != false or cell.white_box not in white_boxes:
            return False
        return positive in (None, s.p_positive) and important in (None, s.p_important)

    return where


_AROUND = ("neighborhood", "two-hop")

FINDINGS = (
    Finding(
        "Deconvolution ranks every important feature above every unimportant one.",
        (Prediction("deconvolution", ">=", 0.99),),
        {"deconvolution": ("deconvolution", _synthetic)},
        lambda results: (
            "The three white boxes are linear before one sigmoid and have no ReLU: deconvolution is their plain "
            "gradient. "
            "The finding is about gradients of generalised linear models; a non-linear white box breaks it."
        ),
    ),
    Finding(
        "Integrated gradients miss important features whose value is zero, and find all where false is coded −1.",
        (Prediction("few positive, Local", "<=", 0.6), Prediction("false is −1", ">=", 0.99)),
        {
            "few positive, Local": ("integrated_gradients", _coded(0.0, "local", positive=0.1)),
            "false is −1": ("integrated_gradients", _coded(-1.0, "local", *_AROUND)),
        },
        lambda results: (
            "Any score that multiplies by the input is zero where the feature is: on Local the expected area is "
            "½ + share of positive features / 2, met at every share."
        ),
    ),
    Finding(
        "GNNExplainer levels off near .75 on Neighborhood and Two-hop.",
        (Prediction("half important", ">=", 0.65), Prediction("half important", "<=", 0.85)),
        {
            "half important": ("gnn_explainer", _coded(0.0, *_AROUND, important=0.5)),
        },
        lambda results: _by_class(results),
    ),
    Finding(
        "GraphLIME is near chance unless few features are important and the node's own count.",
        (Prediction("Neighborhood and Two-hop", "<=", 0.55), Prediction("Local, a tenth important", ">=", 0.65)),
        {
            "Neighborhood and Two-hop": ("graphlime", _coded(0.0, *_AROUND)),
            "Local, a tenth important": ("graphlime", _coded(0.0, "local", important=0.1)),
        },
        lambda results: (
            "Its lasso is zero unless one feature's kernel is aligned with the output by more than ρ = .1; the "
            "alignment "
            "is about one over the number of important features, and it looks at the nodes' own features only."
        ),
    ),
    Finding(
        "Layer-wise relevance propagation finds the important features of every white box.",
        (Prediction("relevance on Local", ">=", 0.95), Prediction("relevance on Two-hop", ">=", 0.95)),
        {
            "relevance on Local": ("lrp_epsilon", _coded(0.0, "local")),
            "relevance on Two-hop": ("lrp_epsilon", _coded(0.0, "two-hop")),
        },
        lambda results: (
            "As it was run (published_lrp) the area on Local is "
            f"{results.sample('published_lrp', _coded(0.0, 'local')).mean:.3f}, because no rule fires there and the "
            f"plain "
            "gradient is left. With the rule on every step relevance is input × gradient, and zero where a feature is."
        ),
    ),
)
"""The five findings, in the order of the poster."""


def judge_findings(
    results: Results, claims: Mapping[str, Claim], seed: int, covers: Callable[[Finding], bool] = lambda f: True
) -> list[Verdict]:
    """The verdict on each finding's claim; ``claims`` are those that were stated, by their text."""
    chance = [results.randomised(seed + draw) for draw in range(N_CONTROLS)]
    verdicts = []
    for finding in FINDINGS:
        if finding.text not in claims or not covers(finding):
            continue
        scores = finding.scores(results, seed)
        drawn = [finding.means(one) for one in chance]
        control = control_result("random scores", finding.predictions, drawn, max(s.n for s in scores))
        status, reasons = decide(finding.predictions, scores, [control])
        notes = (*reasons, ("Explained: " if status is not Status.HELD else "") + finding.explanation(results))
        level = evidence_level(status, "observe", finding.predictions, {})
        verdicts.append(Verdict(claims[finding.text], status, level, tuple(scores), (control,), notes))
    return verdicts


def _by_class(results: Results) -> str:
    sample = results.sample("gnn_explainer", _coded(0.0, *_AROUND, important=0.5))
    zero, one = sample.of_class(0), sample.of_class(1)
    if zero is None or one is None:
        return "One of the two classes was never given."
    return (
        f"The plateau is one-sided: the area is {one:.3f} for nodes of class 1 and {zero:.3f} for nodes of class 0. It "
        "keeps what raises the given class; an important feature only ever raises class 1, and is masked away in "
        "class 0."
    )
