"""Judging by suppression: a group's activations are set to their means, and the real model answers.

x ← x + (dec(z′) − dec(z)) at the last position, with z′ the code in which the group's units have their mean over the
grouping half; for MLP neurons that is setting their activations. Everything downstream is live.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from truescope.core.claims import Claim, Status, Verdict
from truescope.core.dictionaries import Dictionary
from truescope.core.errors import ClaimError
from truescope.core.features import Feature
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.judge.answers import NumberTask
from truescope.judge.controls import MATCHED_ON, Controls, check_units, draw_controls
from truescope.judge.verdicts import collateral, control_result, decide, evidence_level, share_as_strong
from truescope.models import Model
from truescope.statistics import UnitStatistics

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much there is."""

NEURONS = "neurons"
"""The name of the dictionary whose features are the MLP neurons themselves."""

MIN_CONTROLS = 100
MIN_SAMPLE = 1000


def suppression_edits(
    features: Iterable[Feature], units: UnitStatistics, dictionary: Dictionary | None = None
) -> list[Intervention]:
    """One edit a layer that sets the features' activations at the last position to their means.

    Without a dictionary the features are MLP neurons. With one the edits are in delta form, and a run needs
    ``{dictionary.name: dictionary}``.

    Raises:
        ClaimError: a feature was not measured, or the dictionary reads no site of its layer.
    """
    chosen = sorted(set(features))
    check_units(chosen, units)
    column = units.index
    edits = []
    for layer in sorted({feature.layer for feature in chosen}):
        here = [feature for feature in chosen if feature.layer == layer]
        means = torch.tensor([units.mean[column[feature]] for feature in here], dtype=torch.float32)
        site = Site("mlp_neurons", layer) if dictionary is None else _reads(dictionary, layer)
        indices = tuple(feature.index for feature in here)
        name = None if dictionary is None else dictionary.name
        edits.append(Intervention(site, "set", means, positions=(-1,), units=indices, dictionary=name))
    return edits


def _reads(dictionary: Dictionary, layer: int) -> Site:
    for site in dictionary.reads:
        if site.layer == layer:
            return site
    raise ClaimError(f"dictionary {dictionary.name!r} reads no site of layer {layer}")


def edited_answers(
    model: Model,
    tokens: Int[torch.Tensor, "n pos"],
    edits: Sequence[Sequence[Intervention]],
    *,
    dictionary: Dictionary | None = None,
    batch: int = 1000,
    stage: str = "",
    progress: Progress | None = None,
) -> Int[np.ndarray, "n_edits n"]:
    """The most probable next token of every prompt under each list of edits; only the last position is run again."""
    found = np.empty((len(edits), len(tokens)), dtype=np.int64)
    dictionaries = None if dictionary is None else {dictionary.name: dictionary}
    starts = range(0, len(tokens), batch)
    for done, start in enumerate(starts):
        tail = model.tail(tokens[start : start + batch])
        for i, edit in enumerate(edits):
            logits = tail.run(edit, dictionaries=dictionaries) if edit else tail.logits
            found[i, start : start + batch] = logits.argmax(dim=-1).cpu().numpy()
            if progress is not None:
                progress(stage, done * len(edits) + i + 1, len(starts) * len(edits))
    return found


def values_hash(features: Iterable[Feature], units: UnitStatistics) -> str:
    """SHA-256, in hex, over the values that a suppression sets: the features' means, sorted by feature."""
    column = units.index
    means = [units.mean[column[feature]] for feature in sorted(set(features))]
    return hashlib.sha256(np.array(means, dtype="<f4").tobytes()).hexdigest()


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
    groups = [suppression_edits(claimed_features(claim), units, dictionary) for claim in claims]
    answers = edited_answers(
        model, task.tokens, [[], *groups], dictionary=dictionary, batch=batch, stage="groups", progress=progress
    )
    verdicts = []
    for claim, controls, answer in zip(claims, drawn, answers[1:], strict=True):
        rows = control_sample(claim, len(task))
        sample = task.rows(rows)
        edits = [suppression_edits(control, units, dictionary) for control in controls.groups]
        found = edited_answers(
            model,
            sample.tokens,
            edits,
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
        }
        scores = task.scores(answer, n_resamples=n_resamples, seed=seed)
        verdicts.append(_verdict(claim, scores, controls, runs, len(sample), facts))
    if [claim.id for claim in claims] != ids:
        raise ClaimError("a claim was changed while it was judged", fix="state it anew and judge it again")
    return verdicts


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
    as_strong = share_as_strong(claim.predictions, facts["on_control_sample"], runs)
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
    }


def _check(claim: Claim, model: Model, task: NumberTask, units: UnitStatistics, dictionary: Dictionary | None) -> None:
    """Refuse a claim that does not fit what it is judged with, so that no part of it can be changed after the fact."""
    features = claimed_features(claim)
    check_units(features, units)
    here = {
        "model_hash": (claim.target.get("model_hash"), model.hash),
        "dictionary": (claim.target.get("dictionary"), NEURONS if dictionary is None else dictionary.name),
        "values_hash": (claim.target.get("values_hash"), values_hash(features, units)),
        "data_hash": (claim.population.get("data_hash"), task.hash),
        "n": (claim.population.get("n"), len(task)),
    }
    if dictionary is not None and "dictionary_hash" in claim.target:
        here["dictionary_hash"] = (claim.target["dictionary_hash"], getattr(dictionary, "hash", ""))
    for name, (stated, found) in here.items():
        if stated != found:
            raise ClaimError(
                f"the claim {claim.text!r:.80} was stated with another {name}",
                why=f"it says {str(stated)[:16]}, here it is {str(found)[:16]}",
                fix="judge a claim with exactly what it was stated for, or state another claim",
            )
    if claim.control.n < MIN_CONTROLS:
        raise ClaimError(
            f"the claim plans {claim.control.n} controls, a suppression needs {MIN_CONTROLS}",
            fix=f"state it with ControlPlan(n={MIN_CONTROLS}, …)",
        )
    if claim.control.matched_on != MATCHED_ON:
        raise ClaimError(f"controls here are matched on {', '.join(MATCHED_ON)}", fix="state so in the ControlPlan")
