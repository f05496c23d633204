"""Searching for the smallest counterexample to an axiom: few parts first, many seeded cases of each size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from truescope.core.errors import UsageError, nearest
from truescope.judge.axioms.checks import AXIOMS, Axiom, Case, Explainer

TOLERANCE = 0.02
"""A gap up to this share of the output's size counts as rounding: of an integral taken in steps, say."""

_DRAWS_A_CASE = 50


@dataclass(frozen=True)
class Counterexample:
    """The smallest case found in which an explainer breaks an axiom, written so that it can be checked by hand."""

    n_parts: int
    model: str
    x: tuple[float, ...]
    baseline: tuple[float, ...]
    gap: float
    found: str

    def __str__(self) -> str:
        return f"f = {self.model}, x = {_point(self.x)}, baseline {_point(self.baseline)}: {self.found}"


@dataclass(frozen=True)
class Check:
    """Whether an explainer kept an axiom in every one of ``n_cases`` cases of up to ``max_parts`` parts."""

    axiom: str
    says: str
    n_cases: int
    max_parts: int
    counterexample: Counterexample | None

    @property
    def passed(self) -> bool:
        """Whether no counterexample was found. That is no proof."""
        return self.counterexample is None

    def to_json(self) -> dict[str, Any]:
        """As a plain record."""
        wrong = None if self.counterexample is None else vars(self.counterexample) | {"text": str(self.counterexample)}
        return {
            "axiom": self.axiom,
            "says": self.says,
            "passed": self.passed,
            "n_cases": self.n_cases,
            "max_parts": self.max_parts,
            "counterexample": wrong,
        }


def check_axiom(
    explainer: Explainer,
    axiom: str | Axiom,
    *,
    max_parts: int = 4,
    n_cases: int = 40,
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> Check:
    """Try an explainer on ``n_cases`` random cases of 1, 2, … ``max_parts`` parts until one breaks the axiom.

    Of the cases of the first size at which the axiom is broken, the one with the fewest terms is kept (then the one
    with the smallest inputs). An attribution that is not finite, or of another number of parts, breaks every axiom.

    Raises:
        UsageError: there is no such axiom.
    """
    chosen = find_axiom(axiom) if isinstance(axiom, str) else axiom
    tried = 0
    for n_parts in range(1, max_parts + 1):
        rng = np.random.default_rng([seed, n_parts])
        broken: list[tuple[tuple[float, ...], Counterexample]] = []
        for case in _cases(chosen, n_parts, n_cases, rng):
            tried += 1
            gap, found = chosen.gap(_checked(explainer), case)
            scale = max(1.0, abs(float(case.model(case.x) - case.model(case.baseline))))
            if not gap <= tolerance * scale:
                wrong = Counterexample(
                    n_parts, str(case.model), tuple(case.x.tolist()), tuple(case.baseline.tolist()), gap, found
                )
                broken.append((_size(case), wrong))
        if broken:
            return Check(chosen.name, chosen.says, tried, max_parts, min(broken, key=lambda pair: pair[0])[1])
    return Check(chosen.name, chosen.says, tried, max_parts, None)


def check_axioms(explainer: Explainer, axioms: Iterable[str] = tuple(AXIOMS), **options: Any) -> list[Check]:
    """`check_axiom` for each of several axioms, all of them unless told.

    Raises:
        UsageError: there is no such axiom.
    """
    return [check_axiom(explainer, axiom, **options) for axiom in axioms]


def find_axiom(name: str) -> Axiom:
    """The axiom of that name.

    Raises:
        UsageError: there is none; the nearest ones are named.
    """
    if name not in AXIOMS:
        raise UsageError(f"there is no axiom {name!r}", why=f"there are {', '.join(AXIOMS)}", fix=nearest(name, AXIOMS))
    return AXIOMS[name]


def _cases(axiom: Axiom, n_parts: int, n_cases: int, rng: np.random.Generator) -> Iterable[Case]:
    """Up to ``n_cases`` cases; an axiom that has none of this size gives none."""
    found = 0
    for _ in range(_DRAWS_A_CASE * n_cases):
        case = axiom.case(n_parts, rng)
        if case is not None:
            yield case
            found += 1
            if found == n_cases:
                return


def _checked(explainer: Explainer) -> Explainer:
    """The explainer, with what it gives brought to one form: float64, as many as there are parts, NaN kept as it is."""

    def checked(model: Any, x: Any, baseline: Any, /) -> Any:
        import torch

        found = torch.as_tensor(explainer(model, x, baseline)).detach().to(torch.float64).reshape(-1)
        return found if len(found) == len(x) else torch.full_like(x, float("nan"))

    return checked


def _size(case: Case) -> tuple[float, ...]:
    return (
        float(len(case.model.terms)),
        float(sum(len(term.reads) for term in case.model.terms)),
        float(case.x.abs().sum() + case.baseline.abs().sum()),
    )


def _point(values: tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"
