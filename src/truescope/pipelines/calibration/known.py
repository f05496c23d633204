"""Models whose mechanism is known, their prompts, and the truth about each prompt as arrays to score against.

A *candidate* edge is any pair of an active unit, a token or a position embedding that comes before an active unit or
the answer's logit. Of the candidates the truth says which are edges at all ("direct"), which lead to the answer along
values ("value path"), and which lead to it at all, attention choices included ("used"). A score that compares
with a corrupt prompt can see nothing of a source that is the same there, so its fair question is "used, moved": "used"
among the sources that differ. See docs/decisions/0010-what-counts-as-true.md.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from truescope.core.graphs import Node, NodeKind
from truescope.models import Model
from truescope.trace import DirectEffects, direct_effects
from truescope.trace.patching import SourceBaseline
from truescope.truth import Compiled, Program, TrueGraph, compile_program, prompts

TRUTHS = ("direct", "value path", "used", "used, moved")
"""The senses in which a candidate edge can be true."""
NEGLIGIBLE = 1e-6
UnitOf = dict[tuple[int, int], tuple[int, int]]
"""For each unit (layer, index) of a dictionary, the unit of the model that it stands for."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """One prompt of a program or a trained world, two others of its length, and what is true of it.

    ``corrupt`` has another answer wherever one was found, ``other`` is any prompt.
    """

    tokens: Int[torch.Tensor, " pos"]
    corrupt: Int[torch.Tensor, " pos"]
    other: Int[torch.Tensor, " pos"]
    target: int
    truth: TrueGraph


@dataclass(frozen=True, eq=False)
class Known:
    """A compiled program as a model, with prompts; ``name`` says the program and the variant."""

    compiled: Compiled
    model: Model
    prompts: tuple[Prompt, ...]

    @property
    def name(self) -> str:
        return self.compiled.name

    def frame(self, prompt: Prompt) -> Frame:
        """The truth about a prompt as arrays, in the order of its direct effects."""
        return frame_of(self.model, prompt)


def frame_of(model: Model, prompt: Prompt) -> Frame:
    """The truth about a prompt of a model as arrays, in the order of its direct effects."""
    return Frame(prompt, direct_effects(model, prompt.tokens, targets=[prompt.target]))


@dataclass(frozen=True, eq=False)
class Frame:
    """Candidates and truth of one prompt, targets by sources; ``effects`` are those of the model's own neurons."""

    prompt: Prompt
    effects: DirectEffects

    @cached_property
    def candidates(self) -> Bool[np.ndarray, "targets sources"]:
        return self.effects.reachable & np.array([is_candidate(node) for node in self.effects.sources])

    @cached_property
    def weight(self) -> Float[np.ndarray, "targets sources"]:
        """The true direct effects, zero where there is no edge."""
        return self._arrays["weight"]

    def among(self, truth: str) -> Bool[np.ndarray, "targets sources"]:
        """The candidates among which a truth is asked."""
        return self.candidates & self._moved if truth.endswith("moved") else self.candidates

    @cached_property
    def _moved(self) -> Bool[np.ndarray, " sources"]:
        """Which sources have another value on the corrupt prompt."""
        corrupt = SourceBaseline.values_at(self.effects, self.prompt.corrupt[None])
        n, changed = self.effects.n_units, (self.prompt.corrupt != self.prompt.tokens).tolist()
        sources = self.effects.sources
        moved = [node.kind is NodeKind.TOKEN and changed[node.position] for node in sources]
        own = np.array([unit.activation for unit in sources[:n]])
        moved[:n] = (np.abs(own - corrupt.activation) > NEGLIGIBLE).tolist()
        return np.array(moved)

    def edges(self, truth: str) -> Bool[np.ndarray, "targets sources"]:
        """Which candidates are edges in the sense of one of `TRUTHS`."""
        return (self._arrays[truth.removesuffix(", moved")] > 0) & self.candidates

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        sources = {node.id: i for i, node in enumerate(self.effects.sources)}
        targets = {node.id: i for i, node in enumerate(self.effects.targets)}
        found = {name: np.zeros(self.effects.weight.shape) for name in ("weight", *TRUTHS[:3])}
        for edge in self.prompt.truth.value_edges:
            if edge.source in sources and edge.target in targets:
                place = targets[edge.target], sources[edge.source]
                found["weight"][place] += edge.weight
                found["direct"][place] = 1
                found["value path"][place] = max(found["value path"][place], edge.on_value_path)
                found["used"][place] = max(found["used"][place], edge.on_path)
        return found

    def nodes(self, kinds: Sequence[str]) -> tuple[list[str], Bool[np.ndarray, " nodes"]]:
        """The ids of the prompt's nodes of these kinds, and which of them are on a path to the answer."""
        chosen = [node for node in self.prompt.truth.nodes if node.kind in kinds]
        return [node.id for node in chosen], np.array([node.on_path for node in chosen], bool)

    def align(
        self,
        matrix: Float[np.ndarray, "other_targets other_sources"],
        effects: DirectEffects,
        unit_of: UnitOf | None = None,
    ) -> Float[np.ndarray, "targets sources"]:
        """A matrix over other effects (of a dictionary, of another model) in this frame's order, zeros where none is.

        ``unit_of`` names the unit (layer, index) that each unit of the other effects stands for; without it they are
        the same.
        """
        rows = self._places(effects.targets, self.effects.targets, unit_of)
        columns = self._places(effects.sources, self.effects.sources, unit_of)
        found = np.zeros(self.effects.weight.shape)
        has = np.ix_(rows >= 0, columns >= 0)
        found[has] = matrix[np.ix_(rows[rows >= 0], columns[columns >= 0])]
        return found

    def shared(self, effects: DirectEffects) -> Bool[np.ndarray, "other_targets other_sources"]:
        """Which pairs of other effects are candidates of this frame: all that is scored of them."""
        rows, columns = ({node.id for node in nodes} for nodes in (self.effects.targets, self.effects.sources))
        has_row = np.array([node.id in rows for node in effects.targets])
        return has_row[:, None] & np.array([is_candidate(node) and node.id in columns for node in effects.sources])

    @staticmethod
    def _places(others: Sequence[Node], own: Sequence[Node], unit_of: UnitOf | None) -> Int[np.ndarray, " own"]:
        place = {renamed(node, unit_of): i for i, node in enumerate(others)}
        return np.array([place.get(node.id, -1) for node in own], np.int64)


