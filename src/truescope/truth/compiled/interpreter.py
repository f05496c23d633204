"""What a program means: its variables at every position, computed from its tables alone, no network anywhere."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product

from truescope.core.errors import UsageError
from truescope.truth.compiled.program import (
    BOS,
    POSITION,
    TOKENS,
    Aggregate,
    Map,
    Mean,
    Program,
    Select,
    Step,
    Tie,
    Value,
    Width,
)

Column = list[Value | Fraction | None]
"""A variable at every position of an input, position 0 first."""


def interpret(program: Program, tokens: Sequence[str]) -> dict[str, Column]:
    """Every variable of ``program`` on ``tokens``, which begin with ``<bos>``.

    Raises:
        UsageError: the tokens are no input of the program, or a selection that must be unique is not.
    """
    if not tokens or tokens[0] != BOS or len(tokens) > program.n_pos + 1:
        raise UsageError(
            f"program {program.name!r} cannot read {' '.join(tokens)!r}",
            fix=f"begin with {BOS} and give at most {program.n_pos} more tokens",
        )
    known = set(program.alphabet)
    columns: dict[str, Column] = {
        TOKENS: [token if token in known else None for token in tokens],
        POSITION: [None, *range(1, len(tokens))],
    }
    for step in program.steps:
        columns[step.name] = [None] + [_value(step, columns, q) for q in range(1, len(tokens))]
    return columns


def answers(program: Program, tokens: Sequence[str]) -> list[str]:
    """The token that the program answers at each position from 1 on; ``<bos>`` where it has none."""
    column = interpret(program, tokens)[program.output]
    return [BOS if value is None else str(value) for value in column[1:]]


def matches(select: Select, columns: Mapping[str, Column], query: int) -> list[int]:
    """The positions of the selected keys, ``<bos>`` aside."""
    wanted = columns[select.queries][query]
    if wanted is None:
        return []
    keys = columns[select.keys]
    return [k for k in range(1, query + 1) if keys[k] is not None and (keys[k], wanted) in select.pairs]


def attended(select: Select, tie: Tie | None, columns: Mapping[str, Column], query: int) -> list[int]:
    """The positions a head for this selection attends to, evenly: the one that ``tie`` chooses, with None all of them.

    Raises:
        UsageError: several keys match where one must be unique.
    """
    found = matches(select, columns, query)
    if len(found) > 1 and tie is not None:
        if tie == "unique":
            raise UsageError(
                f"{len(found)} keys of {select.keys!r} match at position {query}, where one must be unique",
                fix="aggregate with tie='latest' or tie='earliest'",
            )
        found = [found[-1] if tie == "latest" else found[0]]
    return found or [0]


def inputs(program: Program) -> Iterator[tuple[str, ...]]:
    """All inputs of full length; the shorter ones are their beginnings, and a causal answer is the same in both."""
    for tokens in product(program.alphabet, repeat=program.n_pos):
        yield (BOS, *tokens)


def prompts(program: Program, n: int, seed: int = 0) -> list[tuple[str, ...]]:
    """Up to ``n`` different inputs, of any length, that the program has an answer to at their last position."""
    dice = random.Random(f"prompts {seed}")
    found: dict[tuple[str, ...], None] = {}
    for _ in range(20 * n):
        length = dice.randint(1, program.n_pos)
        prompt = (BOS, *dice.choices(program.alphabet, k=length))
        if prompt not in found and answers(program, prompt)[-1] != BOS:
            found[prompt] = None
        if len(found) == n:
            break
    return list(found)


def _value(step: Step, columns: Mapping[str, Column], q: int) -> Value | Fraction | None:
    match step:
        case Aggregate():
            return columns[step.values][attended(step.select, step.tie, columns, q)[0]]
        case Mean():
            found, numbers = matches(step.select, columns, q), step.table
            total = sum(numbers.get(columns[step.values][k], 0) for k in found)  # type: ignore[arg-type]
            return Fraction(total, len(found)) if found else Fraction(0)
        case Width():
            return Fraction(len(matches(step.select, columns, q)))
        case Map():
            return step.table.get(tuple(columns[name][q] for name in step.inputs))
