"""A compiled model equals its interpreter on every input, in both variants, and loads as an ordinary checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from truescope.core.errors import UsageError
from truescope.models import Model
from truescope.truth import (
    Draft,
    Mean,
    Program,
    Select,
    answers,
    compile_program,
    inputs,
    interpret,
    named_programs,
    prompts,
    random_program,
)
from truescope.truth.compiled.weights import Norms

VARIANTS: tuple[Norms, ...] = ("identity", "balanced")


@pytest.mark.parametrize("norms", VARIANTS)
@pytest.mark.parametrize("name", named_programs())
def test_a_compiled_model_equals_its_interpreter_on_all_inputs(name: str, norms: Norms) -> None:
    program = named_programs()[name]
    every = list(inputs(program))
    assert compile_program(program, norms).answers(every) == [answers(program, prompt) for prompt in every]


def _n_different_answers(seed: int, norms: Norms) -> int:
    """Check one random program on all inputs; returns how many different answers it gives."""
    program = random_program(seed)
    every = list(inputs(program))
    wanted = [answers(program, prompt) for prompt in every]
    assert compile_program(program, norms).answers(every) == wanted, f"random program {seed}, {norms}"
    return len({answer for row in wanted for answer in row})


def test_200_random_programs_equal_their_interpreters_on_all_inputs() -> None:
    n_answers = [_n_different_answers(seed, VARIANTS[seed % 2]) for seed in range(200)]
    # They are not all constants: most give three or more different answers.
    assert sum(n >= 3 for n in n_answers) > 100


@pytest.mark.slow
@pytest.mark.parametrize("norms", VARIANTS)
def test_1000_random_programs_equal_their_interpreters_on_all_inputs(norms: Norms) -> None:
    for seed in range(1000):
        _n_different_answers(seed, norms)


# Written out by hand, not by the interpreter.
KNOWN = {
    "copy_last": ("a b c d", "<bos> a b c"),
    "reverse": ("a b b | b b", "<bos> <bos> <bos> b b a"),
    "sort": ("2 0 1 | 0", "<bos> <bos> <bos> 0 1"),
    "histogram": ("a b a a b", "1 1 2 3 2"),
    "bracket_balance": ("( ) ( ( ) )", "open balanced open open open balanced"),
    "fraction_of_previous": ("x y y x x", "1/1 1/2 1/3 1/2 3/5"),
    "induction": ("a b c a b a", "<bos> <bos> <bos> b c b"),
    "two_hop": ("Dallas capital state", "<bos> Austin Texas"),
    "two_hop_in_place": ("Fresno ?", "<bos> Sacramento"),
    "modular_addition": ("3 4 4", "<bos> 2 3"),
    "boolean_and": ("T T", "<bos> T"),
    "boolean_or": ("F T", "<bos> T"),
    "boolean_xor": ("T T", "<bos> F"),
    "boolean_redundant_or": ("F F", "<bos> F"),
    "boolean_chain": ("T T T F", "<bos> <bos> <bos> F"),
}


@pytest.mark.parametrize("norms", VARIANTS)
def test_the_named_programs_do_what_their_names_say(norms: Norms) -> None:
    assert set(KNOWN) == set(named_programs())
    for name, (prompt, wanted) in KNOWN.items():
        found = compile_program(named_programs()[name], norms).answers([("<bos>", *prompt.split())])[0]
        assert " ".join(found) == wanted, name


def test_the_balanced_variant_is_an_ordinary_checkpoint(tmp_path: Path) -> None:
    compiled = compile_program(named_programs()["two_hop"], "balanced")
    compiled.model.save_pretrained(tmp_path)
    compiled.tokenizer.save_pretrained(tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    tokens = compiled.token_ids(("<bos>", "Dallas", "capital"))
    assert torch.equal(plain(tokens[None]).logits, compiled.model(tokens[None]).logits)
    model = Model.from_pretrained(tmp_path)
    assert model.tokens("Dallas capital").tolist() == tokens.tolist()
    assert model.token_strings([int(model.run(model.tokens("Dallas capital")).logits[0, -1].argmax())]) == ["Austin"]


def test_the_balance_holds_every_denominator_constant() -> None:
    for name, program in named_programs().items():
        compiled = compile_program(program, "balanced")
        seen: dict[str, list[torch.Tensor]] = {}
        for norm_name, norm in compiled.model.named_modules():
            if "ln_" in norm_name:
                at = seen.setdefault(norm_name, [])
                norm.register_forward_pre_hook(lambda module, args, at=at: at.append(args[0].double()))
        compiled.logits(list(inputs(program))[:500])
        for norm_name, (x,) in seen.items():
            deviation = x.var(-1, unbiased=False).sqrt()
            spread = float((deviation.max() - deviation.min()) / deviation.mean())
            assert spread < 1e-5, f"{name}, {norm_name}: the denominator varies by {spread:.1e}"
            assert float(x.mean(-1).abs().max()) < 1e-6


def test_a_program_that_makes_no_sense_is_refused() -> None:
    ok = Select("tokens", "tokens", frozenset({("a", "a")}))
    with pytest.raises(UsageError, match="no earlier step makes"):
        Program("p", ("a",), 2, (Mean("m", Select("token", "tokens", ok.pairs), "tokens", ()),), "tokens")
    with pytest.raises(UsageError, match="numeric"):
        Program("p", ("a",), 2, (Mean("m", ok, "tokens", ()), Mean("n", ok, "m", ())), "tokens")
    with pytest.raises(UsageError, match="cannot answer"):
        Program("p", ("a",), 2, (Mean("m", ok, "tokens", ()),), "m")
    draft = Draft("ab", 3)
    draft.aggregate("x", draft.select("tokens", "tokens", lambda key, query: True), "tokens")
    several = draft.finish("several", "x")
    with pytest.raises(UsageError, match="must be unique"):
        interpret(several, ("<bos>", "a", "b"))
    with pytest.raises(UsageError, match="cannot read"):
        interpret(several, ("a", "b"))
    with pytest.raises(UsageError, match="no token"):
        compile_program(named_programs()["two_hop"]).token_ids(("<bos>", "Dalas"))


def test_prompts_have_answers_and_follow_their_seed() -> None:
    program = named_programs()["sort"]
    drawn = prompts(program, 20, seed=3)
    assert len(set(drawn)) == 20 and drawn == prompts(program, 20, seed=3) != prompts(program, 20, seed=4)
    assert all(answers(program, prompt)[-1] != "<bos>" for prompt in drawn)
