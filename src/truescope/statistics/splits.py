"""Splitting a population in two halves: one to make a claim on, one to judge it on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from truescope.core.errors import UsageError


def split_half(n: int, seed: int) -> tuple[Int[np.ndarray, " n_first"], Int[np.ndarray, " n_second"]]:
    """The indices 0…n−1 in two random halves, each in ascending order: (grouping half, judging half).

    The first half has n // 2 cases. The same ``n`` and ``seed`` give the same halves.

    Raises:
        UsageError: fewer than two cases.
    """
    if n < 2:
        raise UsageError(f"{n} cases cannot be split in two halves", fix="give at least two")
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])
