"""Reading units over many prompts: at the last position, or at every token of chosen prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from truescope.core.features import Feature
from truescope.dictionaries import Dictionary
from truescope.explain.units import UnitSet
from truescope.models import Model, Run

Prompt = Int[torch.Tensor, " _"]


def last_activations(
    model: Model,
    tokens: Int[torch.Tensor, "n_prompts pos"],
    *,
    dictionary: Dictionary | None = None,
    batch: int = 1000,
) -> Float[np.ndarray, "n_prompts n_units"]:
    """The activation of every unit at the last position of every prompt, columns in the order of `UnitSet.every`."""
    units = UnitSet(model, dictionary)
    layers = sorted({unit.layer for unit in units.every()})
    parts = []
    for chunk in tokens.split(batch):
        run = model.run(chunk, read=[units.site(layer) for layer in layers])
        last = Run(run.logits, {site: value[:, -1:] for site, value in run.sites.items()})
        parts.append(torch.cat([units.values(last, layer)[:, 0].float().cpu() for layer in layers], dim=1))
    return torch.cat(parts).numpy()


def token_activations(
    units: UnitSet, prompts: Sequence[Prompt], wanted: Iterable[tuple[int, Feature]], *, batch: int = 256
) -> dict[tuple[int, Feature], Float[np.ndarray, " _"]]:
    """The activation at every token of chosen prompts: one [pos] for each (prompt's index, unit) that is wanted.

    Each prompt is run once, in batches of equal length, however many units are wanted of it.
    """
    by_prompt: dict[int, list[Feature]] = defaultdict(list)
    for prompt, feature in wanted:
        by_prompt[prompt].append(feature)
    found: dict[tuple[int, Feature], np.ndarray] = {}
    for chunk in _equal_lengths(prompts, by_prompt, batch):
        layers = sorted({feature.layer for prompt in chunk for feature in by_prompt[prompt]})
        read = [units.site(layer) for layer in layers]
        run = units.model.run(torch.stack([prompts[p] for p in chunk]), read=read)
        values = {layer: units.values(run, layer) for layer in layers}
        for row, prompt in enumerate(chunk):
            for feature in by_prompt[prompt]:
                found[prompt, feature] = values[feature.layer][row, :, feature.index].float().cpu().numpy()
    return found


def _equal_lengths(prompts: Sequence[Prompt], chosen: Iterable[int], batch: int) -> Iterator[list[int]]:
    by_length: dict[int, list[int]] = defaultdict(list)
    for prompt in chosen:
        by_length[len(prompts[prompt])].append(prompt)
    for group in by_length.values():
        for start in range(0, len(group), batch):
            yield group[start : start + batch]
