"""`FastFrugalTree`: at most a few questions, each with an exit; what it decides, at which level, and how well."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from truescope.core.errors import TableError
from truescope.tabular.trees.cues import Columns
from truescope.tabular.trees.scores import TreeScores

BOTH = 0.5
"""The exit of the last node: it decides both ways."""
COMPARISONS = {">": operator.gt, "<=": operator.le, ">=": operator.ge, "<": operator.lt}
NEGATED = {">": "<=", "<=": ">", ">=": "<", "<": ">=", "=": "!=", "!=": "="}


@dataclass(frozen=True)
class Node:
    """One question. The cue *fires* when ``value direction threshold`` holds (a set of levels for "=" and "!=").

    ``exit`` 1: who fires is decided positive; 0: who does not is decided negative; 0.5: both are decided.
    """

    cue: str
    direction: str
    threshold: float | int | tuple[str, ...]
    exit: float | int

    def __post_init__(self) -> None:
        if self.direction not in NEGATED:
            raise TableError(f"a node's direction is one of {', '.join(NEGATED)}, not {self.direction!r}")
        if self.exit not in (0, 1, BOTH):
            raise TableError(f"a node's exit is 0, 1 or 0.5, not {self.exit!r}")
        if self.numeric == isinstance(self.threshold, tuple):
            raise TableError(f"{self.direction} does not go with {self.threshold!r}", why="= and != ask for levels")
        if self.numeric and not np.isfinite(self.threshold):
            raise TableError(f"a threshold is a finite number, not {self.threshold!r}")

    @property
    def numeric(self) -> bool:
        """Whether the question compares numbers."""
        return self.direction in COMPARISONS

    def fires(self, columns: Columns, rows: Int[np.ndarray, " rows"] | None = None) -> Int[np.ndarray, " cases"]:
        """1 where the cue fires, 0 where not, −1 where the number is missing; on the chosen rows, or on all."""
        if self.numeric:
            column = columns.numbers(self.cue)
            column = column if rows is None else column[rows]
            fired = COMPARISONS[self.direction](column, self.threshold).astype(np.int8)
            fired[np.isnan(column)] = -1
            return fired
        codes, levels = columns.levels(self.cue)
        inside = np.isin(levels.astype(str), np.array(self.threshold, dtype=str)) == (self.direction == "=")
        return inside.astype(np.int8)[codes if rows is None else codes[rows]]


@dataclass(frozen=True)
class Exits:
    """What was decided for each case, and at which level (from 1)."""

    positive: Bool[np.ndarray, " cases"]
    level: Int[np.ndarray, " cases"]


@dataclass(frozen=True)
class FastFrugalTree:
    """A fast-and-frugal tree: ``nodes`` in the order they are asked, and what its two decisions are called.

    Two trees are equal when they ask the same; ``scores`` (on the training data) do not count.
    Raises `TableError` if an inner node decides both ways or the last one does not. (Phillips et al. 2017, Judgment and
    Decision Making 12, 344–368.)
    """

    nodes: tuple[Node, ...]
    negative: Any = False
    positive: Any = True
    scores: TreeScores | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.nodes:
            raise TableError("a tree has at least one node")
        if any(node.exit == BOTH for node in self.nodes[:-1]) or self.nodes[-1].exit != BOTH:
            raise TableError("only the last node decides both ways", fix="give the others exit 0 or 1")
        if str(self.negative) == str(self.positive):
            raise TableError(f"both decisions are called {self.positive!r}")

    @property
    def cues(self) -> tuple[str, ...]:
        """The cues in the order they are asked."""
        return tuple(node.cue for node in self.nodes)

    @property
    def exits(self) -> tuple[float | int, ...]:
        """The nodes' exits."""
        return tuple(node.exit for node in self.nodes)

    def decide(
        self,
        columns: Columns,
        missing: bool | Bool[np.ndarray, " cases"],
        *,
        redecide: bool = False,
    ) -> Exits:
        """Each case's decision and level. Who lacks a number goes on; at the last node it gets ``missing``.

        ``redecide`` copies a fault of FFTrees 2.1: there, a case that lacks the last cue is decided at the last node
        even if it had been decided before.
        """
        n = columns.n_cases
        positive, level = np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int8)
        left: Int[np.ndarray, " left"] | None = None
        for number, node in enumerate(self.nodes, start=1):
            fired = node.fires(columns, left)
            done = np.ones(len(fired), dtype=bool) if node.exit == BOTH else fired == node.exit
            places = np.flatnonzero(done) if left is None else left[done]
            positive[places], level[places] = fired[done] == 1, number
            if node.exit == BOTH:
                lacking = np.flatnonzero(node.fires(columns) < 0) if redecide else places[fired[done] < 0]
                positive[lacking] = missing if isinstance(missing, bool) else missing[lacking]
                level[lacking] = number
            left = np.flatnonzero(~done) if left is None else left[~done]
        return Exits(positive, level)

    def path(self, columns: Columns, case: int, missing: bool) -> list[dict[str, Any]]:
        """What one case is asked: level, cue, its value, whether the cue fires (None: missing), and the decision."""
        row, asked = np.array([case]), []
        for number, node in enumerate(self.nodes, start=1):
            fired = int(node.fires(columns, row)[0])
            out = node.exit == BOTH or fired == node.exit
            decided = None if not out else (missing if fired < 0 else fired == 1)
            value = columns.raw(node.cue)
            value = value.iloc[case] if hasattr(value, "iloc") else value[case]
            asked.append({
                "level": number,
                "cue": node.cue,
                "value": value.item() if isinstance(value, np.generic) else value,
                "question": f"{node.cue} {node.direction} {node.threshold}",
                "fires": None if fired < 0 else bool(fired),
                "decision": None if decided is None else (self.positive if decided else self.negative),
            })  # fmt: skip
            if out:
                break
        return asked

    def to_dict(self) -> dict[str, Any]:
        """The tree as JSON, with its scores if it has any; `from_dict` reads it back equal."""
        nodes = [
            {
                "cue": node.cue,
                "direction": node.direction,
                "threshold": list(node.threshold) if isinstance(node.threshold, tuple) else node.threshold,
                "exit": node.exit,
            }
            for node in self.nodes
        ]
        record = {"nodes": nodes, "negative": plain(self.negative), "positive": plain(self.positive)}
        return record if self.scores is None else record | {"scores": self.scores.to_dict()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> FastFrugalTree:
        """The tree that `to_dict` wrote.

        Raises:
            TableError: a part is absent or makes no tree.
        """
        try:
            nodes = tuple(
                Node(
                    str(node["cue"]),
                    node["direction"],
                    tuple(map(str, node["threshold"])) if isinstance(node["threshold"], list) else node["threshold"],
                    node["exit"],
                )
                for node in record["nodes"]
            )
            scores = None if "scores" not in record else TreeScores.from_dict(record["scores"])
            return cls(nodes, record["negative"], record["positive"], scores)
        except (KeyError, TypeError) as error:
            raise TableError("this record is no tree", why=f"{type(error).__name__}: {error}") from error

    def with_scores(self, scores: TreeScores) -> FastFrugalTree:
        """The same tree with its scores."""
        return replace(self, scores=scores)


def close(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes with the last one deciding both ways."""
    return (*nodes[:-1], replace(nodes[-1], exit=BOTH))


def plain(label: Any) -> Any:
    """A label as Python has it, not numpy."""
    return label.item() if isinstance(label, np.generic) else label
