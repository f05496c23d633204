"""Random dictionaries of every kind, with every optional part, over two or three layers."""

from __future__ import annotations

from typing import Any

import torch

from truescope.core import Site
from truescope.dictionaries import Dictionary, Group, Normalisation, layer_sites

D, N, K = 6, 20, 3


def draw(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def random_dictionary(
    kind: str = "transcoder",
    *,
    activation: str = "topk",
    normalisation: str = "affine",
    skip: bool = False,
    layers: int = 3,
    model_hash: str = "",
    dtype: torch.dtype = torch.float64,
    d: int = D,
) -> Dictionary:
    """A dictionary whose every number is random."""
    g = torch.Generator().manual_seed(7)
    site = Site("resid_post", 1) if kind == "sae" else None
    groups = []
    for reads, writes in layer_sites(kind, range(layers), site):
        affine: dict[str, Any] = {"mean": draw(g, d), "scale": 1.7} if normalisation == "affine" else {}
        groups.append(
            Group(
                reads=reads,
                writes=writes,
                W_enc=draw(g, N, d),
                b_enc=draw(g, N),
                W_dec=draw(g, N, d * len(writes)),
                normalisation=Normalisation(normalisation, **affine),
                threshold=draw(g, N).abs() if activation == "jumprelu" else None,
                W_skip=draw(g, d, d) if skip else None,
            )
        )
    biases = {s: draw(g, d) for s in sorted({s for group in groups for s in group.writes})}
    k = K if activation == "topk" else None
    made = Dictionary("random", kind, activation, tuple(groups), biases, k, model_hash, {"seed": 7})
    return made.to(dtype=dtype)


EVERY = [
    {"kind": kind, "activation": activation, "normalisation": normalisation, "skip": skip}
    for kind, activation, normalisation, skip in [
        ("sae", "topk", "affine", False),
        ("sae", "jumprelu", "none", False),
        ("transcoder", "topk", "affine", True),
        ("transcoder", "jumprelu", "token", False),
        ("clt", "topk", "token", True),
        ("clt", "jumprelu", "affine", False),
    ]
]
"""Each kind with each activation, and every normalisation."""
