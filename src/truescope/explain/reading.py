"""Reading neurons over many prompts: at the last position, or at every token of chosen prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from truescope.core.errors import UsageError
from truescope.core.features import Feature
from truescope.core.sites import Site
from truescope.models import Model

Prompt = Int[torch.Tensor, " _"]


def neurons(model: Model) -> list[Feature]:
    """Every MLP neuron of the model, by layer and index."""
    return [Feature(layer, index) for layer in range(model.n_layers) for index in range(model.n_neurons)]


def check_neurons(model: Model, features: Iterable[Feature]) -> None:
    """See that the model has these neurons.

    Raises:
        UsageError: it has not; the first one is named.
    """
    for feature in features:
        if not (0 <= feature.layer < model.n_layers and 0 <= feature.index < model.n_neurons):
            raise UsageError(
                f"the model has no neuron {feature}",
                why=f"its layers are 0 to {model.n_layers - 1}, its neurons 0 to {model.n_neurons - 1}",
                fix="write a neuron as layer/index",
            )


def last_activations(
    model: Model, tokens: Int[torch.Tensor, "n_prompts pos"], *, batch: int = 1000
) -> Float[np.ndarray, "n_prompts n_units"]:
    """The activation of every neuron at the last position of every prompt, columns in the order of `neurons`."""
    sites = [Site("mlp_neurons", layer) for layer in range(model.n_layers)]
    parts = []
    for chunk in tokens.split(batch):
        values = model.run(chunk, read=sites).sites
        parts.append(torch.cat([values[site][:, -1].float().cpu() for site in sites], dim=1))
    return torch.cat(parts).numpy()


def token_activations(
    model: Model, prompts: Sequence[Prompt], wanted: Iterable[tuple[int, Feature]], *, batch: int = 256
) -> dict[tuple[int, Feature], Float[np.ndarray, " _"]]:
    """The activation at every token of chosen prompts: one [pos] for each (prompt's index, neuron) that is wanted.

    Each prompt is run once, in batches of equal length, however many neurons are wanted of it.
    """
    by_prompt: dict[int, list[Feature]] = defaultdict(list)
    for prompt, feature in wanted:
        by_prompt[prompt].append(feature)
    found: dict[tuple[int, Feature], np.ndarray] = {}
    for chunk in _equal_lengths(prompts, by_prompt, batch):
        layers = sorted({feature.layer for prompt in chunk for feature in by_prompt[prompt]})
        run = model.run(torch.stack([prompts[p] for p in chunk]), read=[Site("mlp_neurons", layer) for layer in layers])
        for row, prompt in enumerate(chunk):
            for feature in by_prompt[prompt]:
                value = run.sites[Site("mlp_neurons", feature.layer)][row, :, feature.index]
                found[prompt, feature] = value.float().cpu().numpy()
    return found


def _equal_lengths(prompts: Sequence[Prompt], chosen: Iterable[int], batch: int) -> Iterator[list[int]]:
    by_length: dict[int, list[int]] = defaultdict(list)
    for prompt in chosen:
        by_length[len(prompts[prompt])].append(prompt)
    for group in by_length.values():
        for start in range(0, len(group), batch):
            yield group[start : start + batch]
