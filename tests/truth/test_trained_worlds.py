"""The sorter and the induction heads: the shipped weights have the facts, an untrained model has none of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2LMHeadModel

from truescope.core.errors import UsageError
from truescope.models import Model
from truescope.truth import Fact, induction, sorter
from truescope.truth.attention_only import Recipe, untrained
from truescope.truth.facts import check_fact
from truescope.truth.induction import INDUCTION_FOLDER, check_induction
from truescope.truth.sorter import SORTER_FOLDER, check_sorter

CHECKS = {"sorter": (SORTER_FOLDER, check_sorter), "induction": (INDUCTION_FOLDER, check_induction)}


def _load(folder: Path) -> GPT2LMHeadModel:
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert isinstance(loaded, GPT2LMHeadModel)
    return loaded.eval()


@pytest.mark.parametrize("world", CHECKS)
def test_every_fact_holds_as_the_card_says(world: str) -> None:
    folder, check = CHECKS[world]
    card = json.loads((folder / "card.json").read_text())
    found = check(_load(folder))
    assert [fact["measure"] for fact in card["facts"]] == [checked.fact.measure for checked in found]
    for checked, written in zip(found, card["facts"], strict=True):
        assert checked.holds, str(checked)
        assert checked.score.value == pytest.approx(written["measured"], abs=1e-3)
    assert (folder / "model.safetensors").stat().st_size < 1 << 20


def test_an_untrained_model_has_none_of_the_facts() -> None:
    for module, check in ((sorter, check_sorter), (induction, check_induction)):
        torch.manual_seed(0)
        model = untrained(module.RECIPE, len(module.VOCABULARY), module.CONTEXT, module.BOS).eval()
        found = [checked for checked in check(model) if checked.fact.measure != "lost_without_previous"]
        assert found and not any(checked.holds for checked in found), [str(checked) for checked in found]


def test_the_sorter_sorts_in_words() -> None:
    model = Model.from_pretrained(SORTER_FOLDER)
    prompt = "4 0 7 9 2 ="
    for digit in "02479":
        answer = int(model.run(model.tokens(prompt)).logits[0, -1].argmax())
        assert model.token_strings([answer]) == [digit]
        prompt += f" {digit}"


def test_the_induction_heads_go_on_in_words() -> None:
    model = Model.from_pretrained(INDUCTION_FOLDER)
    answer = int(model.run(model.tokens("k c x e b m z x e")).logits[0, -1].argmax())
    assert model.token_strings([answer]) == ["b"]


def test_sets_and_sequences_are_what_they_say() -> None:
    trained, held_out = sorter.digit_sets()
    assert (len(trained), len(held_out)) == (202, 50)
    assert len(torch.cat([trained, held_out]).unique(dim=0)) == 252
    tokens = sorter.held_out_sequences()
    assert len(tokens) == 1000 and torch.equal(tokens[:, 7:], tokens[:, 1:6].sort(1).values)
    drawn, copied = induction.fresh_sequences()
    rows, positions = copied.nonzero(as_tuple=True)
    source = copied[rows, positions]
    assert torch.equal(drawn[rows, positions], drawn[rows, source])
    assert torch.equal(drawn[rows, positions - 1], drawn[rows, source - 1]), "a run goes on as its block did"


def test_a_fact_without_a_measure_is_refused() -> None:
    with pytest.raises(UsageError, match="attends_after"):
        check_fact(Fact("?", "attends_aftr", 0.5), None, induction.MEASURES)


@pytest.mark.slow
@pytest.mark.parametrize("world", CHECKS)
def test_training_anew_gives_the_facts(world: str, tmp_path: Path) -> None:
    save = {"sorter": sorter.save_sorter, "induction": induction.save_induction}[world]
    card = save(tmp_path, 0)
    assert all(fact["low"] >= fact["at_least"] for fact in card["facts"])  # type: ignore[union-attr]


def test_a_short_training_runs_from_the_script_to_a_folder_that_loads(tmp_path: Path) -> None:
    recipe = Recipe(n_layers=1, n_heads=1, d_model=8, steps=3, batch=4)
    card = sorter.save_sorter(tmp_path, 0, recipe)
    assert card["recipe"]["steps"] == 3  # type: ignore[index]
    model = Model.from_pretrained(tmp_path)
    assert model.tokens("1 2 =").tolist() == [sorter.BOS, 1, 2, sorter.EQUALS]
