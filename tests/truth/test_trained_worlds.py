"""The sorter and the induction heads: the shipped weights have the facts, an untrained model has none of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2LMHeadModel

from truescope.core.errors import ModelError, UsageError
from truescope.models import Model
from truescope.truth import Fact, induction, induction_heads, sorter
from truescope.truth.attention_only import Recipe, untrained
from truescope.truth.facts import check_fact
from truescope.truth.induction import INDUCTION_FOLDER, check_induction
from truescope.truth.sorter import SORTER_FOLDER, check_sorter
from truescope.truth.trained_graphs import induction_prompts, sorter_prompts

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


@pytest.mark.parametrize("seed", induction_heads.SEEDS)
def test_the_heads_do_what_their_card_says(seed: int) -> None:
    folder = induction_heads.INDUCTION_HEADS_FOLDER / str(seed)
    heads = induction_heads.known_heads(_load(folder))
    card = json.loads((folder / "card.json").read_text())
    assert card["seed"] == seed and heads.holds, [str(checked) for checked in heads.facts]
    assert [fact["head"] for fact in card["facts"]] == [
        None if checked.fact.head is None else list(checked.fact.head) for checked in heads.facts
    ]
    assert len({*heads.previous, *heads.induction, *heads.idle}) == 8


def test_an_untrained_model_has_no_known_heads() -> None:
    torch.manual_seed(0)
    model = untrained(induction_heads.RECIPE, len(induction.VOCABULARY), induction.CONTEXT, induction.BOS).eval()
    with pytest.raises(ModelError, match="no previous-token head"):
        induction_heads.known_heads(model)


@pytest.mark.parametrize("seed", sorter.SEEDS)
def test_sorters_of_every_seed_keep_the_wider_bounds(seed: int) -> None:
    found = check_sorter(_load(sorter.folder(seed)), sorter.FACTS_OF_EVERY_SEED)
    assert all(checked.holds for checked in found), [str(checked) for checked in found]


def test_known_graphs_point_at_the_tokens_that_the_answer_hangs_on() -> None:
    heads = induction_heads.known_heads(_load(induction_heads.INDUCTION_HEADS_FOLDER / "0"))
    for prompt in induction_prompts(20, 1, heads):
        used = [node for node in prompt.truth.nodes if node.kind == "token" and node.on_path]
        before, copied, last = sorted(used, key=lambda node: node.position)
        assert before.index == last.index == int(prompt.tokens[-1]) and copied.position == before.position + 1
        assert copied.index == prompt.target and copied.on_value_path and not last.on_value_path
        assert (prompt.tokens[1:] != prompt.corrupt[1:]).all() and len(prompt.other) == len(prompt.tokens)
        on_path = {(node.layer, node.index) for node in prompt.truth.nodes if node.kind == "head" and node.on_path}
        assert on_path == {*heads.previous, *heads.induction}
    for prompt in sorter_prompts(20, 1):
        given = int(prompt.tokens[-1])
        larger = [digit for digit in prompt.tokens[1 : sorter.LENGTH + 1].tolist() if digit > given]
        assert prompt.target == min(larger)
        assert {n.index for n in prompt.truth.nodes if n.on_path and n.kind == "token"} == {given, prompt.target}


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
