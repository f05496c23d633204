"""What a dictionary does to a value before its encoder reads it, written down and held like a norm in graphs.

none     x̃ = x
affine   x̃ = (x − mean) / scale          mean [d] and scale (one number) of the training data
token    x̃ = (x − mean_d x) / σ(x)       over the width d, at each position; σ² = mean_d (x − mean_d x)² + 1e-10
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from truescope.core.errors import DictionaryError, nearest

NormalisationKind = Literal["none", "affine", "token"]
"""What is done to activations before they are encoded, and undone after they are decoded."""
NORMALISATIONS: tuple[str, ...] = get_args(NormalisationKind)
"""The normalisations by name."""
_EPS = 1e-10


@dataclass(frozen=True)
class Normalisation:
    """A named normalisation and its constants; ``mean`` and ``scale`` belong to "affine" and are None otherwise."""

    kind: str = "none"
    mean: Float[Tensor, " d_in"] | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in NORMALISATIONS:
            raise DictionaryError(
                f"there is no normalisation {self.kind!r}",
                why=f"known: {', '.join(NORMALISATIONS)}",
                fix=nearest(self.kind, NORMALISATIONS),
            )
        given = (self.mean is not None, self.scale is not None)
        if given != (self.kind == "affine",) * 2:
            raise DictionaryError(f"normalisation {self.kind!r}: mean and scale belong to affine, and only to it")
        if self.scale is not None and not 0 < self.scale < float("inf"):
            raise DictionaryError(f"the scale of a normalisation is {self.scale}", fix="it is a positive number")

    @staticmethod
    def fit(kind: str, x: Float[Tensor, "pos d_in"]) -> Normalisation:
        """The normalisation of this kind for data like ``x``: affine takes its mean and its root mean square size."""
        if kind != "affine":
            return Normalisation(kind)
        mean = x.double().mean(0)
        scale = float((x - mean).square().mean().sqrt())
        return Normalisation(kind, mean.to(x.dtype), scale if scale > 0 else 1.0)

    def __call__(self, x: Float[Tensor, "*shape d_in"]) -> Float[Tensor, "*shape d_in"]:
        """x̃."""
        if self.mean is not None and self.scale is not None:
            return (x - self.mean) / self.scale
        if self.kind == "token":
            centred = x - x.mean(-1, keepdim=True)
            return centred / _sigma(centred)
        return x

    def hold(
        self, rows: Float[Tensor, "n d_in"], biases: Float[Tensor, " n"], x: Float[Tensor, "n d_in"]
    ) -> tuple[Float[Tensor, "n d_in"], Float[Tensor, " n"]]:
        """Vectors v and constants c with rows·x̃ + biases = v·x + c, denominators held at ``x``, one position a row."""
        if self.mean is not None and self.scale is not None:
            vectors = rows / self.scale
            return vectors, biases - vectors @ self.mean
        if self.kind == "token":
            sigma = _sigma(x - x.mean(-1, keepdim=True))
            return (rows - rows.mean(-1, keepdim=True)) / sigma, biases
        return rows, biases


def _sigma(centred: Tensor) -> Tensor:
    return (centred.square().mean(-1, keepdim=True) + _EPS).sqrt()
