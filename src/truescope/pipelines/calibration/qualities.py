"""Dictionaries of known quality for a compiled model, and which of the model's units each feature stands for.

`truth` makes the exact, rotated, shuffled and random ones; a learned one is trained on the model's activations, as
`truescope train` does. As a cross-layer transcoder an exact one writes its own layer only; in `collapse` it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from truescope.activations import Window, harvest
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, Group
from truescope.models import Model
from truescope.pipelines.calibration.known import Known, UnitOf
from truescope.train import TrainConfig, train_dictionary, training_sites
from truescope.truth import KnownFeatures, exact_transcoders, random_like, rotated, shuffled

QUALITIES = ("exact", "rotated", "shuffled", "random", "learned")
KINDS = {"PLT": "transcoder", "CLT": "clt"}
"""What is called a per-layer and a cross-layer transcoder, and the dictionaries' names for them."""
LEARNED_STEPS, LEARNED_BATCH = 600, 512


def quality(known: Known, name: str, kind: str, seed: int, prompts: list[torch.Tensor]) -> Dictionary:
    """A dictionary of one of `QUALITIES` and one of `KINDS`; ``prompts`` are what a learned one is trained on."""
    if name == "learned":
        return learned(known.model, kind, seed, prompts)
    groups = exact_transcoders(known.compiled)
    if name != "exact":
        groups = tuple(_SPOILT[name](group, seed + layer) for layer, group in enumerate(groups))
    return dictionary_of(known.model, f"{name} {kind}", kind, groups)


_SPOILT = {"rotated": rotated, "shuffled": shuffled, "random": random_like}


def dictionary_of(model: Model, name: str, kind: str, known: Sequence[KnownFeatures]) -> Dictionary:
    """Known features, one group a layer, as a dictionary; as a CLT they write zeros where they do not write."""
    groups, bias = [], {}
    for layer, features in enumerate(known):
        written = range(layer, model.n_layers if kind == "CLT" else layer + 1)
        writes = tuple(Site("mlp_out", other) for other in written)
        own = dict(zip(features.writes, features.W_dec.split(model.d_model, dim=1), strict=True))
        rows = [own.get(site, torch.zeros(len(features.W_enc), model.d_model)) for site in writes]
        threshold = torch.full_like(features.b_enc, features.threshold)
        group = Group(features.reads, writes, features.W_enc, features.b_enc, torch.cat(rows, 1), threshold=threshold)
        groups.append(group)
        bias[writes[0]] = features.b_dec[writes[0]]
    return Dictionary(name, KINDS[kind], "jumprelu", tuple(groups), bias, model_hash=model.hash)


def learned(model: Model, kind: str, seed: int, prompts: list[torch.Tensor], **settings: Any) -> Dictionary:
    """A dictionary trained on the model's activations over ``prompts``; ``settings`` are those of `TrainConfig`."""
    n_tokens = sum(len(tokens) - 1 for tokens in prompts)
    # Few inputs are seen several times a step: the steps are what costs.
    windows = [Window(tokens, 1, n) for n, tokens in enumerate([*prompts] * -(-LEARNED_BATCH // n_tokens))]
    defaults = {
        "n_features": model.n_neurons,
        "k": _most_active(model, prompts),
        "tokens": LEARNED_STEPS * LEARNED_BATCH,
        "batch": LEARNED_BATCH,
        "closed_loop": 0.0,
        "dead_after": 50_000,
    }
    config = TrainConfig(kind=KINDS[kind], seed=seed, **(defaults | settings))
    data = harvest(model, windows, training_sites(model, config))
    learner = train_dictionary(model, config, data, windows)
    return learner.dictionary(f"learned {kind}", model.hash, {"seed": seed})


def _most_active(model: Model, prompts: list[torch.Tensor]) -> int:
    """The largest number of a layer's neurons that are active together on any of the prompts."""
    reads = [Site("mlp_neurons", layer) for layer in range(model.n_layers)]
    most = [int((run > 1e-6).sum(-1).max()) for p in prompts for run in model.run(p, read=reads).sites.values()]
    return max(1, *most)


def stands_for(model: Model, dictionary: Dictionary, prompts: list[torch.Tensor]) -> UnitOf:
    """Which neuron each feature stands for: the pairing, layer by layer, with the largest sum of correlations.

    Correlations are of activations over all positions of ``prompts``; a feature or neuron that never varies, or a pair
    that does not correlate at all, is paired with nothing.
    """
    found: UnitOf = {}
    for site in dictionary.reads:
        layer = int(site.layer or 0)
        reads = [site, Site("mlp_neurons", layer)]
        runs = [model.run(tokens, read=reads).sites for tokens in prompts]
        codes = torch.cat([dictionary.encode(site, run[site][0]) for run in runs]).double().numpy()
        neurons = torch.cat([run[reads[1]][0] for run in runs]).double().numpy()
        likeness = _correlation(codes, neurons)
        features, units = linear_sum_assignment(-np.abs(likeness))
        for feature, unit in zip(features.tolist(), units.tolist(), strict=True):
            if abs(likeness[feature, unit]) > 1e-6:
                found[layer, feature] = (layer, unit)
    return found


def _correlation(
    a: Float[np.ndarray, "n features"], b: Float[np.ndarray, "n units"]
) -> Float[np.ndarray, "features units"]:
    def scaled(x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(0)
        size = np.linalg.norm(centred, axis=0)
        return centred / np.where(size > 1e-9, size, np.inf)

    return scaled(a).T @ scaled(b)


def unexplained(model: Model, dictionary: Dictionary, prompts: list[torch.Tensor]) -> float:
    """The share of the MLPs' output variance that the dictionary misses, over all layers and positions."""
    reads = [Site(kind, layer) for layer in range(model.n_layers) for kind in ("mlp_in", "mlp_out")]
    runs = [model.run(tokens, read=reads).sites for tokens in prompts]
    values = {site: torch.cat([run[site][0] for run in runs]) for site in reads}
    rebuilt = dictionary.reconstruct({site: values[site] for site in dictionary.reads})
    missed = sum(float((values[site] - ours).square().sum()) for site, ours in rebuilt.items())
    total = sum(float((values[site] - values[site].mean(0)).square().sum()) for site in rebuilt)
    return missed / total if total > 0 else 0.0


def direction_sae(known: Known, layer: int, seed: int | None = None) -> Dictionary:
    """An autoencoder of mlp_out.layer: one feature for each residual direction its neurons write, or random ones.

    The exact one's features are the program's own variables; with a ``seed`` its directions are drawn at random.
    """
    model, site = known.model, Site("mlp_out", layer)
    index = [known.compiled.directions.index(name) for name in written_directions(known, layer)]
    rows = torch.eye(model.d_model)[index]
    if seed is not None:
        drawn = torch.randn(rows.shape, generator=torch.Generator().manual_seed(seed))
        rows = drawn / drawn.norm(dim=1, keepdim=True)
    zero = rows.new_zeros(len(rows))
    group = Group(site, (site,), rows, zero, rows, threshold=zero)
    name = f"{'exact' if seed is None else 'random'} SAE"
    return Dictionary(name, "sae", "jumprelu", (group,), {site: rows.new_zeros(model.d_model)}, model_hash=model.hash)


def written_directions(known: Known, layer: int) -> list[str]:
    """The residual directions that a layer's neurons write, in a fixed order."""
    neurons = [neuron for neuron in known.compiled.layout.neurons if neuron.layer == layer]
    return sorted({name for neuron in neurons for name in neuron.writes})
