"""Dictionaries small enough to compute by hand: z = relu(x W_encᵀ), each feature writing at its sites."""

from __future__ import annotations

import torch

from truescope.core import Site


class LinearDictionary:
    """Random encoder and decoders; reads one site and writes any."""

    def __init__(self, reads: Site, writes: tuple[Site, ...], d: int, n: int = 10, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.name = "random"
        self.model_hash = ""
        self.reads = (reads,)
        self.W_enc = torch.randn(n, d, generator=generator)
        self.W_dec = {site: torch.randn(n, d, generator=generator) for site in writes}

    def n_features(self, site: Site) -> int:
        return len(self.W_enc)

    def encode(self, site: Site, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x @ self.W_enc.T)

    def decode(self, site: Site, z: torch.Tensor) -> dict[Site, torch.Tensor]:
        return {site: z @ W for site, W in self.W_dec.items()}


class BrokenDictionary(LinearDictionary):
    """One whose encoder raises in the middle of a forward pass."""

    def __init__(self, reads: Site, d: int, error: BaseException) -> None:
        super().__init__(reads, (reads,), d)
        self.error = error

    def encode(self, site: Site, x: torch.Tensor) -> torch.Tensor:
        raise self.error
