"""The parts of a compiled program: a head for each selection, neurons for each map, as lists of names and numbers.

With x the directions (0 or 1 for a categorical value, u for a number) the parts compute

    a row of a map of categories:     relu(2(Σ x_wanted − Σ x_of_what_is_None − n) + 1)   1 where the row holds, else 0
    a map of a number u, for each boundary t between levels with different outputs, k = 2 / gap:
                                      relu(k(u − t) + ½) − relu(k(u − t) − ½)             0 below t, 1 above
    the score of a head:              S·[key and query match] + T·(rank of the key) + D·[the key is <bos>]

The attention is hard to about e⁻²⁰: what must be larger is larger by `HARDNESS` = 20. Off values of the first two are
at most −½ before the relu, so that nothing is half on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from truescope.truth.compiled.directions import BOS_DIRECTION, ONE, direction
from truescope.truth.compiled.program import POSITION, Aggregate, Map, Mean, Program, Select, Tie, Width

HARDNESS = 20.0
"""How much larger the score of an attended key is than that of any other."""
SILENT = 1e-4
"""What hard attention and float32 leave of a zero is below this."""


@dataclass(frozen=True)
class Head:
    """An attention head: its score is Σ_j (query_j + query_bias_j)·key_j, and ``moves`` (from, to, factor) its values.

    ``query`` and ``key`` map directions to the coordinates they feed, ``query_bias`` has the constants of the query.
    ``tie`` is None where the head attends evenly to all that match.
    """

    layer: int
    index: int
    step: str
    select: Select
    tie: Tie | None
    query: Mapping[str, Mapping[int, float]]
    key: Mapping[str, Mapping[int, float]]
    query_bias: Mapping[int, float]
    moves: tuple[tuple[str, str, float], ...]
    decoy: bool = False

    @property
    def carried(self) -> tuple[str, ...]:
        """The directions written, one coordinate of the value each."""
        return tuple(dict.fromkeys(to for _, to, _ in self.moves))

    @property
    def width(self) -> int:
        """How many coordinates the keys and the values need."""
        return max(len(self.carried), 1 + max(j for at in self.key.values() for j in at))


@dataclass(frozen=True)
class Neuron:
    """relu(Σ reads·x + bias), written to ``writes``; ``row`` says what it stands for."""

    layer: int
    index: int
    step: str
    row: str
    reads: Mapping[str, float]
    bias: float
    writes: Mapping[str, float]
    decoy: bool = False


def head_of(program: Program, step: Aggregate | Mean | Width, layer: int, index: int) -> Head:
    """The head that makes a selecting step."""
    match step:
        case Aggregate():
            values = program.values(step.values)
            moves = tuple((direction(step.values, v), direction(step.name, v), 1.0) for v in values)
            return attention(program, step.name, step.select, step.tie, layer, index, moves)
        case Mean():
            moves = tuple((direction(step.values, v), step.name, float(n)) for v, n in step.numbers if n)
            return attention(program, step.name, step.select, None, layer, index, moves)
        case Width():
            moves = ((BOS_DIRECTION, step.name, 1.0),)
            return attention(program, step.name, step.select, None, layer, index, moves, bos_matches=True)


def attention(
    program: Program,
    step: str,
    select: Select,
    tie: Tie | None,
    layer: int,
    index: int,
    moves: tuple[tuple[str, str, float], ...],
    *,
    bos_matches: bool = False,
    decoy: bool = False,
) -> Head:
    """A head for a selection; ``<bos>`` is attended to where nothing matches, or (``bos_matches``) beside what does."""
    ordered = tie in ("latest", "earliest")
    match_score = 2 * HARDNESS * (1 + (program.n_pos if ordered else 0))
    coordinate = {value: j for j, value in enumerate(program.values(select.keys))}
    default, rank = len(coordinate), len(coordinate) + 1
    query: dict[str, dict[int, float]] = {}
    for key_value, query_value in sorted(select.pairs, key=str):
        query.setdefault(direction(select.queries, query_value), {})[coordinate[key_value]] = match_score
    key = {direction(select.keys, value): {j: 1.0} for value, j in coordinate.items()}
    key[BOS_DIRECTION] = {default: 1.0}
    query_bias = {default: match_score if bos_matches else match_score / 2}
    if ordered:
        query_bias[rank] = HARDNESS
        for position in range(1, program.n_pos + 1):
            at = position if tie == "latest" else program.n_pos + 1 - position
            key.setdefault(direction(POSITION, position), {})[rank] = float(at)
    return Head(layer, index, step, select, tie, query, key, query_bias, moves, decoy)


def neurons_of(program: Program, step: Map, layer: int, start: int) -> Iterator[Neuron]:
    """The neurons that make a map, numbered from ``start``."""
    rows = _number_rows(program, step) if program.is_numeric(step.inputs[0]) else _category_rows(program, step)
    for index, (row, reads, bias, writes) in enumerate(rows, start):
        yield Neuron(layer, index, step.name, row, reads, bias, writes)


_Row = tuple[str, dict[str, float], float, dict[str, float]]


def _category_rows(program: Program, step: Map) -> Iterator[_Row]:
    for values, output in step.rows:
        row, reads, bias = conjunction(program, dict(zip(step.inputs, values, strict=True)))
        yield row, reads, bias, {direction(step.name, output): 1.0}


def conjunction(program: Program, wanted: Mapping[str, Any]) -> tuple[str, dict[str, float], float]:
    """Label, reads and bias of a neuron that is 1 where all variables have the values wanted (or None), else silent."""
    reads: dict[str, float] = {}
    for name, value in wanted.items():
        if value is None:
            reads |= {direction(name, other): -2.0 for other in program.values(name)}
        else:
            reads[direction(name, value)] = 2.0
    n_wanted = sum(value is not None for value in wanted.values())
    return ", ".join(f"{name}={value}" for name, value in wanted.items()), reads, 1.0 - 2.0 * n_wanted


def _number_rows(program: Program, step: Map) -> Iterator[_Row]:
    """A step function, gated by ``one``, so that it is silent at ``<bos>`` whatever the number is there."""
    (name,) = step.inputs
    levels = [(step.table.get((value,)), number) for value, number in program.levels(name)]
    outputs = {output: direction(step.name, output) for output, _ in levels if output is not None}
    first = levels[0][0]
    if first is not None:
        yield f"{name} is any", {ONE: 2.0}, -1.0, {outputs[first]: 1.0}
    for (below, low), (above, high) in pairwise(levels):
        if below == above:
            continue
        slope, middle = 2.0 / (high - low), (high + low) / 2
        gate = 1.0 + slope * max(0.0, levels[-1][1])
        change = {outputs[out]: sign for out, sign in ((above, 1.0), (below, -1.0)) if out is not None}
        for edge, sign in ((0.5, 1.0), (-0.5, -1.0)):
            reads = {name: slope, ONE: gate + edge - slope * middle}
            row = f"{name} > {middle:.3g}" + (", taken back above one" if sign < 0 else "")
            yield row, reads, -gate, {to: sign * factor for to, factor in change.items()}
