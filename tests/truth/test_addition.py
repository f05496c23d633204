"""The addition world is what its docstring says: it adds, and only MLPs write the answer."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel

from truescope.truth import addition
from truescope.truth.addition import ADDITION_FOLDER, ANSWER, Recipe


@pytest.fixture(scope="module")
def model() -> GPT2LMHeadModel:
    loaded = AutoModelForCausalLM.from_pretrained(ADDITION_FOLDER)
    assert isinstance(loaded, GPT2LMHeadModel)
    return loaded.eval()


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(ADDITION_FOLDER)


def test_every_sum_is_right_as_the_card_says(model: GPT2LMHeadModel) -> None:
    found = addition.addition_accuracy(model)
    card = json.loads((ADDITION_FOLDER / "card.json").read_text())
    assert found["accuracy"] == card["accuracy"] == 1.0
    assert found["tags_accuracy"] == card["tags_accuracy"] > 0.999
    assert found["p_answer_mean"] == pytest.approx(card["p_answer_mean"], abs=1e-3)
    assert card["n_parameters"] == sum(weight.numel() for weight in model.parameters())


def test_36_plus_59_is_95_with_high_probability(model: GPT2LMHeadModel, tokenizer) -> None:
    tokens = tokenizer("36+59=", return_tensors="pt").input_ids
    with torch.no_grad():
        p_next = model(tokens).logits[0, -1].softmax(-1)
    assert tokenizer.decode([int(p_next.argmax())]) == "95"
    assert p_next[95] > 0.9


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


def test_weights_are_finite_single_precision_and_small(model: GPT2LMHeadModel) -> None:
    for weight in model.parameters():
        assert weight.dtype == torch.float32 and weight.isfinite().all()
    assert (ADDITION_FOLDER / "model.safetensors").stat().st_size < 2_000_000


def test_the_frozen_parts_are_as_built(model: GPT2LMHeadModel) -> None:
    assert not model.config.tie_word_embeddings
    assert torch.equal(model.lm_head.weight, addition.number_unembedding())
    found, built = model.transformer.wte.weight, addition.number_embedding()
    digits = slice(addition.OPERAND_UNITS.start, addition.OPERAND_TENS.stop)
    assert torch.equal(found[:, digits], built[:, digits])
    tags = found[: addition.N_NUMBERS, addition.OPERAND_TAGS]
    assert torch.equal(tags.abs(), torch.full_like(tags, addition.TAG_SIZE))
    assert not model.lm_head.weight[:, addition.TAGS].any()
    units, magnitude = model.lm_head.weight[:, addition.UNITS], model.lm_head.weight[:, addition.MAGNITUDE]
    assert torch.equal(units[5], units[95])
    assert torch.equal(magnitude[95], magnitude[99])
    assert not torch.equal(magnitude[95], magnitude[94])


def test_only_mlps_write_to_the_answer_part(model: GPT2LMHeadModel) -> None:
    assert not model.transformer.wte.weight[:, ANSWER].any()
    assert not model.transformer.wpe.weight[:, ANSWER].any()
    for block in addition._blocks(model):
        assert not block.attn.c_proj.weight[:, ANSWER].any()
        assert not block.attn.c_proj.bias[ANSWER].any()
        assert block.mlp.c_proj.weight[:, ANSWER].any()


def test_without_its_mlps_it_cannot_tell_one_sum_from_another(model: GPT2LMHeadModel) -> None:
    tokens, answers = addition.addition_prompts()
    silence = [
        block.mlp.register_forward_hook(lambda m, i, o: torch.zeros_like(o)) for block in addition._blocks(model)
    ]
    with torch.no_grad():
        logits = model(tokens[::37]).logits[:, -1]
    for handle in silence:
        handle.remove()
    assert (logits.argmax(-1) == answers[::37]).double().mean() < 0.05


def test_training_repeats_itself_and_leaves_the_random_state_alone() -> None:
    recipe = Recipe(steps=2, batch=16)
    before = torch.random.get_rng_state()
    first, _ = addition.train_addition(seed=3, recipe=recipe)
    second, _ = addition.train_addition(seed=3, recipe=recipe)
    other, _ = addition.train_addition(seed=4, recipe=recipe)
    assert torch.equal(before, torch.random.get_rng_state())
    pairs = list(zip(first.parameters(), second.parameters(), strict=True))
    assert all(torch.equal(one, two) for one, two in pairs)
    assert not torch.equal(addition._blocks(first)[0].mlp.c_fc.weight, addition._blocks(other)[0].mlp.c_fc.weight)
    test_only_mlps_write_to_the_answer_part(first)


def test_a_neuron_with_one_job_pays_nothing() -> None:
    writes = torch.zeros(2, addition.D_MODEL)
    writes[0, addition.UNITS] = 3.0
    assert addition._several_jobs(writes) == 0
    writes[1, addition.UNITS.start], writes[1, addition.TAGS.start] = 2.0, 5.0
    assert addition._several_jobs(writes) == pytest.approx(2 * 2.0 * 5.0)
