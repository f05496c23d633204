"""The addition world on dictionary features: what suppressing the two groups does, over seeds, beside random groups.

    python benchmarks/addition_features.py [--seeds 5] [--kinds transcoder clt] [--threads 1] [--out FILE]

For every seed: dictionaries are trained with it, the prompts are split with it, features are grouped on one half by the
repository's rule (closed Sobol index ≥ ½ of the activation at "="), the groups are judged on the other half, controls
are drawn with it. The claims that controls could win are weaker than the bars:

    units digits   within_5 ≥ .99 and exact ≤ .60        bar: within_5 ≥ .99 and exact ≤ .20
    magnitude      units_digit ≥ .98 and exact ≤ .45     bar: units_digit ≥ .98 and within_5 ≤ .10

so a random group that met a bar would have won. The groups of neurons, by the same rule, stand beside. ``floor``
is what the best constant magnitude with every units digit right reaches: no suppression whose answers do not depend on
the magnitude does worse than chance.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from machine import describe
from truescope.core.claims import Prediction, Verdict
from truescope.core.features import Feature
from truescope.dictionaries import Dictionary
from truescope.explain import Grouping, UnitSet, digit_dependence, group_units, last_activations
from truescope.judge import (
    NumberTask,
    Statement,
    edited_answers,
    judge_suppression,
    suppression_edits,
    token_numbers,
)
from truescope.models import Model
from truescope.pipelines.addition import (
    KINDS,
    addition_activations,
    evaluate_addition_dictionary,
    train_addition_dictionaries,
)
from truescope.statistics import UnitStatistics, split_half
from truescope.trace import DictionaryReplacement, trace_graph
from truescope.truth.addition import ADDITION_FOLDER, addition_prompts

HERE = Path(__file__).resolve().parent
PROMPT = "36+59="
GROUPS = ("units digits", "magnitude")
WEAK = {
    "units digits": (Prediction("within_5", ">=", 0.99), Prediction("exact", "<=", 0.60)),
    "magnitude": (Prediction("units_digit", ">=", 0.98), Prediction("exact", "<=", 0.45)),
}
BARS = {
    "units digits": (Prediction("within_5", ">=", 0.99), Prediction("exact", "<=", 0.20)),
    "magnitude": (Prediction("units_digit", ">=", 0.98), Prediction("within_5", "<=", 0.10)),
}
INFLUENCE_BAR = 0.80


def group(activations: np.ndarray, features: Sequence[Feature], half: np.ndarray) -> tuple[UnitStatistics, Grouping]:
    """The repository's groups from the prompts in ``half``."""
    units = UnitStatistics.measure(activations[half], features)
    first, second = np.divmod(half, 100)
    return units, group_units(units, digit_dependence(activations[half], first, second))


def influence(model: Model, dictionary: Dictionary, grouping: Grouping) -> dict[str, Any]:
    """Each group's share of the features' influence on the answer to `PROMPT`, beside its share of live features.

    ``everywhere`` counts its features at every position, ``at_the_end`` those at "=" alone, both over all features at
    all positions; ``of_the_end`` is over the features at "=".
    """
    traced = trace_graph(model, model.tokens(PROMPT), replacement=DictionaryReplacement(model, dictionary))
    scores = traced.units
    here = scores.position == len(traced.graph.tokens) - 1
    active = [Feature(int(layer), int(index)) for layer, index in zip(scores.layer, scores.index, strict=True)]
    found: dict[str, Any] = {}
    for name in GROUPS:
        inside = np.array([feature in set(grouping.groups[name]) for feature in active])
        found[name] = {
            "everywhere": scores.share(inside),
            "at_the_end": scores.share(inside & here),
            "of_the_end": scores.share(inside & here) / scores.share(here),
            "share_of_live_features": len(grouping.groups[name]) / grouping.n_live,
        }
    found["both"] = {key: sum(found[name][key] for name in GROUPS) for key in found[GROUPS[0]]}
    left = traced.graph.left_out["error_influence"]
    return found | {"error_influence": left, "closure_gap": traced.graph.closure_gap}


def describe_verdict(verdict: Verdict) -> dict[str, Any]:
    """Scores with intervals, the controls, and whether the bar is met by the values."""
    name = verdict.claim.target["group"]
    scores = {s.name: {"value": s.value, "low": s.low, "high": s.high, "n": s.n} for s in verdict.scores}
    controls = [
        {"n": c.n, "n_won": c.n_won, "scores": {s.name: [s.low, s.value, s.high] for s in c.scores}}
        for c in verdict.controls
    ]
    met = all(
        scores[p.score]["value"] >= p.threshold if p.relation == ">=" else scores[p.score]["value"] <= p.threshold
        for p in BARS[name]
    )
    return {
        "status": verdict.status.value,
        "evidence_level": verdict.evidence_level.value,
        "n_features": verdict.facts["n_units"],
        "scores": scores,
        "controls_low_mean_high": controls,
        "bar_met": met,
        "notes": list(verdict.notes),
    }


