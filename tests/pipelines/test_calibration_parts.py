"""The parts of a calibration against what is known of the models that they measure."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch

from truescope.core.claims import Score
from truescope.core.errors import ModelError
from truescope.pipelines.calibration.autoencoders import autoencoder, autoencoder_rows
from truescope.pipelines.calibration.cells import FULL, QUICK, cells
from truescope.pipelines.calibration.collapse import Subject, chain_model, collapse_rows
from truescope.pipelines.calibration.expectations import expectations
from truescope.pipelines.calibration.figure import Bar, dots
from truescope.pipelines.calibration.known import TRUTHS, known_model, random_weights
from truescope.pipelines.calibration.qualities import quality, stands_for, unexplained
from truescope.pipelines.calibration.scoring import choice_rows, edge_matrices, edge_rows, node_rows
from truescope.pipelines.calibration.summaries import summarise
from truescope.pipelines.calibration.trained import random_rows, trained_rows, trained_world
from truescope.trace import direct_effects
from truescope.truth import named_programs, prompts, sorter

TWO_HOP = named_programs()["two_hop"]


@pytest.mark.parametrize("norms", ["identity", "balanced"])
def test_frozen_edges_and_attention_terms_are_the_truth(norms: str) -> None:
    known = known_model(TWO_HOP, norms, 2, seed=3)
    for prompt in known.prompts:
        frame = known.frame(prompt)
        assert frame.effects.closure_gap <= 1e-5
        np.testing.assert_allclose(frame.effects.weight[frame.candidates], frame.weight[frame.candidates], atol=2e-3)
        rows = {
            (r["method"], r["truth"], r["metric"]): r["value"]
            for r in edge_rows(frame, edge_matrices(frame.effects, frame))
        }
        assert rows["frozen graph", "direct", "auroc"] == 1.0
        assert rows["frozen graph, influence", "value path", "auroc"] == 1.0
        assert rows["frozen graph", "direct", "sign agreement"] == 1.0
        choices = {r["metric"]: r["value"] for r in choice_rows(known.model, frame)}
        assert choices["auroc"] == 1.0 and choices["closure gap"] <= 1e-5


def test_truths_are_nested_and_corrupt_prompts_answer_otherwise() -> None:
    known = known_model(TWO_HOP, "identity", 6, seed=1)
    for prompt in known.prompts:
        frame = known.frame(prompt)
        direct, value_path, used, moved = (frame.edges(truth) for truth in TRUTHS)
        assert not (value_path & ~used).any() and not (used & ~direct).any()
        assert (moved == used).all() and (frame.among("used, moved") <= frame.candidates).all()
        assert prompt.corrupt.shape == prompt.tokens.shape
    answers = [known.model.run(torch.stack([p.tokens, p.corrupt])).logits[:, -1].argmax(-1) for p in known.prompts]
    assert sum(int(a != b) for a, b in answers) >= 5


def test_a_random_model_does_not_rank_the_truth() -> None:
    known = known_model(TWO_HOP, "identity", 3, seed=2)
    model = random_weights(known.model, 0)
    areas = []
    for prompt in known.prompts:
        frame, other = known.frame(prompt), direct_effects(model, prompt.tokens, targets=[prompt.target])
        rows = edge_rows(frame, {"frozen graph": frame.align(other.weight, other)})
        areas += [row["value"] for row in rows if (row["truth"], row["metric"]) == ("direct", "auroc")]
        assert {row["level"] for row in node_rows(model, frame, other)} == {"unit", "head"}
    assert len(areas) == 3
    assert np.mean(areas) < 0.8


def test_dictionaries_are_of_the_quality_they_are_called() -> None:
    known = known_model(TWO_HOP, "identity", 1, seed=0)
    seen = [known.compiled.token_ids(tokens) for tokens in prompts(TWO_HOP, 60, 0)]
    missed = {
        name: unexplained(known.model, quality(known, name, "PLT", 0, seen), seen)
        for name in ("exact", "rotated", "shuffled", "random")
    }
    assert missed["exact"] < 1e-9
    assert min(missed["rotated"], missed["shuffled"], missed["random"]) > 0.3
    for kind in ("PLT", "CLT"):
        exact = quality(known, "exact", kind, 0, seen)
        assert unexplained(known.model, exact, seen) < 1e-9
        unit_of = stands_for(known.model, exact, seen)
        # Units that never vary stand for nothing, and twins may change places with each other only.
        assert unit_of and sum(a == b for a, b in unit_of.items()) >= 0.6 * len(unit_of)


@pytest.mark.parametrize("kind", ["SAE", "stream SAE"])
def test_exact_autoencoders_give_the_graph_of_the_variables(kind: str) -> None:
    rows = [r for one in autoencoder_rows(TWO_HOP, "exact", kind, "balanced", 0, 2, 3) for r in one]
    found = {(r["level"], r["method"], r["truth"], r["metric"]): r["value"] for r in rows}
    assert found["edge", "frozen graph", "direct", "auroc"] == 1.0
    assert found["edge", "frozen graph", "direct", "sign agreement"] == 1.0
    assert found["edge", "frozen graph", "direct", "closure gap"] <= 1e-5
    assert found["edge", "frozen graph, influence", "value path", "auroc"] == 1.0
    assert found["edge", "frozen graph", "direct", "unexplained"] < 1e-9
    # On two-hop every active variable's edge on a path moves the answer, so methods of all kinds find them.
    assert found["edge", "zero ablation", "used", "auroc"] >= 0.95
    assert found["edge", "gradient × input", "used", "auroc"] >= 0.95
    assert found["unit", "frozen graph, influence", "used", "auroc"] >= 0.9


@pytest.mark.parametrize("kind", ["SAE", "stream SAE"])
def test_spoilt_autoencoders_are_worse_and_close_all_the_same(kind: str) -> None:
    for quality_name in ("rotated", "shuffled", "random"):
        rows = [r for one in autoencoder_rows(TWO_HOP, quality_name, kind, "identity", 0, 2, 3) for r in one]
        direct = [
            r["value"] for r in rows if (r["method"], r["truth"], r["metric"]) == ("frozen graph", "direct", "auroc")
        ]
        assert np.mean(direct) < 0.95
        assert max(r["value"] for r in rows if r["metric"] == "closure gap") <= 1e-5
        assert min(r["value"] for r in rows if r["metric"] == "unexplained") > 0.2
        assert not any(r["level"] == "edge" and r["method"] == "gradient" for r in rows)


@pytest.mark.parametrize("kind", ["PLT", "CLT", "SAE", "stream SAE"])
def test_learned_dictionaries_learn(kind: str) -> None:
    """They miss little of what the model writes, at <bos> too."""
    known = known_model(TWO_HOP, "identity", 1, 0)
    seen = [known.compiled.token_ids(tokens) for tokens in prompts(TWO_HOP, 200, 1)]
    is_mlp = kind in ("PLT", "CLT")
    made = quality(known, "learned", kind, 0, seen) if is_mlp else autoencoder(known, "learned", kind, 0, seen)
    assert unexplained(known.model, made, seen) < 0.05


@pytest.mark.parametrize("depth", [2, 3])
def test_the_collapsed_transcoder_misses_nothing_and_hears_nothing(depth: int) -> None:
    found = {}
    for name, kind in (("exact PLT", "PLT"), ("exact CLT", "CLT"), ("collapsed CLT", "CLT")):
        rows = [row for prompt in collapse_rows(depth, Subject(name, kind), 4) for row in prompt]
        found[name] = {
            m: [r["value"] for r in rows if r["metric"] == m] for m in ("unexplained", "L0", "hops, graph", "response")
        }
        assert max(found[name]["unexplained"]) < 1e-9
    for name in ("exact PLT", "exact CLT"):
        assert found[name]["L0"][0] == depth
        np.testing.assert_allclose(found[name]["hops, graph"], depth)
        np.testing.assert_allclose(found[name]["response"], 1.0, atol=1e-5)
    assert found["collapsed CLT"]["L0"][0] == 1.0
    np.testing.assert_allclose(found["collapsed CLT"]["hops, graph"], 1.0)
    np.testing.assert_allclose(found["collapsed CLT"]["response"], 0.0, atol=1e-5)


def test_prompts_of_a_chain_hang_on_its_first_gate() -> None:
    known = chain_model(3, 4, seed=0)
    assert len(known.prompts) == 4
    assert {len(prompt.tokens) for prompt in known.prompts} == {5}


def test_summaries_average_prompts_then_programs() -> None:
    facts = {"group": "g", "dictionary": "d", "level": "edge", "method": "m", "truth": "t", "metric": "auroc"}
    values = {"a": [1.0, 0.0, 0.5, 0.5], "b": [1.0], "c": [0.9, None]}
    rows = [
        facts | {"program": name, "seed": 0, "prompt": n, "value": value}
        for name, found in values.items()
        for n, value in enumerate(found)
    ]
    (summary,) = summarise(rows, seed=0).values()
    assert summary.score.value == pytest.approx((0.5 + 1.0 + 0.9) / 3)
    assert (summary.score.n, summary.n_programs, summary.n_not_applicable, summary.worst) == (6, 3, 1, 0.0)
    assert 0.5 <= summary.score.low < summary.score.value < summary.score.high <= 1.0
    gaps = [row | {"metric": "closure gap", "value": v} for row, v in zip(rows[:3], (1e-8, 3e-6, 1e-7), strict=True)]
    (gap,) = summarise(gaps, seed=0).values()
    assert gap.score.value == gap.score.high == 3e-6
    assert summarise(rows[:1], seed=0) == {}


def test_every_cell_has_a_key_of_its_own_and_every_claim_a_cell() -> None:
    for size in (FULL, QUICK):
        every = cells(size, 7)
        assert len({cell.key for cell in every}) == len(every)
        subjects = {(cell.facts["group"], cell.facts["dictionary"]) for cell in every}
        claims = [(one, one.claim(size, 7, {})) for one in expectations(size)]
        assert len({claim.id for _, claim in claims}) == len(claims)
        for one, _ in claims:
            assert (one.parts[0], one.parts[1]) in subjects and one.control in subjects


def test_methods_find_what_the_induction_heads_rest_on_and_random_weights_do_not() -> None:
    found: dict[str, dict[tuple[str, str], float]] = {}
    for name, rows_of in (("trained", trained_rows), ("random", random_rows)):
        values = defaultdict(list)
        for rows in rows_of("induction heads", 0, 3, seed=5):
            for one in rows:
                if one["truth"] in ("direct", "used") and one["metric"] in ("auroc", "closure gap"):
                    values[one["level"], one["method"] + " gap" * (one["metric"] != "auroc")].append(one["value"])
        found[name] = {key: float(np.mean(value)) for key, value in values.items()}
    trained, random = found["trained"], found["random"]
    assert trained["edge", "frozen graph"] == 1.0 and trained["edge", "frozen graph gap"] <= 1e-5
    assert trained["choice", "QK attribution"] >= 0.99 and trained["token", "zero ablation"] >= 0.99
    for key in (("edge", "frozen graph"), ("token", "zero ablation"), ("head", "zero ablation")):
        assert trained[key] >= 0.9 > random[key]
    # What a head without work could do is much, what it does is nothing.
    assert trained["whole head", "zero ablation"] >= 0.9 > 0.75 > trained["whole head", "gradient"]


def test_a_world_whose_facts_fail_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = tuple(replace(fact, at_least=1.1) for fact in sorter.FACTS_OF_EVERY_SEED)
    monkeypatch.setattr(sorter, "FACTS_OF_EVERY_SEED", strict)
    with pytest.raises(ModelError, match="sorter of seed 1 is not what it should be"):
        trained_world("sorter", 1, 1, 0)


def test_the_figure_is_whole() -> None:
    bars = [
        Bar("a < b", Score("auroc", 0.8, 0.7, 0.9, 5), Score("auroc", 0.5, 0.4, 0.6, 5)),
        Bar("c", Score("auroc", 1.0, 1.0, 1.0, 5), None),
    ]
    root = ET.fromstring(dots([("edges", bars), ("units", bars[:1])], "title"))
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 5
    assert all(math.isfinite(float(circle.get("cx", "nan"))) for circle in circles)
