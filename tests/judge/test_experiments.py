"""The bench of experiments: on units that write straight to the logits an effect is the dose, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from truescope.core.claims import Prediction, Status
from truescope.core.errors import ClaimError
from truescope.core.evidence import ClaimType, EvidenceLevel
from truescope.core.features import Feature
from truescope.dictionaries import Dictionary
from truescope.dictionaries import Group as DictionaryGroup
from truescope.judge import NumberTask
from truescope.judge.experiments import Bench, Design, Group, Pairs, judge_dose_response, judge_necessity, judge_path
from truescope.models import Model
from truescope.truth import Compiled, compile_program, exact_transcoders, inputs, named_programs

DOSES = (0.0, 0.25, 0.5, 1.0, 2.0)
HALF = [Prediction("effect", ">=", 0.5)]


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return compile_program(named_programs()["modular_addition"], "identity")


@pytest.fixture(scope="module")
def bench(compiled: Compiled) -> Iterator[Bench]:
    model = Model(compiled.model, compiled.tokenizer, name=compiled.name)
    every = list(inputs(compiled.program))
    tokens = torch.stack([compiled.token_ids(prompt) for prompt in every])
    answers = model.run(tokens).logits[:, -1].argmax(-1).numpy()
    task = NumberTask(tokens, answers, np.arange(model.n_vocab, dtype=np.float64))
    yield Bench(model, Pairs.draw(task, 60, 0))


def _units(compiled: Compiled, *, decoys: bool) -> Group:
    return Group(tuple(Feature(n.layer, n.index) for n in compiled.layout.neurons if n.decoy == decoys))


def test_pairs_have_two_answers_each_and_a_hash_of_their_own(bench: Bench) -> None:
    pairs = bench.pairs
    assert len(pairs) == 60 and (pairs.answers != pairs.donor_answers).all()
    swapped = Pairs(pairs.donors, pairs.tokens, pairs.donor_answers, pairs.answers)
    assert swapped.hash != pairs.hash


def test_the_effect_is_the_dose_where_units_write_to_the_logits(bench: Bench, compiled: Compiled) -> None:
    group = _units(compiled, decoys=False)
    claim = Design(bench, 0, "directions").claim(
        group, "sums", "Setting the units of the sums raises the donor's sum", ClaimType.SUFFICIENCY, HALF,
        {"doses": list(DOSES)},
    )  # fmt: skip
    verdict = judge_dose_response(claim, bench, group, DOSES)
    assert verdict.status is Status.HELD and verdict.evidence_level is EvidenceLevel.E3
    for point in verdict.dose_response:
        assert point.score.value == pytest.approx(point.dose, abs=1e-5)
    with pytest.raises(ClaimError, match="other doses"):
        judge_dose_response(claim, bench, group, DOSES[1:])
    with pytest.raises(ClaimError, match="another features"):
        judge_dose_response(claim, bench, _units(compiled, decoys=True), DOSES)


def test_a_claim_on_one_dictionary_is_not_judged_on_another_of_its_name(bench: Bench, compiled: Compiled) -> None:
    known = exact_transcoders(compiled)
    groups = tuple(
        DictionaryGroup(k.reads, k.writes, k.W_enc, k.b_enc, k.W_dec, threshold=0 * k.b_enc + k.threshold)
        for k in known
    )
    bias = {site: value for k in known for site, value in k.b_dec.items()}
    first = Dictionary("exact", "transcoder", "jumprelu", groups, bias)
    other = replace(first, b_dec={site: value + 1 for site, value in bias.items()})
    units = _units(compiled, decoys=False).features
    claim = Design(bench, 0, "directions").claim(
        Group(units, dictionary=first), "sums", "It raises", ClaimType.SUFFICIENCY, HALF, {"doses": list(DOSES)}
    )
    with pytest.raises(ClaimError, match="another dictionary_hash"):
        judge_dose_response(claim, replace(bench, dictionary=other), Group(units, dictionary=other), DOSES)


def test_decoys_have_no_effect_at_any_dose(bench: Bench, compiled: Compiled) -> None:
    group = _units(compiled, decoys=True)
    claim = Design(bench, 0, "directions").claim(
        group, "decoys", "Setting the decoys raises the donor's sum", ClaimType.SUFFICIENCY, HALF, {"doses": [*DOSES]}
    )
    verdict = judge_dose_response(claim, bench, group, DOSES)
    assert verdict.status is Status.FAILED and verdict.evidence_level is EvidenceLevel.E1
    assert max(abs(point.score.value) for point in verdict.dose_response) < 1e-6


def test_means_say_nothing_of_an_answer_that_takes_all_of_a_group(bench: Bench, compiled: Compiled) -> None:
    group = _units(compiled, decoys=False)
    claim = Design(bench, 0, "directions").claim(
        group, "sums", "Without the units of the sums the sum is lost", ClaimType.NECESSITY,
        [Prediction("effect", ">=", 0.4)], {},
    )  # fmt: skip
    verdict = judge_necessity(claim, bench, group, bench.pairs.tokens)
    effect, other = verdict.scores
    # At the means every sum is as likely as another: half of the way, but for how often each is asked.
    assert effect.value == pytest.approx(0.5, abs=0.05) and other.name == "other_logits" and other.value > 0
    assert verdict.collateral == ("other_logits",)


def test_a_path_goes_up_and_doses_are_three_or_more(bench: Bench, compiled: Compiled) -> None:
    group = _units(compiled, decoys=False)
    design = Design(bench, 0, "directions")
    claim = design.claim(group, "sums", "It", ClaimType.MECHANISM, HALF, {"path": {"from": [], "through": []}})
    with pytest.raises(ClaimError, match="another path"):
        judge_path(claim, bench, group, Group(()))
    short = design.claim(group, "sums", "It", ClaimType.SUFFICIENCY, HALF, {"doses": [0.5, 1.0]})
    with pytest.raises(ClaimError, match="no doses of a dose-response"):
        judge_dose_response(short, bench, group, [0.5, 1.0])
    with pytest.raises(ClaimError, match="no controls 'unit'"):
        Design(bench, 0, "unit").claim(group, "sums", "It", ClaimType.SUFFICIENCY, HALF, {})
