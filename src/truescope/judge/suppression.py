"""Judging by suppression: does setting a group's activations to their means do what a claim predicts? See `edits`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from truescope.core.claims import Claim, Status, Verdict
from truescope.core.dictionaries import Dictionary
from truescope.core.errors import ClaimError
from truescope.core.features import Feature
from truescope.judge.answers import NumberTask
from truescope.judge.controls import MATCHED_ON, Controls, check_units, draw_controls
from truescope.judge.edits import (
    NEURONS,
    OPERATIONS,
    Progress,
    answers_without,
    edited_answers,
    suppression_edits,
    values_hash,
)
from truescope.judge.verdicts import (
    collateral,
    control_result,
    decide,
    evidence_level,
    refuse_another,
    share_as_strong,
)
from truescope.models import Model
from truescope.statistics import UnitStatistics

MIN_CONTROLS = 100
MIN_SAMPLE = 1000


def claimed_features(claim: Claim) -> list[Feature]:
    """The group that a claim is about, read from the claim itself.

    Raises:
        ClaimError: the claim names no features, or one that is not "layer/index".
    """
    try:
        pairs = [str(text).split("/") for text in claim.target["features"]]
        return sorted({Feature(int(layer), int(index)) for layer, index in pairs})
    except (KeyError, TypeError, ValueError) as error:
        raise ClaimError(
            f"the claim {claim.text!r:.80} does not say which features it is about",
            why=f"{type(error).__name__}: {error}",
            fix='target["features"] is a list of "layer/index"',
        ) from error


def judge_suppression(
    model: Model,
    claims: Sequence[Claim],
    task: NumberTask,
    units: UnitStatistics,
    *,
    dictionary: Dictionary | None = None,
    n_resamples: int = 2000,
    batch: int = 1000,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Test each claim on the judging half ``task``; ``units`` has means, sizes and live units of the grouping half.

    Each group is read from its claim; so are the controls' number and seed, and the sample of prompts that all controls
    of the claim are run on. The controls' scores lie over that one sample, the group's over the whole half; the
    group's on the sample are among the verdict's facts. A group for which no matched controls exist is
    ``not_testable``, with the reason. Verdicts come in the order of the claims.

    Raises:
        ClaimError: a claim is about another model, population or other values than were handed in, changed while it was
            judged, or plans fewer than 100 controls.
    """
    ids = [claim.id for claim in claims]
    for claim in claims:
        _check(claim, model, task, units, dictionary)
    drawn = [draw_controls(claimed_features(claim), units, claim.control) for claim in claims]
    groups = [claimed_features(claim) for claim in claims]
    answers = answers_without(
        model, task.tokens, [[], *groups], units, dictionary=dictionary, batch=batch, stage="groups", progress=progress
    )
    held = _held_live(model, task, groups, units, dictionary, batch)
    verdicts = []
    for claim, controls, answer, also in zip(claims, drawn, answers[1:], held, strict=True):
        rows = control_sample(claim, len(task))
        sample = task.rows(rows)
        found = answers_without(
            model,
            sample.tokens,
            controls.groups,
            units,
            dictionary=dictionary,
            batch=batch,
            stage=f"controls of {claim.target.get('group', claim.id)}",
            progress=progress,
        )
        runs = [sample.means(row) for row in found]
        seed = claim.control.seed
        facts = _facts(claim, units, controls) | {
            "unedited": {s.name: s.value for s in task.scores(answers[0], n_resamples=n_resamples, seed=seed)},
            "on_control_sample": sample.means(answer[rows]),
            **also,
        }
        scores = task.scores(answer, n_resamples=n_resamples, seed=seed)
        verdicts.append(_verdict(claim, scores, controls, runs, len(sample), facts))
    if [claim.id for claim in claims] != ids:
        raise ClaimError("a claim was changed while it was judged", fix="state it anew and judge it again")
    return verdicts


def _held_live(
    model: Model,
    task: NumberTask,
    groups: Sequence[Sequence[Feature]],
    units: UnitStatistics,
    dictionary: Dictionary | None,
    batch: int,
) -> list[dict[str, Any]]:
    """For features, a fact beside the verdict: each group's scores when it is held at its means as the model runs."""
    if dictionary is None:
        return [{} for _ in groups]
    edits = [suppression_edits(group, units, dictionary) for group in groups]
    found = edited_answers(model, task.tokens, edits, dictionary=dictionary, batch=batch)
    return [{f"{name}_held_while_running": mean for name, mean in task.means(row).items()} for row in found]


