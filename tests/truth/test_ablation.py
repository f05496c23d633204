"""What is on a path to the answer, against what silencing does to the model."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from truescope.truth import compile_program, named_programs, prompts, random_program
from truescope.truth.compiled.ablation import NEEDED
from truescope.truth.compiled.weights import Norms

VARIANTS: tuple[Norms, ...] = ("identity", "balanced")
# Maps of categories without rows for None and heads that copy: nothing there is kept silent by what is active.
PLAIN = ["copy_last", "reverse", "induction", "two_hop", "two_hop_in_place", "modular_addition"]
PLAIN += [name for name in named_programs() if name.startswith("boolean")]


@pytest.mark.parametrize("norms", VARIANTS)
@pytest.mark.parametrize("name", PLAIN)
def test_silencing_what_is_on_no_path_changes_nothing(name: str, norms: Norms) -> None:
    compiled = compile_program(named_programs()[name], norms)
    for prompt in prompts(compiled.program, 4):
        on_path = compiled.truth(prompt).on_path
        effects = compiled.effects(prompt)
        off = {node: effect for node, effect in effects.items() if node not in on_path}
        assert off
        assert max(off.values()) < NEEDED, (prompt, max(off, key=lambda node: off[node]))


@pytest.mark.parametrize("norms", VARIANTS)
@pytest.mark.parametrize("name", named_programs())
def test_silencing_what_is_used_changes_the_answer_on_some_prompt(name: str, norms: Norms) -> None:
    compiled = compile_program(named_programs()[name], norms)
    largest: dict[tuple[str, int, int], float] = defaultdict(float)
    used = set()
    for prompt in prompts(compiled.program, 12):
        true, effects = compiled.truth(prompt), compiled.effects(prompt)
        for node in true.nodes:
            if node.kind in ("unit", "head"):
                part = (node.kind, node.layer, node.index)
                largest[part] = max(largest[part], effects[node.id])
                if node.on_path:
                    used.add(part)
    idle = {part for part in used if largest[part] < NEEDED}
    if name == "boolean_redundant_or":
        # Each copy of the OR is on a path, and neither is ever needed: the other is enough.
        copies = {("unit", n.layer, n.index) for n in compiled.layout.neurons if n.step in ("left", "right")}
        assert idle == used & copies and idle
    elif name == "sort":
        # A digit that is left is passed, so the head that counts the digits up to 2 decides nothing.
        heads = {("head", h.layer, h.index) for h in compiled.layout.heads if h.step == "n_upto_2"}
        assert idle == heads
    else:
        assert not idle


def test_redundant_copies_are_needed_together() -> None:
    compiled = compile_program(named_programs()["boolean_redundant_or"])
    prompt = ("<bos>", "T", "F")
    copies = {node.id for node in compiled.truth(prompt).nodes if node.name.startswith(("left", "right"))}
    assert len(copies) == 2 and copies <= compiled.used(prompt)
    assert not copies & compiled.needed(prompt)
    both = [n for n in compiled.layout.neurons if n.step in ("left", "right")]
    before = compiled.answers([prompt])
    for neuron in both:
        block: Any = compiled.model.transformer.h[neuron.layer]
        block.mlp.c_proj.weight[neuron.index] = 0.0
    assert before == [["<bos>", "T"]] and compiled.answers([prompt]) == [["<bos>", "<bos>"]]


def test_a_part_that_keeps_a_neuron_silent_is_used_though_on_no_path() -> None:
    # The first bracket closes: its −1 keeps the depth of the pair below the level of "zero".
    compiled = compile_program(named_programs()["bracket_balance"])
    found = 0
    for prompt in prompts(compiled.program, 6):
        off = compiled.used(prompt) - compiled.truth(prompt).on_path
        assert off == compiled.needed(prompt) - compiled.truth(prompt).on_path
        found += bool(off)
    assert found


def test_decoys_are_never_used() -> None:
    for program in [*named_programs().values(), *(random_program(seed) for seed in range(4))]:
        compiled = compile_program(program, "balanced")
        drawn = prompts(program, 2)
        decoys = {("unit", n.layer, n.index) for n in compiled.layout.neurons if n.decoy}
        decoys |= {("head", h.layer, h.index) for h in compiled.layout.heads if h.decoy}
        assert decoys and not compiled.used_parts(drawn) & decoys
