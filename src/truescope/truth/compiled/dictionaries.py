"""Dictionaries of known quality for a compiled model, as matrices: exact, rotated, shuffled, random.

The matrices are laid out as a `Group` of the room `dictionaries`: features by rows, decoders of several sites side by
side;

    z = relu(W_enc x + b_enc) where that exceeds ``threshold``,  ŷ[site] = z W_dec[site] + b_dec[site]

Exact ones reconstruct every value that the program can produce; the others are the same matrices spoilt in one way.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import GPT2LMHeadModel

from truescope.core.errors import UsageError
from truescope.core.sites import Site
from truescope.truth.compiled.compiling import Compiled
from truescope.truth.compiled.directions import HIGH, LOW
from truescope.truth.compiled.parts import SILENT
from truescope.truth.compiled.weights import BALANCE, Writer


@dataclass(frozen=True, eq=False)
class KnownFeatures:
    """Features of one site with known meaning: ``labels`` has one a feature."""

    reads: Site
    writes: tuple[Site, ...]
    W_enc: Float[Tensor, "n_features d_model"]
    b_enc: Float[Tensor, " n_features"]
    W_dec: Float[Tensor, "n_features d_written"]
    b_dec: Mapping[Site, Float[Tensor, " d_model"]]
    labels: tuple[str, ...]
    threshold: float = SILENT

    def encode(self, x: Float[Tensor, "*shape d_model"]) -> Float[Tensor, "*shape n_features"]:
        """The code of what is read."""
        z = x @ self.W_enc.T + self.b_enc
        return z * (z > self.threshold)

    def decode(self, z: Float[Tensor, "*shape n_features"], site: Site) -> Float[Tensor, "*shape d_model"]:
        """What a code writes at one of the sites written, the constant included."""
        d_model = self.W_enc.shape[1]
        at = self.writes.index(site) * d_model
        return z @ self.W_dec[:, at : at + d_model] + self.b_dec[site]


def exact_transcoders(compiled: Compiled) -> tuple[KnownFeatures, ...]:
    """One transcoder a layer, its features the layer's neurons: rows of the program's maps (and the decoys)."""
    found = []
    for layer in range(compiled.layout.n_layers):
        labels = tuple(f"{n.step}[{n.row}]" for n in compiled.layout.neurons if n.layer == layer)
        mlp: Any = compiled.model.transformer.h[layer].mlp
        n = max(1, len(labels))
        written = Site("mlp_out", layer)
        found.append(
            KnownFeatures(
                reads=Site("mlp_in", layer),
                writes=(written,),
                W_enc=mlp.c_fc.weight[:, :n].T.clone(),
                b_enc=mlp.c_fc.bias[:n].clone(),
                W_dec=mlp.c_proj.weight[:n].clone(),
                b_dec={written: torch.zeros(len(compiled.directions))},
                labels=labels or ("silent",),
            )
        )
    return tuple(found)


def exact_autoencoder(compiled: Compiled, site: Site) -> KnownFeatures:
    """An autoencoder whose features are the program's own variables, one a direction, of the stream or of ``mlp_out``.

    A number that can be negative has a feature for each sign. `Compiled.truth` says what is true of them.

    Raises:
        UsageError: another kind of site, or a layer without neurons.
    """
    directions, write = compiled.directions, Writer(compiled.directions)
    rows = compiled.layout.variables(site)
    if not rows:
        raise UsageError(f"nothing is written at {site}", fix="choose a layer with neurons, or the residual stream")
    W_dec = torch.stack([write.writing({name: sign}) for name, sign in rows])
    W_enc = torch.zeros_like(W_dec)
    for i, (name, sign) in enumerate(rows):
        W_enc[i, directions.index(name)] = sign
    constant = torch.zeros(len(directions))
    if directions.balanced and site.kind != "mlp_out":
        constant[directions.index(HIGH)], constant[directions.index(LOW)] = BALANCE, -BALANCE
    labels = tuple(name if sign > 0 else f"−{name}" for name, sign in rows)
    return KnownFeatures(site, (site,), W_enc, torch.zeros(len(rows)), W_dec, {site: constant}, labels)


def rotated(features: KnownFeatures, seed: int) -> KnownFeatures:
    """The same subspaces in a wrong basis: encoders, biases and decoders turned by one random orthogonal matrix."""
    n = len(features.labels)
    turn, _ = torch.linalg.qr(torch.randn(n, n, generator=torch.Generator().manual_seed(seed)))
    return replace(
        features,
        W_enc=turn @ features.W_enc,
        b_enc=turn @ features.b_enc,
        W_dec=turn @ features.W_dec,
        labels=tuple(f"rotated {i}" for i in range(n)),
    )


def shuffled(features: KnownFeatures, seed: int) -> KnownFeatures:
    """Features that read what they should and write what another one should; labels say what they read."""
    order = torch.randperm(len(features.labels), generator=torch.Generator().manual_seed(seed))
    return replace(features, W_dec=features.W_dec[order])


def random_like(features: KnownFeatures, seed: int) -> KnownFeatures:
    """Random directions of the same lengths, with the same biases."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(rows: Tensor) -> Tensor:
        noise = torch.randn(rows.shape, generator=generator)
        return noise * (rows.norm(dim=1, keepdim=True) / noise.norm(dim=1, keepdim=True))

    labels = tuple(f"random {i}" for i in range(len(features.labels)))
    return replace(features, W_enc=drawn(features.W_enc), W_dec=drawn(features.W_dec), labels=labels)


def randomised(compiled: Compiled, seed: int) -> GPT2LMHeadModel:
    """The same architecture with the entries of every matrix and bias shuffled; norms are left as they are."""
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(compiled.model)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".ln_" not in name:
                weight.copy_(weight.flatten()[torch.randperm(weight.numel(), generator=generator)].view_as(weight))
    return model
