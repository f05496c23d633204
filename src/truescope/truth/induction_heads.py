"""Induction heads among others: the task of `induction` learned by two layers of four heads, and what each head does.

With one head a layer there is nothing to rank. With four, training leaves some heads of layer 0 without work, and which
ones differs from seed to seed. `known_heads` decides it by facts about attention patterns, and holds the decision
against two facts about silence: without the heads that it calls previous-token heads the induction heads find nothing,
and without the ones that it calls idle, all at once, the model goes on as before.

This is a weaker truth than a compiled program's. It is measured (on sequences of its own, over whole sequences), so a
head that helps a little on some prompt can be called idle.

``python -m truescope.truth.induction_heads FOLDER --seed 0`` trains one anew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor
from transformers import GPT2LMHeadModel

from truescope.core.errors import ModelError
from truescope.statistics import bootstrap_interval
from truescope.truth import induction
from truescope.truth.attention_only import Progress, Recipe, save, script
from truescope.truth.facts import CheckedFact, Fact, Measure, check_fact
from truescope.truth.induction import VOCABULARY, attends_after, attends_to_previous, continues, without

Head = tuple[int, int]
"""(layer, index)."""

INDUCTION_HEADS_FOLDER = Path(__file__).parent / "worlds" / "induction_heads"
"""Where the trained weights that come with the package lie, a folder for each of `SEEDS`."""
SEEDS = (0, 1, 2, 3, 4)

RECIPE = replace(induction.RECIPE, n_heads=4)

PREVIOUS_SHARE, AFTER_SHARE = 0.8, 0.9
"""The least share of a previous-token head's attention on the token before, and of an induction head's on what came
after."""


@dataclass(frozen=True)
class KnownHeads:
    """What each head does, and the facts that say so: previous-token heads, induction heads, and those without work."""

    previous: tuple[Head, ...]
    induction: tuple[Head, ...]
    idle: tuple[Head, ...]
    facts: tuple[CheckedFact, ...]

    @property
    def holds(self) -> bool:
        """Whether every fact holds: only then do the names mean anything."""
        return all(checked.holds for checked in self.facts)


def known_heads(model: GPT2LMHeadModel) -> KnownHeads:
    """Find what each head of a trained model does, and check it.

    A head of layer 0 is a previous-token head where the lower end of the interval of its attention on the token before
    reaches `PREVIOUS_SHARE`, one of layer 1 an induction head where that on what came after reaches `AFTER_SHARE`; all
    others are idle, which the last fact must bear out.

    Raises:
        ModelError: no head of layer 0, or none of layer 1, attends so.
    """
    n_heads = int(model.config.n_head)
    previous = [(0, h) for h in range(n_heads) if _low(attends_to_previous(model, (0, h))) >= PREVIOUS_SHARE]
    found = [(1, h) for h in range(n_heads) if _low(attends_after(model, (1, h))) >= AFTER_SHARE]
    if not previous or not found:
        lacking = "previous-token head" if not previous else "induction head"
        raise ModelError(f"this model has no {lacking}", fix="train it longer, or with another seed")
    idle = [(layer, h) for layer in range(2) for h in range(n_heads) if (layer, h) not in (*previous, *found)]

    def lost(model: GPT2LMHeadModel, head: Head | None) -> Float[Tensor, " case"]:
        with without(model, previous):
            return 1 - attends_after(model, head)

    def stops(model: GPT2LMHeadModel, head: Head | None) -> Float[Tensor, " case"]:
        with without(model, found):
            return 1 - continues(model, head)

    def suffices(model: GPT2LMHeadModel, head: Head | None) -> Float[Tensor, " case"]:
        with without(model, idle):
            return continues(model, head)

    measures: dict[str, Measure] = {
        "continues": continues,
        "attends_to_previous": attends_to_previous,
        "attends_after": attends_after,
        "lost_without_previous": lost,
        "stops_without_induction": stops,
        "continues_without_idle": suffices,
    }
    facts = [
        Fact("it goes on with runs of random blocks", "continues", 0.99),
        *(Fact("in the block, it attends to the token before", "attends_to_previous", 0.8, h) for h in previous),
        *(Fact("it attends to what came after the first coming", "attends_after", 0.9, h) for h in found),
        *(
            Fact("with the previous-token heads silent nearly none of that is left", "lost_without_previous", 0.8, h)
            for h in found
        ),
        Fact("with the induction heads silent it does not go on", "stops_without_induction", 0.8),
        Fact("with the idle heads silent, all at once, it goes on as before", "continues_without_idle", 0.98),
    ]
    checked = tuple(check_fact(fact, model, measures) for fact in facts)
    return KnownHeads(tuple(previous), tuple(found), tuple(idle), checked)


def _low(cases: Float[Tensor, " case"]) -> float:
    return bootstrap_interval(cases.double().numpy().astype(np.float64), seed=0)[0]


def train_induction_heads(seed: int = 0, progress: Progress | None = None) -> GPT2LMHeadModel:
    """Train a model from nothing: about a minute on one CPU core."""
    return induction.train_induction(seed, RECIPE, progress)


def save_induction_heads(folder: Path, seed: int = 0, recipe: Recipe = RECIPE) -> dict[str, object]:
    """Train a model and write weights, tokenizer and `card.json` with the measured facts; the card is returned."""
    about = {"seed": seed, "recipe": asdict(recipe)}

    def check(model: GPT2LMHeadModel) -> tuple[CheckedFact, ...]:
        return known_heads(model).facts

    return save(folder, "induction heads", lambda: induction.train_induction(seed, recipe), VOCABULARY, check, about)


if __name__ == "__main__":
    script("truescope.truth.induction_heads", "Train induction heads and print their card.", save_induction_heads)
