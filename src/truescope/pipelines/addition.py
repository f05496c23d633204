"""The addition world's dictionaries: transcoders and a cross-layer transcoder, trained from all of its 10,000 prompts.

Model ─harvest→ Activations ─every input once, "=" more often→ train → Dictionary, shipped beside the world's weights
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from truescope.activations import Activations, Window, harvest
from truescope.core.errors import UsageError, nearest
from truescope.core.progress import Watcher
from truescope.dictionaries import Dictionary, measure
from truescope.models import Model
from truescope.train import TrainConfig, train_dictionary, training_sites
from truescope.truth.addition import ADDITION_FOLDER, LARGEST_OPERAND, addition_prompts

ADDITION_DICTIONARIES = ADDITION_FOLDER / "dictionaries"
"""Where the dictionaries that come with the package lie, each in a folder named after its kind."""

KINDS = ("transcoder", "clt")
REPEATS = 5
"""How often an input at "=" is in the training data; every other distinct input is there once."""

_N_OPERANDS = LARGEST_OPERAND + 1
_N_HARVESTED = 4
"""Positions of a prompt: a + b =, all but the beginning."""
_FIRST, _PLUS, _SECOND, _EQUALS = range(_N_HARVESTED)


@dataclass(frozen=True)
class AdditionEvaluation:
    """How a dictionary does on the whole world; lists run over the layers.

    ``fvu`` is over every position but the first of all prompts, ``fvu_last`` over the last ("=") alone; ``l0`` and
    ``dead`` are over every position.
    """

    fvu: list[float]
    fvu_last: list[float]
    l0: list[float]
    dead: list[int]


def train_addition_dictionaries(
    seed: int = 0,
    kinds: Sequence[str] = KINDS,
    n_features: int = 512,
    k: int = 16,
    *,
    tokens: int = 1_500_000,
    model: Model | None = None,
    data: Activations | None = None,
    watcher: Watcher | None = None,
) -> dict[str, Dictionary]:
    """Train a dictionary of each kind for the addition world: about 25 seconds each on one idle CPU core.

    ``n_features`` a layer, ``k`` kept at a position, ``tokens`` seen. The same seed, versions and thread count give the
    same weights. ``model`` and its activations ``data`` (`addition_activations`) can be handed in; without them the
    shipped world is loaded and run.

    Raises:
        UsageError: there is no such kind, or a number that cannot be.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(
                f"there is no dictionary {kind!r} of the addition world",
                why=f"there are {', '.join(KINDS)}",
                fix=nearest(kind, KINDS),
            )
    model = model or Model.from_pretrained(ADDITION_FOLDER)
    data = data or addition_activations(model)
    drawn = training_rows()
    chosen = Activations(data.rows(drawn), data.document[drawn])
    made = {}
    for kind in kinds:
        config = addition_config(kind, seed=seed, n_features=n_features, k=k, tokens=tokens)
        learner = train_dictionary(model, config, chosen, _windows(), watcher=watcher)
        info = {"model": "addition", "prompts": len(data.document) // _N_HARVESTED, "config": config.record()}
        made[kind] = learner.dictionary(f"addition {kind}, seed {seed}", model.hash, info)
    return made


def addition_config(kind: str, *, seed: int = 0, n_features: int = 512, k: int = 16, tokens: int) -> TrainConfig:
    """The recipe: TopK, inputs centred and scaled, unit decoder rows, no closed loop."""
    return TrainConfig(
        kind=kind,
        n_features=n_features,
        k=k,
        activation="topk",
        normalisation="affine",
        tokens=tokens,
        batch=1024,
        lr=0.01 * 2**0.5,
        warmup=0.02,
        decay=0.2,
        closed_loop=0.0,
        unit_decoder=True,
        aux_coefficient=1 / 32,
        dead_after=100_000,
        seed=seed,
    )


def addition_activations(model: Model) -> Activations:
    """What the dictionaries read and write, at every position but the first of all 10,000 prompts: 40,000 rows.

    Prompt after prompt, four rows each: a, +, b, =.
    """
    sites = training_sites(model, addition_config("clt", tokens=1))
    return harvest(model, _windows(), sites)


def training_rows() -> Int[Tensor, " n_rows"]:
    """The rows of `addition_activations` that are trained on, 60,200 of them.

    The model reads from left to right, so at "a" and "+" there are only 100 different inputs, each seen in 100 prompts;
    at "b" and "=" all 10,000 differ. Every different input comes once; but at "=", where the answer is made and the
    features are judged, `REPEATS` times, or half of the features' work would go to a position that answers nothing.
    """
    prompts = torch.arange(_N_OPERANDS**2)
    once = torch.arange(_N_OPERANDS) * _N_OPERANDS
    rows = [once * _N_HARVESTED + _FIRST, once * _N_HARVESTED + _PLUS, prompts * _N_HARVESTED + _SECOND]
    return torch.cat([*rows, (prompts * _N_HARVESTED + _EQUALS).repeat(REPEATS)])


def last_rows() -> Int[Tensor, " n_prompts"]:
    """The rows of `addition_activations` at "="."""
    return torch.arange(_N_OPERANDS**2) * _N_HARVESTED + _EQUALS


def evaluate_addition_dictionary(dictionary: Dictionary, data: Activations) -> AdditionEvaluation:
    """FVU, L0 and dead features over the whole world; ``data`` is `addition_activations`."""
    everywhere = measure(dictionary, data.in_batches())
    last = measure(dictionary, [data.rows(last_rows())])
    return AdditionEvaluation(
        fvu=[everywhere.fvu[site] for site in dictionary.writes],
        fvu_last=[last.fvu[site] for site in dictionary.writes],
        l0=[everywhere.l0[site] for site in dictionary.reads],
        dead=[everywhere.dead[site] for site in dictionary.reads],
    )


def save_addition_dictionaries(folder: Path = ADDITION_DICTIONARIES, seed: int = 0) -> dict[str, Any]:
    """Train the dictionaries and write each to ``folder``/kind; what `evaluate_addition_dictionary` says is returned.

    Raises:
        StoreError, DictionaryError: a folder cannot be written, or holds something else.
    """
    model = Model.from_pretrained(ADDITION_FOLDER)
    data = addition_activations(model)
    evaluations: dict[str, Any] = {}
    for kind, dictionary in train_addition_dictionaries(seed, model=model, data=data).items():
        evaluations[kind] = vars(evaluate_addition_dictionary(dictionary, data))
        written = dictionary.save(folder / kind)
        for path in (folder, written):
            path.chmod(0o755)
        for path in written.iterdir():
            path.chmod(0o644)
    return evaluations


def load_addition_dictionary(kind: str = "clt", model: Model | None = None) -> Dictionary:
    """The shipped dictionary of this kind.

    Raises:
        DictionaryError: there is none of this kind, or it belongs to another model than ``model``.
    """
    return Dictionary.load(ADDITION_DICTIONARIES / kind, model_hash=None if model is None else model.hash)


def _windows() -> list[Window]:
    """Every prompt as a window whose first token, the beginning, is not harvested."""
    tokens, _ = addition_prompts()
    return [Window(row, 1, number) for number, row in enumerate(tokens)]
