"""What follows the gradients of a step: Adam, unit atoms, and the count of tokens since each feature fired."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.dictionaries.kernels import Codes

ADAM_EPS = 6.25e-10
"""Gao et al. (2024): small beside the gradients of a normalised loss over many features, which 1e-8 is not."""


def adam(
    parameters: Iterable[Tensor], lr: float, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = ADAM_EPS
) -> torch.optim.Adam:
    """Torch's Adam with the fused kernel: one pass over parameter, gradient and both moments."""
    return torch.optim.Adam(parameters, lr=lr, betas=betas, eps=eps, fused=True)


@torch.no_grad()
def normalise_rows_(weight: Float[Tensor, "n_features d_out"]) -> None:
    """Scale every atom to length one; an atom that is zero stays zero."""
    length = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
    weight.div_(torch.where(length > 0, length, 1))


@torch.no_grad()
def count_silence_(tokens_silent: Int[Tensor, " n_features"], codes: Codes) -> None:
    """Add the batch's tokens to every feature's count, and set the count of those that fired in it to zero.

    Data-parallel workers take the minimum of the counts and add each other's tokens, or features die too slowly.
    """
    tokens_silent += codes.n_positions
    tokens_silent[codes.indices[codes.values > 0]] = 0


def dead_features(tokens_silent: Int[Tensor, " n_features"], limit: int) -> Int[Tensor, " dead"]:
    """The features that have been silent for `limit` tokens or more, ascending."""
    return (tokens_silent >= limit).nonzero().squeeze(1)
