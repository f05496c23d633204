"""No sentence that the package can write says more than its evidence; words that do are found."""

from __future__ import annotations

import json
from itertools import product

import pytest
from planted_digits import UNITS_GROUP, planted_model, planted_statement
from some_claims import some_claim, some_verdict

from truescope.core import ClaimError, ClaimType, EvidenceLevel, Status, lint, sentence
from truescope.judge import Ledger, check_words, find_conflicts, read_records
from truescope.judge.statements import ASSUMPTIONS, METRIC, OBJECTS, THREATS

LEVELS = list(EvidenceLevel)
CAUSAL = ["causes", "controls", "drives", "uses", "knows", "raises", "determines", "triggers"]


@pytest.mark.parametrize("verb", CAUSAL)
def test_causal_verbs_fail_below_e3(verb: str):
    for name, level in product(("Feature 3/17", "Neuron 17", "The group"), LEVELS):
        found = lint(f"{name} {verb} the units digit", level)
        assert [f.word for f in found] == ([] if level >= EvidenceLevel.E3 else [verb]), (name, level)
        assert all("E3" in str(f) for f in found)


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("The neurons control the digit", EvidenceLevel.E3),
        ("The answer is driven by two neurons", EvidenceLevel.E3),
        ("This leads to a wrong answer", EvidenceLevel.E3),
        ("The model reads the digit and uses it", EvidenceLevel.E3),
        ("It was shown to cause refusals", EvidenceLevel.E3),
        ("The group is needed for the digit", EvidenceLevel.E4),
        ("The heads implement induction", EvidenceLevel.E5),
        ("The year can be read from layer 3", EvidenceLevel.E2),
    ],
)
def test_each_verb_needs_its_level(text: str, needs: EvidenceLevel):
    assert [level for level in LEVELS if not lint(text, level)] == [level for level in LEVELS if level >= needs]


@pytest.mark.parametrize(
    "text",
    [
        "Feature 3/17 is associated with the digit, beside 100 controls and the use of 3 seeds",
        "Detects, does not control: it never drives the answer",
        "the label “what drives a car” separates where feature 3/17 is active",
        "0 of 100 matched controls did the same",
    ],
)
def test_nouns_denials_and_quoted_names_are_let_through(text: str):
    assert lint(text, EvidenceLevel.E1) == []


def test_mechanistic_is_never_said_alone():
    for level in LEVELS:
        assert lint("A mechanistic explanation", level)
        assert lint("It mechanistically explains", level)
        assert lint(level.sense, level) == []
    assert EvidenceLevel.E1.sense == "internal, descriptive (broad-technical)"
    assert EvidenceLevel.E4.sense == "causal (narrow-technical)"


def _every_verdict():
    for kind, status in product(ClaimType, Status):
        claim = some_claim(kind)
        levels = [EvidenceLevel.E0, EvidenceLevel.E1, *kind.levels] if status is Status.HELD else [None]
        for level in levels:
            yield some_verdict(claim, status, level, notes=("the model uses something else",))


def test_every_sentence_that_can_be_generated_passes_the_linter():
    seen = set()
    for verdict in _every_verdict():
        for bare in (verdict.claim, some_claim(verdict.claim.type, target={"group": "magnitude"}),
                     some_claim(verdict.claim.type, target={"features": ["0/1", "0/2"]})):  # fmt: skip
            said = sentence(bare, verdict.to_json(worded=False))
            assert lint(said, verdict.evidence_level) == [], said
            assert not lint(said, EvidenceLevel.E5)
            assert said[0].isupper() and said.endswith(".") and "{" not in said
            seen.add(said)
        if verdict.status is not Status.NOT_TESTABLE:
            assert verdict.evidence_level.sense in verdict.sentence
    assert len(seen) > 100


def test_what_did_not_hold_is_not_asserted():
    claim = some_claim(ClaimType.NECESSITY)
    held, failed = some_verdict(claim), some_verdict(claim, Status.FAILED)
    assert held.sentence.startswith("Feature 3/17 is needed for the digit, on this data: effect 0.8 [0.75, 0.85]")
    assert "causal (narrow-technical)" in held.sentence
    assert failed.sentence.startswith("The necessity of feature 3/17 for the digit was tested and failed: effect 0.3")
    assert "needed" not in failed.sentence and "internal, descriptive" in failed.sentence
    below = some_verdict(claim, Status.HELD, EvidenceLevel.E1)
    assert below.sentence.startswith("Feature 3/17 is associated with the digit")


def test_every_claim_template_passes_the_linter_at_its_types_ceiling():
    statement = planted_statement(planted_model(), n=200)
    claims = [
        statement.units_digits(UNITS_GROUP),
        statement.magnitude(UNITS_GROUP),
        statement.neighbourhood(UNITS_GROUP),
    ]
    for claim in claims:
        check_words(claim)
        assert lint(claim.text, EvidenceLevel.E1) == []  # they say what is done and seen, at any level
    for text in (*OBJECTS.values(), *ASSUMPTIONS, *THREATS, METRIC):
        assert lint(text, EvidenceLevel.E1) == []
    for kind in ClaimType:
        assert lint(kind.noun.format(x="X", y="Y"), EvidenceLevel.E0) == []
        assert lint(kind.held.format(x="X", y="Y"), kind.ceiling) == []


def test_the_ledger_refuses_words_that_the_type_can_never_earn(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    with pytest.raises(ClaimError, match="more than a claim of association") as error:
        ledger.state(some_claim(text="Feature 3/17 drives the digit"))
    assert '"drives" needs E3' in str(error.value)
    ledger.state(some_claim(ClaimType.NECESSITY, text="Feature 3/17 drives the digit"))
    with pytest.raises(ClaimError, match="alone"):
        ledger.state(some_claim(ClaimType.MECHANISM, text="A mechanistic account of the digit"))


def test_every_sentence_in_a_ledger_and_about_its_conflicts_passes(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for kind in ClaimType:
        if kind is ClaimType.MECHANISM:
            continue
        for n, status in enumerate((Status.HELD, Status.FAILED)):
            claim = some_claim(kind, population={"n": n})
            ledger.state(claim)
            ledger.append(some_verdict(claim, status))
    records = read_records(ledger.entries())
    conflicts = find_conflicts(records)
    assert {c.kind for c in conflicts} == {"detects, does not control", "acts, does not detect", "opposite outcomes"}
    for said, level in [(r.sentence, r.level) for r in records] + [(c.sentence, EvidenceLevel.E1) for c in conflicts]:
        assert lint(said, level) == [], said
    assert json.dumps([record.to_json() for record in records])
