"""`Program`: a program over tokens, as data. Steps select, aggregate, count or map variables, one value a position.

Position 0 is always ``<bos>``, where every variable has no value (None). Steps refer to variables by name; "tokens" and
"position" are given. A variable is *categorical* (one of finitely many values, or None) or *numeric* (made by `Mean`
and `Width`, read only by a `Map`). Selection is causal: a query sees the keys at its own and earlier positions;
``<bos>`` never matches. In the manner of RASP: Weiss, Goldberg and Yahav, "Thinking Like Transformers", 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Literal

from truescope.core.errors import UsageError, nearest
from truescope.truth.tokens import BOS

Value = str | int
Level = tuple[Fraction, float]
"""A value that a numeric variable can take, and the number that stands for it in the residual stream."""
Tie = Literal["unique", "latest", "earliest"]

TOKENS, POSITION = "tokens", "position"


@dataclass(frozen=True)
class Select:
    """Which keys a query sees: those with (key value, query value) in ``pairs``, at its own position or before."""

    keys: str
    queries: str
    pairs: frozenset[tuple[Value, Value]]


@dataclass(frozen=True)
class Aggregate:
    """The value of ``values`` at the selected key, None where none is; of several, ``tie`` says which.

    With "unique" several are an error of the program.
    """

    name: str
    select: Select
    values: str
    tie: Tie = "unique"


@dataclass(frozen=True)
class Mean:
    """The mean over the selected keys of the number of each value of ``values`` (else 0); 0 without keys."""

    name: str
    select: Select
    values: str
    numbers: tuple[tuple[Value, int], ...]

    @cached_property
    def table(self) -> dict[Value, int]:
        """The numbers, by value."""
        return dict(self.numbers)


@dataclass(frozen=True)
class Width:
    """How many keys are selected."""

    name: str
    select: Select


@dataclass(frozen=True)
class Map:
    """An elementwise function, as a table: one row (values of the inputs, value of the output); no row gives None.

    Either one numeric input, or categorical ones, of which some (never all) may be None in a row.
    """

    name: str
    inputs: tuple[str, ...]
    rows: tuple[tuple[tuple[Value | Fraction | None, ...], Value], ...]

    @cached_property
    def table(self) -> dict[tuple[Value | Fraction | None, ...], Value]:
        """The rows, by the values of the inputs."""
        return dict(self.rows)


Step = Aggregate | Mean | Width | Map


@dataclass(frozen=True)
class Program:
    """Steps in order, of which ``output`` is the answer at each position: a token, or None.

    Inputs are ``<bos>`` and up to ``n_pos`` tokens of ``alphabet``; ``words`` are tokens that are only ever answered.

    Raises:
        UsageError: a step reads what is not there, or of the wrong kind, or the output is no token.
    """

    name: str
    alphabet: tuple[str, ...]
    n_pos: int
    steps: tuple[Step, ...]
    output: str
    words: tuple[str, ...] = ()
    about: str = ""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All tokens, by id."""
        return (BOS, *self.alphabet, *self.words)

    def step(self, name: str) -> Step:
        """The step that makes a variable."""
        return self._steps[name]

    @cached_property
    def _steps(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    def is_numeric(self, name: str) -> bool:
        """Whether a variable is numeric."""
        return isinstance(self._steps.get(name), Mean | Width)

    def values(self, name: str) -> tuple[Value, ...]:
        """The values a categorical variable can take, None aside.

        Raises:
            UsageError: there is no such categorical variable.
        """
        if name not in self._values:
            raise UsageError(
                f"program {self.name!r} has no categorical variable {name!r}",
                why="it is numeric: only a map reads it" if name in self._steps else "",
                fix=nearest(name, self._values) or f"it has {', '.join(self._values)}",
            )
        return self._values[name]

    @cached_property
    def _values(self) -> dict[str, tuple[Value, ...]]:
        found: dict[str, tuple[Value, ...]] = {
            TOKENS: self.alphabet,
            POSITION: tuple(range(1, self.n_pos + 1)),
        }
        for step in self.steps:
            if isinstance(step, Aggregate) and step.values in found:
                found[step.name] = found[step.values]
            elif isinstance(step, Map):
                found[step.name] = tuple(dict.fromkeys(output for _, output in step.rows))
        return found

    def levels(self, name: str) -> tuple[Level, ...]:
        """What a numeric variable can be, sorted by the numbers that stand for it; c is 1 / (1 + c) for a width."""
        step = self._steps[name]
        if isinstance(step, Width):
            return tuple((Fraction(c), 1 / (1 + c)) for c in range(self.n_pos, -1, -1))
        assert isinstance(step, Mean)
        means = {Fraction(0)}
        sums = {0}
        numbers = {0, *(number for _, number in step.numbers)}
        for n in range(1, self.n_pos + 1):
            sums = {total + number for total in sums for number in numbers}
            means |= {Fraction(total, n) for total in sums}
        return tuple((mean, float(mean)) for mean in sorted(means))


def _check(program: Program) -> None:
    known = {TOKENS, POSITION}
    if len(set(program.vocabulary)) != len(program.vocabulary):
        raise UsageError(f"a token stands twice in the vocabulary of program {program.name!r}")
    for step in program.steps:
        where = f"program {program.name!r}, step {step.name!r}"
        if step.name in known or ":" in step.name:
            raise UsageError(f"{where}: the name is taken or has a colon", fix="give each step a name of its own")
        numeric_read = isinstance(step, Map) and len(step.inputs) == 1
        for name in _reads(step):
            if name not in known:
                raise UsageError(f"{where} reads {name!r}, which no earlier step makes", fix=nearest(name, known))
            if program.is_numeric(name) and not numeric_read:
                raise UsageError(f"{where} reads the numeric {name!r}", fix="map it to categories by itself first")
        if isinstance(step, Map) and any(all(value is None for value in values) for values, _ in step.rows):
            raise UsageError(f"{where}: a row has no value at all", why="it would hold at <bos>, where nothing does")
        known.add(step.name)
    if program.output not in known or program.is_numeric(program.output):
        raise UsageError(f"program {program.name!r} cannot answer with {program.output!r}", fix="choose a categorical")
    strange = set(program.values(program.output)) - set(program.vocabulary[1:])
    if strange:
        raise UsageError(f"program {program.name!r} answers {sorted(map(str, strange))}, which are no tokens")


def _reads(step: Step) -> tuple[str, ...]:
    if isinstance(step, Map):
        return step.inputs
    values = () if isinstance(step, Width) else (step.values,)
    return (step.select.keys, step.select.queries, *values)


@dataclass
class Draft:
    """A program being written: functions are evaluated on the spot, over all values, into the tables of the steps."""

    alphabet: Iterable[str]
    n_pos: int
    words: Iterable[str] = ()
    steps: list[Step] = field(default_factory=list)

    def finish(self, name: str, output: str, about: str = "") -> Program:
        """The program that answers with ``output``."""
        return Program(name, tuple(self.alphabet), self.n_pos, tuple(self.steps), output, tuple(self.words), about)

    def _so_far(self) -> Program:
        return Program("draft", tuple(self.alphabet), self.n_pos, tuple(self.steps), TOKENS, tuple(self.words))

    def select(self, keys: str, queries: str, match: Callable[..., bool]) -> Select:
        """The pairs (key value, query value) for which ``match`` is true."""
        program = self._so_far()
        pairs = product(program.values(keys), program.values(queries))
        return Select(keys, queries, frozenset(pair for pair in pairs if match(*pair)))

    def aggregate(self, name: str, select: Select, values: str, tie: Tie = "unique") -> str:
        """Append an `Aggregate`; returns its name, as all of these do."""
        return self._append(Aggregate(name, select, values, tie))

    def mean(self, name: str, select: Select, values: str, numbers: dict[Value, int]) -> str:
        """Append a `Mean`."""
        return self._append(Mean(name, select, values, tuple(numbers.items())))

    def width(self, name: str, select: Select) -> str:
        """Append a `Width`."""
        return self._append(Width(name, select))

    def map(self, name: str, inputs: Iterable[str], function: Callable[..., Value | None], nones: bool = False) -> str:
        """Append a `Map` with a row wherever ``function`` gives a value; with ``nones`` it is asked about None too."""
        program, inputs = self._so_far(), tuple(inputs)
        domain = _numeric_domain(program, inputs[0]) if program.is_numeric(inputs[0]) else None
        cases = domain or product(*((*program.values(i), *((None,) if nones else ())) for i in inputs))
        rows = [(case, function(*case)) for case in cases if any(value is not None for value in case)]
        return self._append(Map(name, inputs, tuple((case, out) for case, out in rows if out is not None)))

    def _append(self, step: Step) -> str:
        self.steps.append(step)
        return step.name


def _numeric_domain(program: Program, name: str) -> Iterator[tuple[Fraction]]:
    return iter([(value,) for value, _ in program.levels(name)])