def renamed(node: Node, unit_of: UnitOf | None) -> str:
    """A node's id with the unit that it stands for."""
    if unit_of is None or node.kind is not NodeKind.UNIT:
        return node.id
    layer, index = unit_of.get((node.layer, node.index), (-1, node.index))
    return Node(node.kind, layer, node.position, index).id


def is_candidate(node: Node) -> bool:
    """Whether a node can be the source of an edge that is scored: other constants belong to one target each."""
    return node.kind in (NodeKind.UNIT, NodeKind.TOKEN) or node.constant == "pos_embed"


def known_model(program: Program, norms: str, n_prompts: int, seed: int, *, decoys: bool = True) -> Known:
    """Compile a program and draw prompts for it."""
    compiled = compile_program(program, norms, decoys=decoys)  # type: ignore[arg-type]
    compiled.model.set_attn_implementation("eager")
    model = Model(compiled.model, compiled.tokenizer, name=compiled.name)
    dice = random.Random(f"{compiled.name} {seed}")
    chosen = [_prompt(compiled, model, tokens, dice) for tokens in prompts(program, n_prompts, seed)]
    return Known(compiled, model, tuple(chosen))


def _prompt(compiled: Compiled, model: Model, tokens: tuple[str, ...], dice: random.Random) -> Prompt:
    alphabet, length = compiled.program.alphabet, len(tokens) - 1
    drawn = [(tokens[0], *dice.choices(alphabet, k=length)) for _ in range(24)]
    others = [prompt for prompt in drawn if prompt != tokens] or drawn
    answers = compiled.answers(others)
    own = compiled.answers([tokens])[0][-1]
    corrupt = next((p for p, answer in zip(others, answers, strict=True) if answer[-1] != own), others[0])
    truth = compiled.truth(tokens)
    target = int(truth.targets[0].split(".")[1])
    ids = [compiled.token_ids(p) for p in (tokens, corrupt, others[-1])]
    return Prompt(ids[0], ids[1], ids[2], target, truth)


def random_weights(model: Model, seed: int, *, kept: Sequence[str] = (".ln_",)) -> Model:
    """The same architecture with dense Gaussian weights, but for those ``kept``: what it scores is about no program.

    A harder control than shuffled weights, which are so sparse that few units are active and most scores are zero.
    """
    hf = copy.deepcopy(model.hf)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in hf.named_parameters():
            if not any(part in name for part in kept):
                weight.copy_(torch.randn(weight.shape, generator=generator) / weight.shape[-1] ** 0.5)
    hf.set_attn_implementation("eager")
    return Model(hf, model.tokenizer, name=f"{model.name}, random weights {seed}")
