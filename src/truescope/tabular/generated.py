"""Tables whose truth is known because we made them: where an opaque model must win, and where nothing can be lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from truescope.core.errors import UsageError, nearest
from truescope.tabular.tables import Table

N_CUES = 20
NONLINEAR_USED = 9
"""The cues x1 … x9 matter, x10 … x20 are noise."""
_ONE_CUE_CUT = 4
_ONE_CUE_RATES = (0.15, 0.85)


def nonlinear_logit(x: Float[np.ndarray, "rows cues"]) -> Float[np.ndarray, " rows"]:
    """Steps, an absolute value, a product and a sine of the first nine cues:

    z = 2·1[x₁ > 0] + 1.6·1[x₂ > ½] − 1.4·1[x₃ > −½] + 1.5(|x₄| − √(2/π)) + x₅x₆ + 1.2·sin(2x₇) + 0.5x₈ − 0.4x₉ − ½
    """
    return (
        2.0 * (x[:, 0] > 0)
        + 1.6 * (x[:, 1] > 0.5)
        - 1.4 * (x[:, 2] > -0.5)
        + 1.5 * (np.abs(x[:, 3]) - np.sqrt(2 / np.pi))
        + x[:, 4] * x[:, 5]
        + 1.2 * np.sin(2 * x[:, 6])
        + 0.5 * x[:, 7]
        - 0.4 * x[:, 8]
        - 0.5
    )


def nonlinear_table(n: int = 10_000, seed: int = 0) -> Table:
    """``n`` rows of 20 standard normal cues whose label is drawn with probability σ(`nonlinear_logit`)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, N_CUES))
    return _table(x, rng.random(n) < 1 / (1 + np.exp(-nonlinear_logit(x))), "nonlinear")


def one_cue_table(n: int = 2_000, seed: int = 0, n_noise: int = 0) -> Table:
    """``n`` rows of ratings from 0 to 9; only x1 matters: above 4 the label is yes in 85 %, else in 15 %.

    With ``n_noise`` useless ratings beside it a published fast-and-frugal tree no longer equals the best: it asks a
    second question even where the first says all.
    """
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 10, size=(n, 1 + n_noise)).astype(np.float64)
    low, high = _ONE_CUE_RATES
    return _table(x, rng.random(n) < np.where(x[:, 0] > _ONE_CUE_CUT, high, low), "one-cue")


def unrelated_table(n: int = 1_000, seed: int = 0) -> Table:
    """``n`` rows of 5 standard normal cues and a label that is a coin: nothing can be learned."""
    rng = np.random.default_rng(seed)
    return _table(rng.normal(size=(n, 5)), rng.random(n) < 0.5, "unrelated")


GENERATED: dict[str, Callable[..., Table]] = {
    "nonlinear": nonlinear_table,
    "one-cue": one_cue_table,
    "unrelated": unrelated_table,
}
"""The tables that are made on the spot, by the name under which they are compared."""


def generated_table(name: str, *, n: int | None = None, seed: int = 0) -> Table:
    """The table of that name, of ``n`` rows if told. Raises UsageError, naming the nearest, where there is none."""
    if name not in GENERATED:
        raise UsageError(
            f"there is no table {name!r}", why=f"there are {', '.join(GENERATED)}", fix=nearest(name, GENERATED)
        )
    return GENERATED[name](seed=seed) if n is None else GENERATED[name](n=n, seed=seed)


def _table(x: Float[np.ndarray, "rows cues"], positive: Bool[np.ndarray, " rows"], name: str) -> Table:
    frame = pd.DataFrame(x, columns=pd.Index([f"x{i + 1}" for i in range(x.shape[1])]))
    return Table.of(frame.assign(y=positive.astype(int)), "y", name=name)
