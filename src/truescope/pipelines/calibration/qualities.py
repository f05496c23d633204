"""Dictionaries of known quality for a compiled model, and which of the model's units each feature stands for.

`truth` makes the exact, rotated, shuffled and random ones; a learned one is trained on the model's activations, as
`truescope train` does. As a cross-layer transcoder an exact one writes its own layer only; in `collapse` it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
KINDS = {"PLT": "transcoder", "CLT": "clt", "SAE": "sae"}
"""What is called a per-layer and a cross-layer transcoder and an autoencoder, and the dictionaries' names for them."""
LEARNED_STEPS, LEARNED_BATCH, RESTARTS = 600, 512, 3
LEARNED_ACTIVATION = "jumprelu"
"""How many neurons and variables are active differs between positions, and TopK would fill up to the largest number."""


def quality(known: Known, name: str, kind: str, seed: int, prompts: list[torch.Tensor]) -> Dictionary:
    """A dictionary of one of `QUALITIES` and one of `KINDS`; ``prompts`` are what a learned one is trained on."""
    if name == "learned":
        return learned(known.model, kind, seed, prompts, activation=LEARNED_ACTIVATION)
    groups = exact_transcoders(known.compiled)
    if name != "exact":
        groups = tuple(SPOILT[name](group, seed + layer) for layer, group in enumerate(groups))
    return dictionary_of(known.model, f"{name} {kind}", kind, groups)


SPOILT = {"rotated": rotated, "shuffled": shuffled, "random": random_like}
"""How exact features are spoilt, by quality."""


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
    sizes = {"n_features": 2 * model.n_neurons, "k": _most_active(model, prompts)} | settings
    return best_of(model, prompts, lambda start: trained_on(model, kind, start, prompts, **sizes), seed)


def best_of(model: Model, prompts: list[torch.Tensor], train: Callable[[int], Dictionary], seed: int) -> Dictionary:
    """Of `RESTARTS` trainings from different starts the one that misses least of ``prompts``."""
    made = [train(RESTARTS * seed + start) for start in range(RESTARTS)]
    return min(made, key=lambda one: unexplained(model, one, prompts))


def trained_on(model: Model, kind: str, seed: int, prompts: list[torch.Tensor], **settings: Any) -> Dictionary:
    """One training on the model's activations, ``<bos>`` among them: what it makes there counts like all else."""
    n_tokens = sum(len(tokens) for tokens in prompts)
    # Few inputs are seen several times a step: the steps are what costs.
    windows = [Window(tokens, 0, n) for n, tokens in enumerate([*prompts] * -(-LEARNED_BATCH // n_tokens))]
    defaults = {
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


def stands_for(
    model: Model, dictionary: Dictionary, prompts: list[torch.Tensor], reference: Dictionary | None = None
) -> UnitOf:
    """Which neuron each feature stands for: the pairing, layer by layer, with the largest sum of correlations.

    Correlations are of activations over all positions of ``prompts``; a feature or neuron that never varies, or a pair
    that does not correlate at all, is paired with nothing. With a ``reference`` it is its feature at the same site.
    """
    found: UnitOf = {}
    for site in dictionary.reads:
        layer = int(site.layer or 0)
        reads = [site, Site("mlp_neurons", layer)]
        runs = [model.run(tokens, read=reads).sites for tokens in prompts]
        codes = torch.cat([dictionary.encode(site, run[site][0]) for run in runs]).double().numpy()
        own = [run[reads[1]][0] if reference is None else reference.encode(site, run[site][0]) for run in runs]
        likeness = _correlation(codes, torch.cat(own).double().numpy())
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
    """The share of the variance of what the dictionary writes that it misses, over all its sites and all positions."""
    reads = sorted({*dictionary.reads, *dictionary.writes})
    runs = [model.run(tokens, read=reads).sites for tokens in prompts]
    values = {site: torch.cat([run[site][0] for run in runs]) for site in reads}
    rebuilt = dictionary.reconstruct({site: values[site] for site in dictionary.reads})
    missed = sum(float((values[site] - ours).square().sum()) for site, ours in rebuilt.items())
    total = sum(float((values[site] - values[site].mean(0)).square().sum()) for site in rebuilt)
    return missed / total if total > 0 else 0.0
