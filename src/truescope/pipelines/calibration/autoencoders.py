"""Graphs on autoencoders of known quality: at every layer's MLP output ("SAE"), or of the whole stream ("stream SAE").

The exact ones' features are the program's own variables, and what is true is the graph between these. Learned, rotated,
shuffled and random ones are scored against the same truth, each of their features standing for the variable that it
correlates with. A map's variables are gathered at mlp_out, and what heads carry passes by; in the stream every variable
is a feature again after every layer, so its graph has as many hops as layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, Group, joined
from truescope.pipelines.calibration.known import Frame, Known, Prompt, known_model
from truescope.pipelines.calibration.qualities import (
    LEARNED_ACTIVATION,
    SPOILT,
    best_of,
    stands_for,
    trained_on,
    unexplained,
)
from truescope.pipelines.calibration.scoring import Row, dictionary_rows, node_scores, ranking_rows
from truescope.trace import AutoencoderReplacement, direct_effects
from truescope.trace.patching import Nodes
from truescope.truth import KnownFeatures, Program, exact_autoencoder, prompts

SITES = {"SAE": "mlp_out", "stream SAE": "resid_post"}
"""The kinds of autoencoder, and where they read and write."""


def autoencoder_rows(
    program: Program, quality: str, kind: str, norms: str, dictionary_seed: int, n_prompts: int, seed: int
) -> Iterator[list[Row]]:
    """One list of rows a prompt: the graph's edges, pruned graph, and features as nodes, against the variables."""
    known = known_model(program, norms, n_prompts, seed)
    seen = [known.compiled.token_ids(tokens) for tokens in prompts(program, 400, seed + 1)]
    exact = autoencoder(known, "exact", kind, 0, seen)
    made = exact if quality == "exact" else autoencoder(known, quality, kind, dictionary_seed, seen)
    unit_of = None if quality == "exact" else stands_for(known.model, made, seen[:100], exact)
    missed = unexplained(known.model, made, seen[:100])
    truth, replacement = AutoencoderReplacement(known.model, exact), AutoencoderReplacement(known.model, made)
    for prompt in variable_prompts(known, kind):
        frame = Frame(prompt, direct_effects(known.model, prompt.tokens, targets=[prompt.target], replacement=truth))
        effects = frame.effects
        if quality != "exact":
            effects = direct_effects(known.model, prompt.tokens, targets=[prompt.target], replacement=replacement)
        rows = list(dictionary_rows(known.model, frame, effects, missed, unit_of))
        if quality in ("exact", "random"):
            rows += _feature_rows(known, frame, made)
        yield rows


def variable_prompts(known: Known, kind: str) -> Iterator[Prompt]:
    """The prompts with what is true of the program's variables in the place of neurons."""
    for prompt in known.prompts:
        yield replace(prompt, truth=known.compiled.truth(prompt.truth.tokens, variables_at=SITES[kind]))


def autoencoder(known: Known, quality: str, kind: str, seed: int, seen: list[torch.Tensor]) -> Dictionary:
    """Autoencoders of one quality at every layer where the program holds anything, as one dictionary."""
    layout = known.compiled.layout
    sites = [Site(SITES[kind], layer) for layer in range(known.model.n_layers)]
    sites = [site for site in sites if layout.variables(site)]
    features = [exact_autoencoder(known.compiled, site) for site in sites]
    if quality == "learned":
        return _learned(known, features, seed, seen)
    if quality != "exact":
        features = [SPOILT[quality](one, seed + layer) for layer, one in enumerate(features)]
    groups = [
        Group(f.reads, f.writes, f.W_enc, f.b_enc, f.W_dec, threshold=torch.full_like(f.b_enc, f.threshold))
        for f in features
    ]
    bias = {site: value for one in features for site, value in one.b_dec.items()}
    return Dictionary(f"{quality} {kind}", "sae", "jumprelu", tuple(groups), bias, model_hash=known.model.hash)


def _learned(known: Known, features: Sequence[KnownFeatures], seed: int, seen: list[torch.Tensor]) -> Dictionary:
    """One autoencoder a site, twice as wide as there are variables; k, to start from, is the most held at once."""
    model, parts = known.model, []
    reads = [one.reads for one in features]
    runs = [model.run(tokens, read=reads).sites for tokens in seen]
    k = max(1, *(int((one.encode(run[one.reads]) > 0).sum(-1).max()) for one in features for run in runs))
    for one in features:
        sizes: dict[str, Any] = {"n_features": max(2 * len(one.labels), k), "k": k}
        sizes |= {"site": str(one.reads), "activation": LEARNED_ACTIVATION}
        parts.append(best_of(model, seen, lambda s, sizes=sizes: trained_on(model, "SAE", s, seen, **sizes), seed))
    return joined(parts)


def _feature_rows(known: Known, frame: Frame, made: Dictionary) -> Iterator[Row]:
    """Every method's scores of the features as nodes, against the variables on a path, index by index."""
    nodes = [Nodes.features(made, site.layer)[0] for site in made.reads]
    layers = [int(site.layer or 0) for site in made.reads]
    units = [node for node in frame.prompt.truth.nodes if node.kind == "unit"]
    if units:
        places = [(layers.index(node.layer), node.position, node.index) for node in units]
        used = torch.tensor([node.on_path for node in units]).numpy()
        yield from ranking_rows("SAE feature", node_scores(known.model, frame.prompt, nodes), places, used, {})
