"""Suppressing a group of units: its activations are set to their means, and the real model answers.

x ← x + (dec(z′) − dec(z)) at the last position, wherever the group writes, with z′ the code in which the group's units
have their mean over the grouping half. Everything downstream is live.

For features z is the prompt's own code, from the unedited run: what the group wrote there is taken out. So a group's
delta does not hang on what a dictionary makes of an edited stream, which it was never trained on. Neurons are the
model's own, and their activations are set while it runs. docs/decisions/0012 compares the two for features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Int

from truescope.core.dictionaries import Dictionary
from truescope.core.errors import ClaimError
from truescope.core.features import Feature
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.judge.controls import check_units
from truescope.models import Model
from truescope.statistics import UnitStatistics

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much there is."""

NEURONS = "neurons"
"""The name of the dictionary whose features are the MLP neurons themselves."""

OPERATIONS = {
    "neurons": "suppress: set to the mean over the grouping half, at the last position",
    "features": "suppress: what the features write at the prompt's last position is replaced, wherever they write, "
    "by what they write at their means over the grouping half",
}
"""What is done to the model, as claims state it."""


def suppression_edits(
    features: Iterable[Feature], units: UnitStatistics, dictionary: Dictionary | None = None
) -> list[Intervention]:
    """One edit a layer that sets the features' activations at the last position to their means while the model runs.

    Without a dictionary the features are MLP neurons. With one the edits are in delta form, z is encoded from the
    edited stream, and a run needs ``{dictionary.name: dictionary}``; `answers_without` takes z from the prompt instead.

    Raises:
        ClaimError: a feature was not measured, or the dictionary reads no site of its layer.
    """
    chosen = sorted(set(features))
    check_units(chosen, units)
    column = units.index
    edits = []
    for layer in sorted({feature.layer for feature in chosen}):
        here = [feature for feature in chosen if feature.layer == layer]
        means = torch.tensor([units.mean[column[feature]] for feature in here], dtype=torch.float32)
        site = Site("mlp_neurons", layer) if dictionary is None else _reads(dictionary, layer)
        indices = tuple(feature.index for feature in here)
        name = None if dictionary is None else dictionary.name
        edits.append(Intervention(site, "set", means, positions=(-1,), units=indices, dictionary=name))
    return edits


def _reads(dictionary: Dictionary, layer: int) -> Site:
    for site in dictionary.reads:
        if site.layer == layer:
            return site
    raise ClaimError(f"dictionary {dictionary.name!r} reads no site of layer {layer}")


def edited_answers(
    model: Model,
    tokens: Int[torch.Tensor, "n pos"],
    edits: Sequence[Sequence[Intervention]],
    *,
    dictionary: Dictionary | None = None,
    batch: int = 1000,
    stage: str = "",
    progress: Progress | None = None,
) -> Int[np.ndarray, "n_edits n"]:
    """The most probable next token of every prompt under each list of edits; only the last position is run again."""
    found = np.empty((len(edits), len(tokens)), dtype=np.int64)
    dictionaries = None if dictionary is None else {dictionary.name: dictionary}
    starts = range(0, len(tokens), batch)
    for done, start in enumerate(starts):
        tail = model.tail(tokens[start : start + batch])
        for i, edit in enumerate(edits):
            logits = tail.run(edit, dictionaries=dictionaries) if edit else tail.logits
            found[i, start : start + batch] = logits.argmax(dim=-1).cpu().numpy()
            if progress is not None:
                progress(stage, done * len(edits) + i + 1, len(starts) * len(edits))
    return found


def answers_without(
    model: Model,
    tokens: Int[torch.Tensor, "n pos"],
    groups: Sequence[Sequence[Feature]],
    units: UnitStatistics,
    *,
    dictionary: Dictionary | None = None,
    batch: int = 1000,
    stage: str = "",
    progress: Progress | None = None,
) -> Int[np.ndarray, "n_groups n"]:
    """The most probable next token of every prompt with each group suppressed; an empty group is the model itself.

    Raises:
        ClaimError: a feature was not measured, or the dictionary reads no site of its layer.
    """
    if dictionary is None:
        edits = [suppression_edits(group, units) for group in groups]
        return edited_answers(model, tokens, edits, batch=batch, stage=stage, progress=progress)
    found = np.empty((len(groups), len(tokens)), dtype=np.int64)
    starts = range(0, len(tokens), batch)
    for done, start in enumerate(starts):
        tail = model.tail(tokens[start : start + batch])
        # Values broadcast against [batch, 1, units].
        codes = {site: dictionary.encode(site, tail.values(site)[:, None]) for site in dictionary.reads}
        for i, group in enumerate(groups):
            logits = tail.run(_taken_out(group, units, dictionary, codes)) if group else tail.logits
            found[i, start : start + batch] = logits.argmax(dim=-1).cpu().numpy()
            if progress is not None:
                progress(stage, done * len(groups) + i + 1, len(starts) * len(groups))
    return found


def _taken_out(
    group: Sequence[Feature], units: UnitStatistics, dictionary: Dictionary, codes: dict[Site, torch.Tensor]
) -> list[Intervention]:
    """dec(z′) − dec(z) as one addition a written site, from the prompts' own codes."""
    delta: dict[Site, torch.Tensor] = {}
    for edit in suppression_edits(group, units, dictionary):
        code = codes[edit.site]
        index = torch.tensor(edit.units, device=code.device)
        changed = torch.zeros_like(code)
        changed[..., index] = edit.value.to(code) - code[..., index]
        # Decoding is linear: the decoded change is the change of what is decoded.
        for site, written in dictionary.decode(edit.site, changed).items():
            delta[site] = delta[site] + written if site in delta else written
    return [Intervention(site, "add", value, positions=(-1,)) for site, value in delta.items()]


def values_hash(features: Iterable[Feature], units: UnitStatistics) -> str:
    """SHA-256, in hex, over the values that a suppression sets: the features' means, sorted by feature."""
    column = units.index
    means = [units.mean[column[feature]] for feature in sorted(set(features))]
    return hashlib.sha256(np.array(means, dtype="<f4").tobytes()).hexdigest()