def control_sample(claim: Claim, n: int) -> Int[np.ndarray, " m"]:
    """The prompts, of ``n``, on which all controls of a claim are run: those that its population states.

    ``population["control_sample"]`` gives ``n`` (at least 1,000; all prompts where there are fewer) and ``seed``.

    Raises:
        ClaimError: it states no sample, or too small a one.
    """
    stated = claim.population.get("control_sample")
    if not isinstance(stated, dict) or not {"n", "seed"} <= set(stated):
        raise ClaimError(
            "the claim does not say on which prompts its controls are run",
            fix='population["control_sample"] is {"n": 1000, "seed": 0}',
        )
    if stated["n"] < min(n, MIN_SAMPLE):
        raise ClaimError(f"controls need {min(n, MIN_SAMPLE)} prompts, the claim states {stated['n']}")
    return np.sort(np.random.default_rng(stated["seed"]).permutation(n)[: stated["n"]])


def _verdict(
    claim: Claim, scores: Any, controls: Controls, runs: Sequence[dict[str, float]], n_cases: int, facts: dict[str, Any]
) -> Verdict:
    if controls.reason:
        level = evidence_level(Status.NOT_TESTABLE, "suppress", claim.predictions, {})
        # An empty group's scores are the model's own and would read as if something had been done.
        shown = scores if claimed_features(claim) else ()
        return Verdict(claim, Status.NOT_TESTABLE, level, shown, (), (controls.reason,), facts)
    result = control_result(claim.control.name, claim.predictions, runs, n_cases)
    status, reasons = decide(claim.predictions, scores, [result])
    as_strong = share_as_strong(claim.predictions, facts["on_control_sample"], runs, spread=controls.spread)
    level = evidence_level(status, "suppress", claim.predictions, as_strong)
    return Verdict(
        claim,
        status,
        level,
        scores,
        (result,),
        reasons,
        facts | {"controls_as_strong": as_strong},
        collateral=collateral(claim.predictions),
        p_values=as_strong,
    )


def _facts(claim: Claim, units: UnitStatistics, controls: Controls) -> dict[str, Any]:
    group = claimed_features(claim)
    layers = sorted({feature.layer for feature in units.features})
    return {
        "n_units": len(group),
        "n_units_per_layer": {str(layer): sum(f.layer == layer for f in group) for layer in layers},
        "share_of_live_units": len(group) / max(int(units.live.sum()), 1),
        "control_size_ratio": {str(layer): ratio for layer, ratio in controls.size_ratio},
        # JSON has no infinity: a group of half a layer or more cannot be told from an ordinary one by its controls.
        "control_spread": controls.spread if math.isfinite(controls.spread) else None,
    }


def _check(claim: Claim, model: Model, task: NumberTask, units: UnitStatistics, dictionary: Dictionary | None) -> None:
    """Refuse a claim that does not fit what it is judged with, so that no part of it can be changed after the fact."""
    features = claimed_features(claim)
    check_units(features, units)
    here = {
        "model_hash": (claim.target.get("model_hash"), model.hash),
        "dictionary": (claim.target.get("dictionary"), NEURONS if dictionary is None else dictionary.name),
        "operation": (claim.target.get("operation"), OPERATIONS["neurons" if dictionary is None else "features"]),
        "values_hash": (claim.target.get("values_hash"), values_hash(features, units)),
        "data_hash": (claim.population.get("data_hash"), task.hash),
        "n": (claim.population.get("n"), len(task)),
    }
    if dictionary is not None and "dictionary_hash" in claim.target:
        here["dictionary_hash"] = (claim.target["dictionary_hash"], getattr(dictionary, "hash", ""))
    refuse_another(claim, here)
    if claim.control.n < MIN_CONTROLS:
        raise ClaimError(
            f"the claim plans {claim.control.n} controls, a suppression needs {MIN_CONTROLS}",
            fix=f"state it with ControlPlan(n={MIN_CONTROLS}, …)",
        )
    if claim.control.matched_on != MATCHED_ON:
        raise ClaimError(f"controls here are matched on {', '.join(MATCHED_ON)}", fix="state so in the ControlPlan")
