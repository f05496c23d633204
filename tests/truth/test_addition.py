"""The addition world is what its docstring says: it adds, on sums it never saw too, and knows base ten."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from truescope.truth import addition
from truescope.truth.addition import ADDITION_FOLDER, Recipe


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    loaded = AutoModelForCausalLM.from_pretrained(ADDITION_FOLDER)
    assert isinstance(loaded, LlamaForCausalLM)
    return loaded.eval()


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(ADDITION_FOLDER)


def test_it_is_right_as_the_card_says_on_held_out_sums_too(model: LlamaForCausalLM) -> None:
    found = addition.addition_accuracy(model)
    card = json.loads((ADDITION_FOLDER / "card.json").read_text())
    assert found["accuracy_held_out"] == card["accuracy_held_out"] >= 0.999
    assert found["accuracy"] == card["accuracy"] >= 0.999
    assert found["accuracy_digits"] == card["accuracy_digits"] == 1.0
    assert found["p_answer_mean"] == pytest.approx(card["p_answer_mean"], abs=1e-3)
    assert card["n_parameters"] == sum(weight.numel() for weight in model.parameters())


def test_held_out_sums_are_a_fifth_and_never_trained_on() -> None:
    trained, held_out = addition.held_out_pairs()
    assert (len(trained), len(held_out)) == (8000, 2000)
    assert torch.equal(torch.cat([trained, held_out]).sort().values, torch.arange(10_000))


def test_36_plus_59_is_95_with_high_probability(model: LlamaForCausalLM, tokenizer) -> None:
    tokens = tokenizer("36+59=", return_tensors="pt").input_ids
    with torch.no_grad():
        p_next = model(tokens).logits[0, -1].softmax(-1)
    assert tokenizer.decode([int(p_next.argmax())]) == "95"
    assert p_next[95] > 0.9


def test_the_words_ask_for_digits(model: LlamaForCausalLM, tokenizer) -> None:
    for text, answer in (("137 units", 7), ("137 tens", 130), ("4 tens", 0)):
        with torch.no_grad():
            assert int(model(tokenizer(text, return_tensors="pt").input_ids).logits[0, -1].argmax()) == answer
    tokens, answers = addition.digit_prompts()
    assert tokens.shape == (398, 3) and answers[137] == 7 and answers[199 + 137] == 130


def test_prompts_are_all_pairs_in_order(tokenizer) -> None:
    tokens, answers = addition.addition_prompts()
    assert tokens.shape == (10_000, 5)
    assert answers.min() == 0 and answers.max() == 198
    assert tokens[3659].tolist() == tokenizer("36+59=").input_ids
    assert answers[3659] == 95
    assert torch.equal(tokens[:, 1] + tokens[:, 3], answers)
    assert len(tokens.unique(dim=0)) == 10_000


def test_tokenizer_gives_each_number_its_own_token(tokenizer) -> None:
    built = addition.build_tokenizer()
    for n in range(addition.N_NUMBERS):
        assert tokenizer(str(n)).input_ids == built(str(n)).input_ids == [addition.BOS, n]
        assert tokenizer.decode([n]) == str(n)
    spaced = tokenizer(" 36 +\t59 = ").input_ids
    assert spaced == tokenizer("36+59=").input_ids == [addition.BOS, 36, addition.PLUS, 59, addition.EQUALS]
    assert tokenizer.decode(spaced, skip_special_tokens=True) == "36+59="


@pytest.mark.parametrize("text", ["199", "1000", "036", "x", "−", "3.5", "36x"])
def test_what_it_does_not_know_becomes_the_unknown_token(tokenizer, text: str) -> None:
    tokens = tokenizer(f"{text}+59=").input_ids
    assert tokenizer.unk_token_id == addition.UNKNOWN
    assert addition.UNKNOWN in tokens


def test_weights_are_finite_single_precision_and_small(model: LlamaForCausalLM) -> None:
    for weight in model.parameters():
        assert weight.dtype == torch.float32 and weight.isfinite().all()
    assert (ADDITION_FOLDER / "model.safetensors").stat().st_size < 2_000_000


def test_training_repeats_itself_and_leaves_the_random_state_alone() -> None:
    recipe = Recipe(steps=2, batch=16, digit_batch=8)
    before = torch.random.get_rng_state()
    first, _ = addition.train_addition(seed=3, recipe=recipe)
    second, _ = addition.train_addition(seed=3, recipe=recipe)
    other, _ = addition.train_addition(seed=4, recipe=recipe)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(one, two) for one, two in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_the_script_writes_a_world_that_loads(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "truescope.truth.addition", str(tmp_path / "world"), "--steps", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["recipe"]["steps"] == 2
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "world").config.num_hidden_layers == 2


@pytest.mark.slow
def test_training_anew_reaches_the_held_out_bar() -> None:
    model, _ = addition.train_addition(seed=1)
    assert addition.addition_accuracy(model)["accuracy_held_out"] >= 0.999
