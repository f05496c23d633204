"""The fan: one tree for every pattern of exits, grown by ifan (cues ranked once) or dfan (ranked anew at each node).

Patterns that begin alike grow alike, so the fan is grown as one search over exits: at each node both are tried. The
trees come out in the order in which they would be met one by one, the first exit varying fastest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from truescope.core.errors import TableError
from truescope.tabular.trees.cues import Cue
from truescope.tabular.trees.statistics import NEAR, Counts, is_perfect
from truescope.tabular.trees.thresholds import Rules, Split, best_split, count
from truescope.tabular.trees.tree import Node, close


@dataclass(frozen=True)
class Plan:
    """How the fan is grown."""

    algorithm: str = "ifan"
    max_levels: int = 4
    stopping_rule: str = "exemplars"
    stopping_par: float | int = 0.1
    repeat_cues: bool = True
    rules: Rules = field(default_factory=Rules)
    cue_costs: Mapping[str, float | int] = field(default_factory=dict)
    text_thresholds: bool = False

    def cost_of(self, cue: str) -> float:
        """What asking the cue costs."""
        return float(self.cue_costs.get(cue, 1.0))


@dataclass(frozen=True, eq=False)
class _State:
    """A tree that is being grown: who is undecided, what was decided, what the cues have cost."""

    undecided: Bool[np.ndarray, " cases"]
    decided: Counts
    paid: float
    cost_so_far: float
    nodes: tuple[Node, ...]
    used: frozenset[int]
    last_value: float


class Fan:
    """All trees over some cues. Ranks of the same undecided cases are computed once."""

    def __init__(
        self,
        cues: Sequence[Cue],
        positive: Bool[np.ndarray, " cases"],
        weights: Float[np.ndarray, " cases"] | None,
        plan: Plan,
    ) -> None:
        self.cues, self.positive, self.weights, self.plan = cues, positive, weights, plan
        self.n = float(len(positive) if weights is None else weights.sum())
        self.found: list[tuple[int, tuple[Node, ...]]] = []
        self._ranks: dict[bytes, list[Split | None]] = {}
        self.whole = self.rank(np.ones(len(positive), dtype=bool))
        rounds = plan.text_thresholds and not all(cue.numeric for cue in cues)
        if rounds:
            # Upstream keeps thresholds as text as soon as one cue is categorical.
            self.whole = [_as_text(cue, split) for cue, split in zip(cues, self.whole, strict=True)]
        self._rounds = rounds

    def rank(self, chosen: Bool[np.ndarray, " cases"]) -> list[Split | None]:
        """Every cue's best split on the chosen cases."""
        key = np.packbits(chosen).tobytes()
        if key not in self._ranks:
            everyone = bool(chosen.all())
            positive = self.positive if everyone else self.positive[chosen]
            weights = self.weights if everyone or self.weights is None else self.weights[chosen]
            splits = []
            for cue in self.cues:
                codes = cue.codes if everyone else cue.codes[chosen]
                histogram = count(codes, positive, cue.n_values, weights)
                splits.append(best_split(cue, histogram, codes, self.plan.rules, self.plan.cost_of(cue.name)))
            self._ranks[key] = splits
        return self._ranks[key]

    def grow(self) -> list[tuple[Node, ...]]:
        """The nodes of every different tree, in the order of creation.

        Raises:
            TableError: no cue has a defined split.
        """
        start = _State(
            undecided=np.ones(len(self.positive), dtype=bool),
            decided=Counts.of(),
            paid=0.0,
            cost_so_far=0.0,
            nodes=(),
            used=frozenset(),
            last_value=float("nan"),
        )
        self._grow(start, pattern=0)
        return list(dict.fromkeys(nodes for _, nodes in sorted(self.found, key=lambda entry: entry[0])))

    def _grow(self, state: _State, pattern: int) -> None:
        level = len(state.nodes) + 1
        place = self._choose(state)
        if place is None:
            if not state.nodes:
                raise TableError(
                    "no cue can be split",
                    why="every cue is missing, or there is one class among the cases that have a value",
                    fix="look at the cues' values",
                )
            self.found.append((pattern, close(state.nodes)))
            return
        number, split = place
        cue = self.cues[number]
        fired = split.fires[cue.codes[state.undecided]]
        table = _two_by_two(fired, self.positive[state.undecided], self._weights(state.undecided))
        value, cost = self._as_if(state, table, self.plan.cost_of(cue.name))
        perfect = is_perfect(self.plan.rules.goal_chase, value)
        for exit in (0, 1) if level < self.plan.max_levels else (0.5,):
            node = Node(cue.name, split.direction, split.threshold, exit)
            after = self._leave(state, node, number, fired, table, value, cost)
            bit = (1 << (level - 1)) * int(exit == 1)
            if perfect or self._stops(state, after, level):
                self.found.append((pattern | bit, close(after.nodes)))
            else:
                self._grow(after, pattern | bit)

    def _choose(self, state: _State) -> tuple[int, Split] | None:
        """The cue with the best ``goal_chase``; nearly equal ones go to the first column."""
        splits = self.whole if self.plan.algorithm == "ifan" or not state.nodes else self.rank(state.undecided)
        if self._rounds and self.plan.algorithm == "dfan" and state.nodes:
            splits = [_as_text(cue, split) for cue, split in zip(self.cues, splits, strict=True)]
        barred = state.used if self.plan.algorithm == "ifan" or not self.plan.repeat_cues else frozenset()
        open_ = [
            (number, split)
            for number, split in enumerate(splits)
            if split is not None and number not in barred and not np.isnan(split.chase)
        ]
        if not open_:
            return None
        best = max(split.chase for _, split in open_)
        return next((number, split) for number, split in open_ if abs(split.chase - best) < NEAR)

    def _as_if(self, state: _State, table: Float[np.ndarray, "3 2"], cue_cost: float) -> tuple[float, float]:
        """The goal's value, and the mean cost, if all undecided cases were decided here.

        As upstream has it, an undecided case is charged this cue alone, not those before it.
        """
        rules = self.plan.rules
        counts = state.decided + Counts.of(hi=table[2, 1], fa=table[2, 0], mi=table[1, 1], cr=table[1, 0])
        paid = state.paid + float(table.sum()) * cue_cost
        if not counts.n:
            return float("nan"), float("nan")
        cost = float(counts.cost_dec(rules.costs)) + paid / float(counts.n)
        if rules.goal_chase == "cost":
            return -cost, cost
        return float(counts.measure(rules.goal_chase, rules.sens_w, rules.costs)), cost

    def _leave(
        self,
        state: _State,
        node: Node,
        number: int,
        fired: Int[np.ndarray, " undecided"],
        table: Float[np.ndarray, "3 2"],
        value: float,
        cost: float,
    ) -> _State:
        """The state after the cases that the node's exit decides have left."""
        gone = (fired >= 0) if node.exit == 0.5 else (fired == node.exit)
        undecided = state.undecided.copy()
        undecided[undecided] = ~gone
        hi, fa = (table[2, 1], table[2, 0]) if node.exit else (0.0, 0.0)
        mi, cr = (table[1, 1], table[1, 0]) if node.exit != 1 else (0.0, 0.0)
        cost_so_far = state.cost_so_far + self.plan.cost_of(node.cue)
        decided = Counts.of(hi, fa, mi, cr)
        return _State(
            undecided=undecided,
            decided=state.decided + decided,
            paid=state.paid + float(decided.n) * cost_so_far,
            cost_so_far=cost_so_far,
            nodes=(*state.nodes, node),
            used=state.used | {number},
            last_value=value,
        )

    def _stops(self, before: _State, after: _State, level: int) -> bool:
        plan = self.plan
        left = self.positive[after.undecided]
        weights = self._weights(after.undecided)
        n_left = float(len(left) if weights is None else weights.sum())
        if level == plan.max_levels or level == len(self.cues) or not len(left):
            return True
        if plan.stopping_rule == "exemplars" and n_left < plan.stopping_par * self.n:
            return True
        if plan.stopping_rule == "levels" and level == int(plan.stopping_par):
            return True
        if plan.stopping_rule == "statdelta" and self._gains_too_little(before, after, level):
            return True
        return plan.algorithm == "dfan" and bool(left.all() or not left.any())

    def _gains_too_little(self, before: _State, after: _State, level: int) -> bool:
        """What "all decided here" gained over the level before, against ``stopping_par``."""
        if self.plan.rules.goal_chase == "cost":
            # The value is minus the cost; a tree may cost at most this much more from one level to the next.
            return level > 1 and before.last_value - after.last_value > self.plan.stopping_par
        gain = after.last_value if level == 1 else after.last_value - before.last_value
        return gain < self.plan.stopping_par

    def _weights(self, chosen: Bool[np.ndarray, " cases"]) -> Float[np.ndarray, " chosen"] | None:
        return None if self.weights is None else self.weights[chosen]


def _two_by_two(
    fired: Int[np.ndarray, " undecided"],
    positive: Bool[np.ndarray, " undecided"],
    weights: Float[np.ndarray, " undecided"] | None,
) -> Float[np.ndarray, "3 2"]:
    """How many are (missing, silent, firing) × (negative, positive)."""
    places = 2 * (fired.astype(np.int64) + 1) + positive
    return np.bincount(places, weights=weights, minlength=6).reshape(3, 2).astype(float)


def _as_text(cue: Cue, split: Split | None) -> Split | None:
    """The split with its threshold cut to the 15 digits that R writes."""
    if split is None or isinstance(split.threshold, tuple):
        return split
    threshold = fifteen_digits(split.threshold)
    fires = np.append((cue.values > threshold) == (split.direction == ">"), -1).astype(np.int8)
    return Split(split.direction, threshold, fires, split.counts, split.chase)


def fifteen_digits(number: float) -> float:
    """The number as R's text has it."""
    return float(f"{number:.15g}")


def with_text_thresholds(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes with their thresholds cut to 15 digits."""
    return tuple(
        node if isinstance(node.threshold, tuple) else replace(node, threshold=fifteen_digits(node.threshold))
        for node in nodes
    )