def judge_groups(
    model: Model, task: NumberTask, seed: int, units: UnitStatistics, grouping: Grouping, dictionary: Dictionary
) -> dict[str, Any]:
    """Both groups judged on the half they were not found on."""
    _, judging = split_half(len(task), seed)
    stated = Statement(
        model_hash=model.hash,
        task=task.rows(judging),
        units=units,
        rule=grouping.rule.to_json(),
        split_seed=seed,
        n_population=len(task),
        control_seed=seed,
        dictionary=dictionary.name,
    )
    claims = [stated.suppression(name, grouping.groups[name], f"the {name} group", WEAK[name]) for name in GROUPS]
    verdicts = judge_suppression(model, claims, stated.task, units, dictionary=dictionary)
    return {name: describe_verdict(verdict) for name, verdict in zip(GROUPS, verdicts, strict=True)}


def neuron_groups(model: Model, task: NumberTask, activations: np.ndarray, seed: int) -> dict[str, Any]:
    """What suppressing the groups of neurons does: the mark that features are to be held against, without controls."""
    half, judging = split_half(len(task), seed)
    units, grouping = group(activations, UnitSet(model).every(), half)
    edits = [suppression_edits(grouping.groups[name], units) for name in GROUPS]
    judged = task.rows(judging)
    answers = edited_answers(model, judged.tokens, edits)
    return {name: judged.means(row) for name, row in zip(GROUPS, answers, strict=True)}


def floor(task: NumberTask) -> float:
    """The share of prompts that the best constant decade answers within ±5 when the units digit is always right."""
    numbers = np.arange(task.answers.max() + 1)
    nearest = [np.mean((task.answers >= low) & (task.answers < low + 10)) for low in numbers]
    return float(max(nearest))


def medians(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The medians that the bars are about, and which bars hold."""

    def median(name: str, score: str) -> float:
        return statistics.median(row["judged"][name]["scores"][score]["value"] for row in rows)

    found = {
        name: {score: median(name, score) for score in ("exact", "within_5", "units_digit", "error")} for name in GROUPS
    }
    n_won = sum(c["n_won"] for row in rows for v in row["judged"].values() for c in v["controls_low_mean_high"])
    untested = sum(not v["controls_low_mean_high"] for row in rows for v in row["judged"].values())
    shares = {
        key: statistics.median(row["influence"]["both"][key] for row in rows) for key in rows[0]["influence"]["both"]
    }
    holds = {
        name: all(
            found[name][p.score] >= p.threshold if p.relation == ">=" else found[name][p.score] <= p.threshold
            for p in BARS[name]
        )
        for name in GROUPS
    }
    return {
        **found,
        "influence_of_both": shares,
        "controls_that_won": n_won,
        "groups_without_controls": untested,
        "bars": {
            **{name: {"predictions": [str(p) for p in BARS[name]], "held": holds[name]} for name in GROUPS},
            "no random group": {"held": n_won == 0 and untested == 0},
            "influence everywhere >= 0.8": {"held": shares["everywhere"] >= INFLUENCE_BAR},
        },
    }


def main() -> None:
    """Every seed and kind; results with the machine they come from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "addition_features.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    # Tracing switches a model to eager attention; the one that is judged keeps its own.
    model, traced = Model.from_pretrained(ADDITION_FOLDER), Model.from_pretrained(ADDITION_FOLDER)
    tokens, answers = addition_prompts()
    task = NumberTask(tokens, answers.numpy(), token_numbers(model.token_strings(range(model.n_vocab))))
    data, seen = addition_activations(model), last_activations(model, tokens)
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in options.kinds}
    for seed in range(options.seeds):
        for kind in options.kinds:
            cpu = time.process_time()
            dictionary = train_addition_dictionaries(seed, (kind,), model=model, data=data)[kind]
            cpu = time.process_time() - cpu
            activations = last_activations(model, tokens, dictionary=dictionary)
            features = UnitSet(model, dictionary).every()
            units, grouping = group(activations, features, split_half(len(task), seed)[0])
            row = {
                "seed": seed,
                "training_cpu_seconds": round(cpu, 1),
                **vars(evaluate_addition_dictionary(dictionary, data)),
                "n_live": grouping.n_live,
                "groups": {name: len(members) for name, members in grouping.groups.items()},
                "judged": judge_groups(model, task, seed, units, grouping, dictionary),
                "influence": influence(traced, dictionary, grouping),
            }
            rows[kind].append(row)
            said = {
                name: {s: round(v["value"], 4) for s, v in row["judged"][name]["scores"].items()} for name in GROUPS
            }
            print(kind, seed, [round(v, 4) for v in row["fvu_last"]], said, row["influence"]["both"], flush=True)
    record = {
        "machine": describe(),
        "prompt": PROMPT,
        "n_judged": len(task) // 2,
        "floor_within_5": floor(task),
        "neurons": [neuron_groups(model, task, seen, seed) for seed in range(options.seeds)],
        "kinds": {kind: {"medians": medians(found), "seeds": found} for kind, found in rows.items()},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps({kind: part["medians"] for kind, part in record["kinds"].items()}, indent=1))


if __name__ == "__main__":
    main()
