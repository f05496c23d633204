"""Simple numbers about a dictionary: unexplained variance, how many features are active, and which never are.

FVU[s] = Σ ‖y − ŷ‖² / Σ ‖y − ȳ‖²      1 is what predicting the mean reaches; ȳ is the mean of the same tokens
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from truescope.core.errors import UsageError
from truescope.core.sites import Site
from truescope.dictionaries.dictionary import Dictionary


@dataclass(frozen=True)
class Measured:
    """What a dictionary does on some tokens; ``fvu`` by written site, the others by the site that is read."""

    n_tokens: int
    fvu: dict[Site, float]
    l0: dict[Site, float]
    """The mean number of active features at a position."""
    density: dict[Site, Float[Tensor, " n_features"]]
    """The share of tokens on which each feature is active."""

    @property
    def dead(self) -> dict[Site, int]:
        """How many features are silent on all of the tokens."""
        return {site: int((share == 0).sum()) for site, share in self.density.items()}


def fvu(y: Float[Tensor, "pos d"], reconstructed: Float[Tensor, "pos d"]) -> float:
    """Σ ‖y − ŷ‖² / Σ ‖y − ȳ‖², in float64; NaN where y does not vary."""
    y, reconstructed = y.double(), reconstructed.double()
    return float((y - reconstructed).square().sum() / (y - y.mean(0)).square().sum())


def measure(dictionary: Dictionary, batches: Iterable[Mapping[Site, Float[Tensor, "_ d"]]]) -> Measured:
    """FVU, L0 and density over batches that hold, for the same positions, every site that is read or written.

    Raises:
        UsageError: there are no tokens.
    """
    n_tokens = 0
    missed = dict.fromkeys(dictionary.writes, 0.0)
    moments: dict[Site, tuple[Tensor, Tensor]] = {}
    active = {g.reads: torch.zeros(g.n_features, dtype=torch.int64) for g in dictionary.groups}
    for batch in batches:
        n_tokens += len(next(iter(batch.values())))
        for group in dictionary.groups:
            codes = dictionary.codes(group.reads, batch[group.reads])
            fired = codes.indices[codes.values > 0].cpu()
            active[group.reads] += torch.bincount(fired, minlength=group.n_features)
        rebuilt = dictionary.reconstruct(batch)
        for site in dictionary.writes:
            y = batch[site].double()
            missed[site] += float((y - rebuilt[site].double().to(y.device)).square().sum())
            total, square = moments.get(site, (torch.zeros_like(y[0]), torch.zeros_like(y[0, 0])))
            moments[site] = (total + y.sum(0), square + y.square().sum())
    if n_tokens == 0:
        raise UsageError("there are no tokens to measure the dictionary on", fix="hold out more text")
    spread = {site: float(square - total.square().sum() / n_tokens) for site, (total, square) in moments.items()}
    return Measured(
        n_tokens=n_tokens,
        fvu={site: missed[site] / spread[site] if spread[site] > 0 else float("nan") for site in dictionary.writes},
        l0={site: float(counts.sum()) / n_tokens for site, counts in active.items()},
        density={site: counts.float() / n_tokens for site, counts in active.items()},
    )


def pca_fvu(
    train: Float[Tensor, "train_pos d"], test: Float[Tensor, "test_pos d"], ranks: Iterable[int]
) -> list[float]:
    """The FVU on ``test`` of the best rank-r linear reconstruction of ``train``, for each rank: the dense baseline."""
    mean = train.double().mean(0)
    centred = train.double() - mean
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    away = test.double() - mean
    total = (test.double() - test.double().mean(0)).square().sum()
    whole = away.square().sum()
    kept = (away @ vectors.flip(1)).square().sum(0).cumsum(0)
    return [float((whole - (kept[min(rank, len(kept)) - 1] if rank else 0.0)) / total) for rank in ranks]
