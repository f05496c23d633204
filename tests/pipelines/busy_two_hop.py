"""A compiled model whose path is known, among many units that work on the same prompts and are read by nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from truescope.truth import Compiled, Draft, compile_program
from truescope.truth.compiled.program import POSITION, TOKENS

N_KEYS, N_MIDDLES, N_IDLE = 12, 4, 4
KEYS = tuple(f"k{n}" for n in range(N_KEYS))


def busy_two_hop() -> Compiled:
    """At "?": key before → middle → answer, one map a layer; beside them other pairs of maps that nothing reads."""
    draft = Draft((*KEYS, "?"), 3, words=tuple(f"a{n}" for n in range(N_MIDDLES)))
    before = draft.select(POSITION, POSITION, lambda key, query: key == query - 1)
    draft.aggregate("key", before, TOKENS)
    for n in range(N_IDLE + 1):
        step = "middle" if n == N_IDLE else f"idle{n}"
        values = [f"m{i % N_MIDDLES}" for i in range(N_KEYS)]
        random.Random(n).shuffle(values)
        draft.map(step, ("key",), dict(zip(KEYS, values, strict=True)).get)
        if n < N_IDLE:
            draft.map(f"idle{n} on", (step,), lambda value: value and f"b{value[1:]}")
    output = draft.map(
        "answer", ("middle", TOKENS), lambda value, word: (value and word == "?" and f"a{value[1:]}") or None
    )
    return compile_program(draft.finish("busy_two_hop", output, "two maps among idle ones"), "balanced")


def units(compiled: Compiled, *steps: str) -> list[str]:
    """The units of some steps, as a case names them."""
    return [f"{n.layer}/{n.index}" for n in compiled.layout.neurons if n.step in steps]


def case(folder: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Save the model, and give a case of its prompts without experiments, and the units of its hops by name."""
    compiled = busy_two_hop()
    compiled.model.save_pretrained(folder)
    compiled.tokenizer.save_pretrained(folder)
    prompts = [("<bos>", first, second, "?") for first in KEYS for second in KEYS]
    answers = [answer[-1] for answer in compiled.answers(prompts)]
    record = {
        "model": str(folder),
        "prompts": [
            {"prompt": " ".join(prompt[1:]), "answer": f" {answer}"}
            for prompt, answer in zip(prompts, answers, strict=True)
        ],
    }
    groups = {"up": units(compiled, "middle"), "down": units(compiled, "answer"), "idle": units(compiled, "idle0 on")}
    return record, groups | {"idle up": units(compiled, "idle0")}
