"""Trained worlds: every method on the sorter and on induction heads, against what checked facts say of them.

What is true here is weaker than of a compiled program: it is measured, and weights are known by their signs alone. The
facts are about attention patterns, and about silence over whole sequences of another sample; no score that is ranked
here is one of them. `truescope.truth.trained_graphs` says what they come to on a prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from truescope.core.errors import ModelError
from truescope.models import Model
from truescope.pipelines.calibration.known import Frame, Prompt, frame_of, random_weights
from truescope.pipelines.calibration.scoring import (
    Place,
    Row,
    choice_rows,
    edge_matrices,
    edge_rows,
    graph_of,
    node_scores,
    pruned_rows,
    ranking_rows,
    row,
)
from truescope.trace import direct_effects
from truescope.trace.patching import Nodes
from truescope.truth import CheckedFact, induction_heads, sorter
from truescope.truth.trained_graphs import KnownPrompt, induction_prompts, sorter_prompts

WORLDS = ("induction heads", "sorter")
"""The groups of the report."""
RANDOM = "random weights of "
"""What stands before a world's name in the group of its negative control."""
N_MODELS = {"induction heads": len(induction_heads.SEEDS), "sorter": len(sorter.SEEDS)}
"""How many of each were trained and come with the package."""
_KEPT = (".ln_", ".mlp.")


@dataclass(frozen=True, eq=False)
class TrainedWorld:
    """A trained model and prompts of which it is known what their answers hang on."""

    model: Model
    prompts: tuple[Prompt, ...]


def trained_world(name: str, seed: int, n_prompts: int, prompt_seed: int) -> TrainedWorld:
    """The world of that name that was trained with a seed, its facts checked again.

    Raises:
        ModelError: a fact does not hold: nothing is known then.
    """
    folder = sorter.folder(seed) if name == "sorter" else induction_heads.INDUCTION_HEADS_FOLDER / str(seed)
    model = Model.from_pretrained(folder)
    hf: Any = model.hf
    hf.set_attn_implementation("eager")
    if name == "sorter":
        facts: Sequence[CheckedFact] = sorter.check_sorter(hf, sorter.FACTS_OF_EVERY_SEED)
        found = sorter_prompts(n_prompts, prompt_seed)
    else:
        heads = induction_heads.known_heads(hf)
        facts, found = heads.facts, induction_prompts(n_prompts, prompt_seed, heads)
    failed = [str(checked) for checked in facts if not checked.holds]
    if failed:
        raise ModelError(f"the {name} of seed {seed} is not what it should be", why="; ".join(failed))
    return TrainedWorld(model, tuple(map(_prompt, found)))


def _prompt(known: KnownPrompt) -> Prompt:
    return Prompt(known.tokens, known.corrupt, known.other, known.target, known.truth)


def trained_rows(name: str, world_seed: int, n_prompts: int, seed: int) -> Iterator[list[Row]]:
    """Every method on one trained model."""
    world = trained_world(name, world_seed, n_prompts, seed)
    for prompt in world.prompts:
        yield list(_prompt_rows(world.model, frame_of(world.model, prompt)))


def random_rows(name: str, control: int, n_prompts: int, seed: int) -> Iterator[list[Row]]:
    """The same scores from the same architecture with random weights, ranked against the trained model's truth."""
    world = trained_world(name, control % N_MODELS[name], n_prompts, seed)
    model = random_weights(world.model, control, kept=_KEPT)
    for prompt in world.prompts:
        yield list(_prompt_rows(model, frame_of(world.model, prompt)))


def _prompt_rows(model: Model, frame: Frame) -> Iterator[Row]:
    effects = direct_effects(model, frame.prompt.tokens, targets=[frame.prompt.target])
    yield row("edge", "frozen graph", "direct", "closure gap", effects.closure_gap)
    matrices = edge_matrices(effects, frame)
    yield from edge_rows(frame, {name: frame.align(matrix, effects) for name, matrix in matrices.items()})
    yield from pruned_rows(frame, graph_of(model, frame))
    yield from _node_rows(model, frame)
    yield from choice_rows(model, frame, known_keys=True)


def _node_rows(model: Model, frame: Frame) -> Iterator[Row]:
    """Tokens, heads at positions, and heads as such: a head's score is then its largest over positions."""
    nodes = [Nodes.whole(model, "embed"), *(Nodes.heads(model, layer) for layer in range(model.n_layers))]
    scores = node_scores(model, frame.prompt, nodes)
    for kind in ("token", "head"):
        known = [node for node in frame.prompt.truth.nodes if node.kind == kind]
        places = [(node.layer + 1, node.position, node.index if kind == "head" else 0) for node in known]
        used = np.array([node.on_path for node in known])
        yield from ranking_rows(kind, scores, places, used, {})
        if kind == "head":
            yield from _whole_head_rows(scores, places, used)


def _whole_head_rows(scores: Mapping[str, list[torch.Tensor]], places: list[Place], used: np.ndarray) -> Iterator[Row]:
    largest = {name: [one.abs().amax(1, keepdim=True) for one in found] for name, found in scores.items()}
    whole: dict[Place, bool] = {}
    for (n, _, index), is_used in zip(places, used.tolist(), strict=True):
        whole[n, 0, index] = whole.get((n, 0, index), False) or is_used
    yield from ranking_rows("whole head", largest, [*whole], np.array([*whole.values()]), {})
