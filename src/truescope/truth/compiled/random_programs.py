"""Random programs: a few random steps, each over random earlier variables, with random tables."""

from __future__ import annotations

import random

from truescope.truth.compiled.program import POSITION, TOKENS, Draft, Program, Select, Tie, Value

_ALPHABET, _N_POS = ("a", "b", "c"), 4
_LARGEST_TABLE = 24


def random_program(seed: int, n_steps: int | None = None) -> Program:
    """The program of a seed: tokens a, b, c, four positions, ``n_steps`` steps (by default two to five) and an output.

    A step is, with equal chance, a map of one or two variables, an aggregation, or a number (a mean or a width) with
    the map that reads it. The output maps the last variable and one other to tokens.
    """
    dice = random.Random(f"program {seed}")
    draft = Draft(_ALPHABET, _N_POS)
    variables = [TOKENS, POSITION]
    for i in range(n_steps if n_steps is not None else dice.randint(2, 5)):
        make = dice.choice((_map, _aggregate, _number))
        variables.append(make(draft, f"v{i}", variables, dice))
    inputs = _inputs(draft, [variables[-1]], variables, dice)
    output = _table(draft, "out", inputs, list(_ALPHABET), dice)
    return draft.finish(f"random_{seed}", output, "a random program")


def _values(draft: Draft, name: str) -> tuple[Value, ...]:
    return draft.finish("draft", TOKENS).values(name)


def _inputs(draft: Draft, first: list[str], variables: list[str], dice: random.Random) -> list[str]:
    """``first`` and, where the table stays small, one more variable."""
    other = dice.choice(variables)
    size = (1 + len(_values(draft, first[0]))) * (1 + len(_values(draft, other)))
    return [*first, other] if other not in first and size <= _LARGEST_TABLE else first


def _table(draft: Draft, name: str, inputs: list[str], outputs: list[Value], dice: random.Random) -> str:
    """A map with random rows, some of them missing, in half of the cases for None as well; every output occurs."""
    nones = dice.random() < 0.5
    waiting = list(outputs)

    def row(*case: Value | None) -> Value | None:
        if None not in case and waiting:
            return waiting.pop()
        return dice.choice([*outputs, *outputs, None])

    return draft.map(name, inputs, row, nones)


def _map(draft: Draft, name: str, variables: list[str], dice: random.Random) -> str:
    inputs = _inputs(draft, [dice.choice(variables)], variables, dice)
    n_rows = len(_values(draft, inputs[0]))
    return _table(draft, name, inputs, list(range(dice.randint(1, min(3, n_rows)))), dice)


def _select(draft: Draft, variables: list[str], dice: random.Random) -> Select:
    keys, queries = dice.choice(variables), dice.choice(variables)
    share = dice.uniform(0.25, 0.75)
    return draft.select(keys, queries, lambda key, query: dice.random() < share)


def _aggregate(draft: Draft, name: str, variables: list[str], dice: random.Random) -> str:
    tie: Tie = dice.choice(("latest", "earliest"))
    return draft.aggregate(name, _select(draft, variables, dice), dice.choice(variables), tie)


def _number(draft: Draft, name: str, variables: list[str], dice: random.Random) -> str:
    select = _select(draft, variables, dice)
    if dice.random() < 0.5:
        number = draft.width(f"{name}_n", select)
    else:
        values = dice.choice(variables)
        numbers: dict[Value, int] = {value: dice.randint(-1, 2) for value in _values(draft, values)}
        number = draft.mean(f"{name}_n", select, values, numbers)
    cut = dice.uniform(0.1, 1.5)
    return draft.map(name, (number,), lambda value: int(value > cut) if value >= 0 else None)
