"""`Directions`: every coordinate of the residual stream by name, and the variable it belongs to.

tokens:Dallas   position:3   state:Texas (a categorical value)   share (a numeric variable)
one (1 at every position but <bos>)   decoy:2   balance+, balance-, balance(state), balance(read)   spare:0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from truescope.core.errors import UsageError, nearest
from truescope.truth.compiled.program import BOS, POSITION, TOKENS, Program, Value

ONE, DECOY = "one", "decoy"
BOS_DIRECTION = f"{TOKENS}:{BOS}"
HIGH, LOW, READ = "balance+", "balance-", "balance(read)"


def direction(variable: str, value: Value) -> str:
    """The name of the direction that holds a value of a categorical variable."""
    return f"{variable}:{value}"


@dataclass(frozen=True)
class Directions:
    """The names, in the order of the coordinates; ``balanced`` says whether there are balancing ones."""

    names: tuple[str, ...]
    balanced: bool

    @staticmethod
    def of(program: Program, n_decoys: int, balanced: bool) -> Directions:
        """The directions of a program's variables, of its decoys, and of the balance where there is one."""
        names = [ONE, BOS_DIRECTION]
        for variable in (TOKENS, POSITION, *(step.name for step in program.steps)):
            if program.is_numeric(variable):
                names.append(variable)
            else:
                names += [direction(variable, value) for value in program.values(variable)]
        names += [direction(DECOY, i) for i in range(n_decoys)]
        if balanced:
            variables = dict.fromkeys(name.split(":")[0] for name in names)
            names += [READ, HIGH, LOW, *(f"balance({variable})" for variable in variables)]
        return Directions(tuple(names), balanced)

    def padded(self, width: int) -> Directions:
        """With spare directions, which nothing writes or reads, up to ``width``."""
        spare = [f"spare:{i}" for i in range(width - len(self.names))]
        return Directions((*self.names, *spare), self.balanced)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """The coordinate of a direction.

        Raises:
            UsageError: there is none of this name.
        """
        if name not in self._index:
            raise UsageError(f"no residual direction is called {name!r}", fix=nearest(name, self.names))
        return self._index[name]

    def balance_of(self, name: str) -> str | None:
        """The direction that takes the negative of what is written to ``name``, so that every write sums to zero."""
        if not self.balanced or name.startswith(("balance", "spare")):
            return None
        return f"balance({name.split(':')[0]})"
