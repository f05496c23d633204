"""From a program to its parts and their places: every step goes into the earliest layer where what it reads is there.

Block l writes by its heads at time 2l + 1 and by its MLP at time 2l + 2; tokens and positions are there at time 0. The
layout holds names and numbers, no tensors: `weights` makes a model of it, `derivation` the truth of a prompt.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from truescope.core.errors import UsageError
from truescope.core.sites import Site
from truescope.truth.compiled.directions import DECOY, ONE, Directions, direction
from truescope.truth.compiled.parts import Head, Neuron, attention, head_of, neurons_of
from truescope.truth.compiled.program import POSITION, TOKENS, Map, Program, Select, Width

LOGIT_SCALE = 10.0
"""The logit of the answer; that of ``<bos>``, which stands for no answer, is half of it."""
N_DECOYS = 3
"""Decoy neurons a layer, beside one decoy head."""


@dataclass(frozen=True)
class Layout:
    """All parts of a compiled program, and what enters and leaves the residual stream."""

    program: Program
    n_layers: int
    heads: tuple[Head, ...]
    neurons: tuple[Neuron, ...]

    @property
    def n_decoys(self) -> int:
        """How many directions the decoys write."""
        return N_DECOYS if any(neuron.decoy for neuron in self.neurons) else 0

    def token_writes(self, token: str) -> dict[str, float]:
        """What a token's embedding holds: its own direction (a word that is only answered holds nothing)."""
        return {} if token in self.program.words else {direction(TOKENS, token): 1.0}

    def position_writes(self, position: int) -> dict[str, float]:
        """What a position's embedding holds, the balance aside."""
        return {direction(POSITION, position): 1.0, ONE: 1.0} if position else {}

    def variables(self, site: Site) -> tuple[tuple[str, float], ...]:
        """What can be held at a site, as (direction, sign), in the directions' order; a number may have both signs.

        ``mlp_out`` has what the layer's neurons write, a site of the residual stream every variable of the program.

        Raises:
            UsageError: another kind of site.
        """
        if site.kind != "mlp_out" and not site.kind.startswith("resid"):
            raise UsageError(
                f"no variables are told of {site}", fix="choose mlp_out, resid_pre, resid_mid or resid_post"
            )
        names = Directions.of(self.program, self.n_decoys, balanced=False).names
        if site.kind == "mlp_out":
            written = {name for neuron in self.neurons if neuron.layer == site.layer for name in neuron.writes}
            names = tuple(name for name in names if name in written)
        found: list[tuple[str, float]] = []
        for name in names:
            found.append((name, 1.0))
            if self.program.is_numeric(name) and self.program.levels(name)[0][1] < 0:
                found.append((name, -1.0))
        return tuple(found)

    def logit_reads(self, token: str) -> dict[str, float]:
        """What a token's row of the unembedding reads."""
        if token == self.program.vocabulary[0]:
            return {ONE: LOGIT_SCALE / 2}
        known = token in self.program.values(self.program.output)
        return {direction(self.program.output, token): LOGIT_SCALE} if known else {}


def lay_out(program: Program, decoys: bool = True) -> Layout:
    """Place every step of a program, and decoys beside them, which read and are active but are read by nothing."""
    heads: list[Head] = []
    neurons: list[Neuron] = []
    time = {TOKENS: 0, POSITION: 0}
    for step in program.steps:
        if isinstance(step, Map):
            layer = max(time[name] for name in step.inputs) // 2
            neurons += neurons_of(program, step, layer, sum(n.layer == layer for n in neurons))
            time[step.name] = 2 * layer + 2
        else:
            values = () if isinstance(step, Width) else (step.values,)
            layer = (max(time[name] for name in (step.select.keys, step.select.queries, *values)) + 1) // 2
            heads.append(head_of(program, step, layer, sum(h.layer == layer for h in heads)))
            time[step.name] = 2 * layer + 1
    n_layers = max(1, *((t + 1) // 2 for t in time.values()))
    if decoys:
        dice = random.Random(f"decoys of {program.name}")
        for layer in range(n_layers):
            heads.append(_decoy_head(program, layer, sum(h.layer == layer for h in heads)))
            readable = [name for name, t in time.items() if t <= 2 * layer + 1 and not program.is_numeric(name)]
            start = sum(n.layer == layer for n in neurons)
            neurons += [_decoy_neuron(program, layer, start, i, readable, dice) for i in range(N_DECOYS)]
    return Layout(program, n_layers, tuple(heads), tuple(neurons))


def _decoy_head(program: Program, layer: int, index: int) -> Head:
    """Carries the token before to where nothing reads it."""
    positions = range(1, program.n_pos + 1)
    select = Select(POSITION, POSITION, frozenset((q - 1, q) for q in positions if q > 1))
    moves = tuple(
        (direction(TOKENS, token), direction(DECOY, i % N_DECOYS), 1.0) for i, token in enumerate(program.alphabet)
    )
    return attention(program, DECOY, select, "unique", layer, index, moves, decoy=True)


def _decoy_neuron(program: Program, layer: int, start: int, i: int, readable: list[str], dice: random.Random) -> Neuron:
    """Is on for about half the values of one variable."""
    # The first always watches the tokens, which have a value at every position.
    name = dice.choice(readable) if i else TOKENS
    values = program.values(name)
    watched = dice.sample(values, max(1, len(values) // 2))
    row = f"decoy: {name} in {sorted(map(str, watched))}"
    reads = {direction(name, value): 2.0 for value in watched}
    return Neuron(layer, start + i, DECOY, row, reads, -1.0, {direction(DECOY, i): dice.uniform(0.5, 1.5)}, decoy=True)
