"""Small functions that can be written down: what explainers are tried on, so that a counterexample fits in a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from jaxtyping import Float

COEFFICIENTS = (-2.0, -1.0, 1.0, 2.0)
VALUES = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""What inputs and baselines are made of: whole numbers, while every kink lies at a half."""
KINKS = (-1.5, -0.5, 0.5, 1.5)


@dataclass(frozen=True)
class Term:
    """``coefficient`` · Π of the parts in ``product``, or · relu(Σ weight · part + ``bias``) over ``rectified``."""

    coefficient: float
    product: tuple[int, ...] = ()
    rectified: tuple[tuple[int, float], ...] = ()
    bias: float = 0.0

    @property
    def reads(self) -> frozenset[int]:
        """The parts that the term depends on."""
        return frozenset(self.product) | {part for part, _ in self.rectified}

    def value(self, x: Float[torch.Tensor, "*batch parts"]) -> Float[torch.Tensor, "*batch"]:
        """The term at ``x``."""
        if self.rectified:
            inside = sum(
                (weight * x[..., part] for part, weight in self.rectified), torch.full_like(x[..., 0], self.bias)
            )
            return self.coefficient * torch.relu(inside)
        return self.coefficient * prod((x[..., part] for part in self.product), start=torch.ones_like(x[..., 0]))

    def renamed(self, place: Sequence[int]) -> Term:
        """The same term with part i called ``place[i]``."""
        rectified = tuple((place[part], weight) for part, weight in self.rectified)
        return Term(self.coefficient, tuple(place[part] for part in self.product), rectified, self.bias)

    def __str__(self) -> str:
        if self.rectified:
            inside = " + ".join(f"x{part}" if weight == 1 else f"{weight:g}·x{part}" for part, weight in self.rectified)
            return f"{self.coefficient:g}·relu({inside} + {self.bias:g})"
        return "·".join([f"{self.coefficient:g}", *(f"x{part}" for part in self.product)])


@dataclass(frozen=True)
class Function:
    """A sum of terms over ``n_parts`` inputs: a model to explain, differentiable and vectorised over a batch."""

    terms: tuple[Term, ...]
    n_parts: int

    def __call__(self, x: Float[torch.Tensor, "*batch parts"]) -> Float[torch.Tensor, "*batch"]:
        """Its value at ``x``."""
        return sum((term.value(x) for term in self.terms), 0.0 * x.sum(dim=-1))

    @property
    def reads(self) -> frozenset[int]:
        """The parts that it depends on."""
        return frozenset().union(*(term.reads for term in self.terms))

    def renamed(self, place: Sequence[int], n_parts: int | None = None) -> Function:
        """The same function with part i called ``place[i]``."""
        return Function(tuple(term.renamed(place) for term in self.terms), n_parts or self.n_parts)

    def mixed(self, own: float, other: Function, its: float) -> Function:
        """``own`` · this + ``its`` · the other."""
        scaled = [
            Term(factor * term.coefficient, term.product, term.rectified, term.bias)
            for function, factor in ((self, own), (other, its))
            for term in function.terms
        ]
        return Function(tuple(scaled), self.n_parts)

    def rewritten(self) -> Function:
        """The same function computed in another way: relu(t) as t + relu(−t), and each product in two halves."""
        terms: list[Term] = []
        for term in self.terms:
            if not term.rectified:
                terms += [Term(term.coefficient / 2, term.product)] * 2
                continue
            terms += [Term(term.coefficient * weight, (part,)) for part, weight in term.rectified]
            mirrored = tuple((part, -weight) for part, weight in term.rectified)
            terms += [Term(term.coefficient * term.bias), Term(term.coefficient, (), mirrored, -term.bias)]
        return Function(tuple(terms), self.n_parts)

    def __str__(self) -> str:
        return " + ".join(map(str, self.terms)) or "0"


def random_function(n_parts: int, rng: np.random.Generator, *, among: Sequence[int] | None = None) -> Function:
    """One to three random terms over the parts ``among`` (all of them unless told; none gives the constant 0)."""
    parts = list(range(n_parts) if among is None else among)
    if not parts:
        return Function((), n_parts)
    return Function(tuple(_random_term(parts, rng) for _ in range(rng.integers(1, 4))), n_parts)


def _random_term(parts: list[int], rng: np.random.Generator) -> Term:
    chosen = [int(part) for part in rng.permutation(parts)[: rng.integers(1, min(3, len(parts)) + 1)]]
    coefficient = float(rng.choice(COEFFICIENTS))
    if rng.random() < 0.5:
        return Term(coefficient, tuple(sorted(chosen)))
    rectified = tuple((part, float(rng.choice((-1.0, 1.0)))) for part in sorted(chosen))
    return Term(coefficient, (), rectified, float(rng.choice(KINKS)))


def random_point(n_parts: int, rng: np.random.Generator) -> Float[torch.Tensor, " parts"]:
    """A point of whole numbers."""
    return torch.from_numpy(rng.choice(VALUES, size=n_parts))
