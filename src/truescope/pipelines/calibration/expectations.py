"""What each method is expected to do, stated before the run, and the verdicts on it beside the negative control.

The thresholds were chosen after a pilot on other prompts and seeds (four prompts a program, seed 0), and are the same
for methods of one kind: .9 for "can be read", .999 where exactness is the design.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from truescope.core.claims import Claim, ControlPlan, Prediction, Score, Verdict
from truescope.core.evidence import ClaimType, ControlKind
from truescope.judge import control_result, decide, evidence_level
from truescope.pipelines.calibration.autoencoders import SITES
from truescope.pipelines.calibration.cells import Size
from truescope.pipelines.calibration.scoring import Row
from truescope.pipelines.calibration.summaries import PARTS, Key, Summary
from truescope.pipelines.calibration.trained import RANDOM, WORLDS

_CONTRASTS = (
    "attribution patching",
    "integrated gradients",
    "activation patching",
    "mean ablation",
    "resample ablation",
)
READABLE, EXACT = 0.9, 0.999


@dataclass(frozen=True)
class Expectation:
    """One claim: the summaries (by the keys' parts) that its predictions are about, and its negative control's.

    ``text`` says it in words. ``parts`` are group, dictionary, depth, budget, level, method, truth.
    """

    text: str
    parts: tuple[str, str, int | None, int | None, str, str, str]
    predictions: tuple[Prediction, ...]
    control: tuple[str, str]
    """Group and dictionary of the control: another model or dictionary, scored the same way."""
    control_kind: ControlKind = ControlKind.RANDOM_MODEL
    assumption: str = "the compiled model is its program, which a test compares on all inputs"
    threat: str = "compiled models are cleaner than trained ones: what fails here fails, what holds here may not"

    def key(self, metric: str) -> Key:
        """The key of one of its scores."""
        return (*self.parts, metric)

    def control_parts(self) -> tuple[str, str, int | None, int | None, str, str, str]:
        """The control's parts: same level, method and truth."""
        budget = None
        return (*self.control, self.parts[2], budget, *self.parts[4:])

    def claim(self, size: Size, seed: int, population: Mapping[str, object]) -> Claim:
        """The claim as the ledger keeps it."""
        group, dictionary = self.control
        named = dict(zip(PARTS, self.parts, strict=False))
        target = {"method": named["method"], "subject": f"{named['method']} ({named['level']} scores)"}
        return Claim(
            text=self.text,
            predictions=self.predictions,
            control=ControlPlan(f"{group}, {dictionary}", (), max(1, size.n_random_weights), seed, self.control_kind),
            target=target | {"object": f"the known mechanism, {named['truth']}", "parts": [str(p) for p in self.parts]},
            population={**population, "group": named["group"], "size": size.name, "seed": seed},
            type=ClaimType.FAITHFULNESS,
            metric="area under the ROC curve of |score|, ties one half, averaged over prompts, then programs",
            seeds={"calibration": seed},
            assumptions=(self.assumption,),
            threats=(self.threat,),
        ).with_procedure("calibrate", size=size.name, seed=seed, parts=list(self.parts))


def _auroc(threshold: float, *more: Prediction) -> tuple[Prediction, ...]:
    return (Prediction("auroc", ">=", threshold), *more)


_CLOSES = Prediction("closure gap", "<=", 1e-5)
_RANDOM = ("random weights", "neurons")
_NAMED = ("named programs", "neurons", None, None)


def expectations(size: Size) -> list[Expectation]:
    """Every claim of a calibration."""
    found = [
        Expectation("The frozen graph on the model's own neurons ranks true value edges above all others, and closes",
                    (*_NAMED, "edge", "frozen graph", "direct"), _auroc(EXACT, _CLOSES), _RANDOM),
        Expectation("The influence of the frozen graph's edges ranks those of the value path above all others",
                    (*_NAMED, "edge", "frozen graph, influence", "value path"), _auroc(EXACT), _RANDOM),
        Expectation("The influence of the frozen graph's edges ranks the edges on any path to the answer above others",
                    (*_NAMED, "edge", "frozen graph, influence", "used"), _auroc(READABLE), _RANDOM),
        Expectation("Live effects of sources on targets rank true direct edges above others",
                    (*_NAMED, "edge", "live effects", "direct"), _auroc(READABLE), _RANDOM),
        Expectation("QK attribution ranks the true terms of attention scores above all others, and closes",
                    (*_NAMED, "choice", "QK attribution", "direct"), _auroc(EXACT, _CLOSES), _RANDOM),
        Expectation("On random programs too, the frozen graph ranks true value edges above all others, and closes",
                    ("random programs", "neurons", None, None, "edge", "frozen graph", "direct"),
                    _auroc(EXACT, _CLOSES), _RANDOM),
    ]  # fmt: skip
    found += [_metric_claim(level, method) for level in ("edge", "unit", "head") for method in _methods(level)]
    found += [_pruned("edge", "precision"), _pruned("edge", "recall"), _pruned("unit", "recall")]
    found += [_pruned("path", "recall")]
    for kind in ("PLT", "CLT", *SITES):
        for quality in ("exact", "learned") if kind == "CLT" else ("exact", "learned", "rotated", "shuffled"):
            found.append(_dictionary(f"{quality} {kind}", "PLT" if kind == "CLT" else kind))
    found += [_direct(f"exact {kind}", kind) for kind in SITES]
    found += [e for depth in size.depths for e in _collapse(depth, size)]
    return found + [e for world in WORLDS for e in _trained(world)]


def _dictionary(name: str, control: str) -> Expectation:
    threshold = EXACT if name.startswith("exact") else READABLE
    parts = ("dictionaries", name, None, None, "edge", "frozen graph, influence", "value path")
    text = f"The influence of a frozen graph on the {name}s ranks the edges of the value path above others"
    return Expectation(text, parts, _auroc(threshold), ("dictionaries", f"random {control}"), ControlKind.BASELINE)


def _direct(name: str, kind: str) -> Expectation:
    parts = ("dictionaries", name, None, None, "edge", "frozen graph", "direct")
    text = f"The frozen graph on the {name}s ranks true value edges between variables above all others, and closes"
    control = ("dictionaries", f"random {kind}")
    return Expectation(text, parts, _auroc(EXACT, _CLOSES), control, ControlKind.BASELINE)


def _methods(level: str) -> list[str]:
    extra = ["activation patching, denoising"] if level != "edge" else []
    return ["gradient", "gradient × input", "zero ablation", *_CONTRASTS, *extra]


def _metric_claim(level: str, method: str) -> Expectation:
    contrast = method.startswith(_CONTRASTS)
    noun = {"edge": "edges", "unit": "units and tokens", "head": "heads"}[level]
    among = " among those that differ from the corrupt prompt" if contrast else ""
    text = f"{method.capitalize()} ranks {noun} on a path to the answer above others{among}"
    return Expectation(text, (*_NAMED, level, method, "used, moved" if contrast else "used"), _auroc(READABLE), _RANDOM)


def _pruned(level: str, metric: str) -> Expectation:
    noun = {"edge": "edges", "unit": "units", "path": "whole paths"}[level]
    text = f"The graph pruned at its defaults shows {noun} of the value path with {metric} of .9 or more"
    parts = (*_NAMED, level, "pruned graph", "value path")
    return Expectation(text, parts, (Prediction(metric, ">=", READABLE),), _RANDOM)


def _collapse(depth: int, size: Size) -> list[Expectation]:
    def claim(
        name: str, budget: int | None, text: str, prediction: Prediction, control: str = "random CLT"
    ) -> Expectation:
        parts = ("collapse", name, depth, budget, "collapse", name, "direct")
        return Expectation(text, parts, (prediction,), ("collapse", control), ControlKind.BASELINE)

    says = f"of what the model does when the first of {depth} gates is flipped"
    found = [
        claim("exact CLT", None, f"The exact CLT says at least .9 {says}", Prediction("response", ">=", 0.9)),
        claim("collapsed CLT", None, f"A CLT that misses nothing can say at most .1 {says}: it reports one hop",
              Prediction("response", "<=", 0.1), control="exact CLT"),
    ]  # fmt: skip
    for budget in size.budgets:
        text = f"A CLT trained with {budget} active features a layer says at least .9 {says}"
        found.append(claim("trained CLT", budget, text, Prediction("response", ">=", 0.9)))
    return found


_TRAINED_LEVELS = {"sorter": ("token",), "induction heads": ("token", "head", "whole head")}
"""What there is to rank: the sorter has one head."""
_NOUNS = {"token": "tokens", "head": "heads at positions", "whole head": "heads, whatever the position,"}


def _trained(world: str) -> list[Expectation]:
    """The claims on a trained world: what is direct, what a score is made of, and every method on its nodes."""

    def claim(text: str, level: str, method: str, truth: str, *predictions: Prediction) -> Expectation:
        parts = (world, "neurons", None, None, level, method, truth)
        assumption = "the heads do what the facts checked on other sequences say, on every prompt"
        threat = "two small attention-only models, and facts that are measured: a truth weaker than a compiled one"
        random = (RANDOM + world, "neurons")
        return Expectation(text, parts, predictions, random, assumption=assumption, threat=threat)

    frozen = f"The frozen graph of the trained {world} ranks the token that is copied above all other sources"
    pairs = f"QK attribution on the trained {world} ranks the pair that a head compares above all others, and closes"
    found = [
        claim(frozen + ", and closes", "edge", "frozen graph", "direct", *_auroc(EXACT, _CLOSES)),
        claim(pairs, "choice", "QK attribution", "direct", *_auroc(EXACT, _CLOSES)),
    ]
    for level in _TRAINED_LEVELS[world]:
        for method in _methods(level):
            truth = "used, moved" if method.startswith(_CONTRASTS) else "used"
            hangs = f"that the answers of the trained {world} rest on"
            text = f"{method.capitalize()} ranks {_NOUNS[level]} {hangs} above others"
            among = " among those that differ from the corrupt prompt" if truth != "used" else ""
            found.append(claim(text + among, level, method, truth, *_auroc(READABLE)))
    return found


def judge_expectation(
    claim: Claim, expectation: Expectation, summaries: Mapping[Key, Summary], rows: Sequence[Row]
) -> Verdict | None:
    """The verdict on one claim, or None where nothing of it was measured (a part that did not run)."""
    scores = []
    for prediction in expectation.predictions:
        summary = summaries.get(expectation.key(prediction.score))
        if summary is None:
            return None
        found = summary.score
        scores.append(Score(prediction.score, found.value, found.low, found.high, found.n))
    drawn = _drawn(expectation, rows)
    if not drawn:
        return None
    controls = (control_result(claim.control.name, expectation.predictions, drawn, len(drawn)),)
    status, notes = decide(expectation.predictions, scores, controls)
    level = evidence_level(status, "observe", expectation.predictions, {})
    return Verdict(claim, status, level, tuple(scores), controls, notes)


def _drawn(expectation: Expectation, rows: Sequence[Row]) -> list[dict[str, float]]:
    """The control's scores, one record a seed: the mean over its cases (the largest closure gap)."""
    parts = expectation.control_parts()
    found: dict[object, dict[str, list[float]]] = {}
    names = [prediction.score for prediction in expectation.predictions]
    method = expectation.parts[5] if expectation.parts[0] != "collapse" else expectation.control[1]
    wanted = (*parts[:5], method, parts[6])
    for row in rows:
        is_of = tuple(row.get(part) for part in PARTS[:-1]) == wanted
        if is_of and row["metric"] in names and row["value"] is not None:
            found.setdefault(row["seed"], {}).setdefault(row["metric"], []).append(row["value"])
    return [
        {name: float(max(v) if name == "closure gap" else np.mean(v)) for name, v in record.items()}
        for record in found.values()
        if len(record) == len(names)
    ]
