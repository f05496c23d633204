"""Prompts whose right answer is a number, and how a model's answers to them are scored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from truescope.core.claims import Score
from truescope.core.errors import ClaimError
from truescope.statistics import bootstrap_interval

NEAR = 5
"""An answer is near when it is at most this far from the right one."""

SCORES = ("exact", "within_5", "units_digit", "error")
"""Shares of prompts whose answer is right, is near, has the right units digit; and the mean |answer − right answer|."""


def token_numbers(strings: Iterable[str]) -> Float[np.ndarray, " vocab"]:
    """The number that each token of a vocabulary writes in decimal digits, NaN for a token that writes none."""
    words = [string.strip() for string in strings]
    return np.array([float(word) if word.isascii() and word.isdigit() else np.nan for word in words])


@dataclass(frozen=True, eq=False)
class NumberTask:
    """Prompts, their right answers, and the number that each token of the vocabulary stands for (NaN for none).

    The answer of a model is its most probable next token. One that is no number is wrong in every way: not near,
    without a units digit, and as far off as any number of the vocabulary could be, so that the mean error can only be
    made worse by answers of another kind.
    """

    tokens: Int[torch.Tensor, "n pos"]
    answers: Int[np.ndarray, " n_answers"]
    numbers: Float[np.ndarray, " vocab"]

    def __post_init__(self) -> None:
        if len(self.tokens) != len(self.answers) or len(self.answers) == 0:
            raise ClaimError(f"{len(self.tokens)} prompts with {len(self.answers)} answers are no task")
        if not np.isfinite(self.numbers).any():
            raise ClaimError("no token of the vocabulary is a number", fix="give the tokens' numbers: `token_numbers`")

    def __len__(self) -> int:
        return len(self.answers)

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hex, over prompts, answers and numbers."""
        digest = hashlib.sha256()
        for array in (self.tokens.cpu().numpy(), self.answers):
            digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array, dtype="<i8").tobytes())
        digest.update(np.ascontiguousarray(self.numbers, dtype="<f8").tobytes())
        return digest.hexdigest()

    def rows(self, rows: Int[np.ndarray, " m"]) -> NumberTask:
        """The same task on some of its prompts."""
        return NumberTask(self.tokens[torch.from_numpy(rows)], self.answers[rows], self.numbers)

    def outcomes(self, predicted: Int[np.ndarray, " n"]) -> dict[str, Float[np.ndarray, " n"]]:
        """For each name in `SCORES` the outcome of every prompt, where ``predicted`` are the answers' token ids."""
        number = self.numbers[predicted]
        off = np.abs(number - self.answers)
        low, high = np.nanmin(self.numbers), np.nanmax(self.numbers)
        worst = np.maximum(self.answers - low, high - self.answers)
        return {
            "exact": (off == 0).astype(np.float64),
            "within_5": (off <= NEAR).astype(np.float64),
            "units_digit": (number % 10 == self.answers % 10).astype(np.float64),
            "error": np.where(np.isnan(off), np.maximum(worst, 0.0), off),
        }

    def scores(self, predicted: Int[np.ndarray, " n"], *, n_resamples: int = 2000, seed: int = 0) -> tuple[Score, ...]:
        """Each score's mean with its 95 % bootstrap interval over prompts, in the order of `SCORES`."""
        found = []
        for name, values in self.outcomes(predicted).items():
            low, high = bootstrap_interval(values, n_resamples=n_resamples, seed=seed)
            found.append(Score(name, float(values.mean()), low, high, len(values)))
        return tuple(found)

    def means(self, predicted: Int[np.ndarray, " n"]) -> dict[str, float]:
        """Each score's mean alone."""
        return {name: float(values.mean()) for name, values in self.outcomes(predicted).items()}
