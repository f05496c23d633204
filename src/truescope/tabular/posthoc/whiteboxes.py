"""White boxes over tables: models of 0/1 cues whose used cues are known by proof, so that explainers can be wrong.

Each is multilinear, so it also has a value between 0 and 1 (the mean over independent cues with those shares), and what
an explainer must give can be worked out by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from truescope.core.errors import UsageError, nearest

N_CUES = 10
"""Cues of every white box: the used ones and the rest."""
COPIED = 0.8
"""In `correlated`, an unused cue repeats a used one with this probability, and is else drawn afresh."""

Values = Float[np.ndarray, "cases cues"]


@dataclass(frozen=True, eq=False)
class WhiteBox:
    """A model of `N_CUES` cues: ``value`` is what it computes, ``used`` the cues that can change it.

    ``used_in`` says which cues can change it in each case, where that differs from case to case.
    """

    name: str
    formula: str
    used: tuple[int, ...]
    value: Callable[[Values], Float[np.ndarray, " cases"]]
    used_in: Callable[[Values], Bool[np.ndarray, "cases cues"]] | None = None
    correlated: bool = False

    @property
    def used_cues(self) -> Bool[np.ndarray, " cues"]:
        """The cues that the model uses at all."""
        return np.isin(np.arange(N_CUES), self.used)

    def truth(self, x: Values) -> Bool[np.ndarray, "cases cues"]:
        """The cues that it uses in each case."""
        return np.broadcast_to(self.used_cues, x.shape) if self.used_in is None else self.used_in(x)

    def draw(self, n: int, share: float, rng: np.random.Generator) -> Values:
        """``n`` cases of 0 and 1 with this share of ones; see `COPIED` for the one with correlated cues.

        Raises:
            UsageError: a share that leaves a cue constant, or no case.
        """
        if not 0.0 < share < 1.0 or n < 1:
            raise UsageError(
                f"{n} cases with a share {share:g} of ones", fix="at least one case, a share between 0 and 1"
            )
        x = (rng.random((n, N_CUES)) < share).astype(np.float64)
        if self.correlated:
            for used in self.used:
                copied = rng.random(n) < COPIED
                x[copied, used + len(self.used)] = x[copied, used]
        return x


def _in_use_of_gate(x: Values) -> Bool[np.ndarray, "cases cues"]:
    used = np.zeros(x.shape, dtype=bool)
    used[:, 0] = True
    used[:, 1] = x[:, 0] == 1
    used[:, 2] = x[:, 0] == 0
    return used


WHITE_BOXES = {
    box.name: box
    for box in (
        WhiteBox("linear", "x0 + x1 + x2 + x3 + x4", (0, 1, 2, 3, 4), lambda x: x[:, :5].sum(axis=1)),
        WhiteBox("and", "x0 · x1", (0, 1), lambda x: x[:, 0] * x[:, 1]),
        WhiteBox("xor", "x0 + x1 − 2 x0 · x1", (0, 1), lambda x: x[:, 0] + x[:, 1] - 2 * x[:, 0] * x[:, 1]),
        WhiteBox("interaction", "x0 · x1 + x2", (0, 1, 2), lambda x: x[:, 0] * x[:, 1] + x[:, 2]),
        WhiteBox(
            "correlated",
            "x0 + x1 + x2, of which x3, x4, x5 are near copies",
            (0, 1, 2),
            lambda x: x[:, :3].sum(axis=1),
            correlated=True,
        ),
        WhiteBox(
            "gate",
            "x1 if x0 else x2",
            (0, 1, 2),
            lambda x: x[:, 0] * x[:, 1] + (1 - x[:, 0]) * x[:, 2],
            _in_use_of_gate,
        ),
    )
}
"""The white boxes by name."""


def white_box(name: str) -> WhiteBox:
    """The white box of that name. Raises UsageError, naming the nearest, where there is none."""
    if name not in WHITE_BOXES:
        raise UsageError(
            f"there is no white box {name!r}", why=f"there are {', '.join(WHITE_BOXES)}", fix=nearest(name, WHITE_BOXES)
        )
    return WHITE_BOXES[name]
