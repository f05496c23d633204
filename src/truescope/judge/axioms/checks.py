"""Ten axioms that an explainer of any model can be put through; each is a kind of case and what must hold of it.

An *explainer* is a callable (model, x, baseline) → attributions: the model is a callable on ``[*batch, parts]`` that
autograd can pass through, x and the baseline are points, and there is one attribution for each part. Tokens, features
of a dictionary, nodes or columns are parts alike.

Null player and zero-value detection exclude each other where a part that matters has its baseline's value: the first
asks for 0 (it changes nothing here), the second for more than an unread part has (the model does react to it). No
explainer passes both; which one is wanted depends on the question.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from truescope.judge.axioms.functions import Function, random_function, random_point

Explainer = Callable[[Any, Any, Any], Any]
"""(model, x, baseline) → one attribution for each part of x; what it gives may be an array of torch or numpy."""


@dataclass(frozen=True, eq=False)
class Case:
    """A model with a point and a baseline, and whatever else an axiom compares it with.

    ``part`` and ``other`` are parts that the axiom speaks of, ``second`` another model, ``x2`` another point, ``place``
    where each part goes, ``weights`` of a sum of both models.
    """

    model: Function
    x: Float[torch.Tensor, " parts"]
    baseline: Float[torch.Tensor, " parts"]
    part: int = 0
    other: int = 0
    second: Function | None = None
    x2: Float[torch.Tensor, " parts"] | None = None
    place: tuple[int, ...] = ()
    weights: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Axiom:
    """What must hold (``says``), a random case of n parts or None where the draw gives none, and its violation.

    ``gap`` is how far a case is from the axiom, 0 where it holds exactly, with what was found in words.
    """

    name: str
    says: str
    case: Callable[[int, np.random.Generator], Case | None]
    gap: Callable[[Explainer, Case], tuple[float, str]]
    source: str = ""


def _any(n: int, rng: np.random.Generator) -> Case:
    return Case(random_function(n, rng), random_point(n, rng), random_point(n, rng))


def _complete(explain: Explainer, case: Case) -> tuple[float, str]:
    total = float(explain(case.model, case.x, case.baseline).sum())
    change = float(case.model(case.x) - case.model(case.baseline))
    return abs(total - change), f"attributions sum to {total:.4g}, the output changes by {change:.4g}"


def _one_null(n: int, rng: np.random.Generator) -> Case | None:
    """A part that changes nothing whatever the others are: it has its baseline's value, or nothing reads it."""
    case, part = _any(n, rng), int(rng.integers(n))
    x = case.x.clone()
    if rng.random() < 0.5:
        x[part] = case.baseline[part]
    case = Case(case.model, x, case.baseline, part)
    return case if _is_null(case) else None


def _is_null(case: Case) -> bool:
    n = case.model.n_parts
    for present in product((False, True), repeat=n - 1):
        inside = torch.tensor([*present[: case.part], False, *present[case.part :]])
        without = torch.where(inside, case.x, case.baseline)
        inside[case.part] = True
        if case.model(without) != case.model(torch.where(inside, case.x, case.baseline)):
            return False
    return True


def _zero_for_part(explain: Explainer, case: Case) -> tuple[float, str]:
    found = float(explain(case.model, case.x, case.baseline)[case.part])
    return abs(found), f"x{case.part} gets {found:.4g}, not 0"


def _one_unread(n: int, rng: np.random.Generator) -> Case:
    part = int(rng.integers(n))
    others = [i for i in range(n) if i != part]
    return Case(random_function(n, rng, among=others), random_point(n, rng), random_point(n, rng), part)


def _twins(n: int, rng: np.random.Generator) -> Case | None:
    if n < 2:
        return None
    i, j = (int(part) for part in rng.permutation(n)[:2])
    swapped = list(range(n))
    swapped[i], swapped[j] = j, i
    half = random_function(n, rng)
    x, baseline = random_point(n, rng), random_point(n, rng)
    x[j], baseline[j] = x[i], baseline[i]
    return Case(half.mixed(1.0, half.renamed(swapped), 1.0), x, baseline, i, j)


def _same_for_twins(explain: Explainer, case: Case) -> tuple[float, str]:
    found = explain(case.model, case.x, case.baseline)
    one, other = float(found[case.part]), float(found[case.other])
    return abs(one - other), f"x{case.part} gets {one:.4g}, its twin x{case.other} {other:.4g}"


def _two_models(n: int, rng: np.random.Generator) -> Case:
    case = _any(n, rng)
    weights = (float(rng.choice((-1.0, 2.0))), float(rng.choice((1.0, 3.0))))
    return Case(case.model, case.x, case.baseline, second=random_function(n, rng), weights=weights)


def _adds_up(explain: Explainer, case: Case) -> tuple[float, str]:
    assert case.second is not None
    one, other = case.weights
    both = explain(case.model.mixed(one, case.second, other), case.x, case.baseline)
    apart = one * explain(case.model, case.x, case.baseline) + other * explain(case.second, case.x, case.baseline)
    gap, part = _worst(both, apart)
    return gap, f"of {one:g}·f + {other:g}·g, g = {case.second}: x{part} {both[part]:.4g}, apart {apart[part]:.4g}"


def _one_moved(n: int, rng: np.random.Generator) -> Case | None:
    """x differs from the baseline in one part alone, and the output differs."""
    case, part = _any(n, rng), int(rng.integers(n))
    x = case.baseline.clone()
    x[part] = case.x[part]
    return None if case.model(x) == case.model(case.baseline) else Case(case.model, x, case.baseline, part)


def _not_zero(explain: Explainer, case: Case) -> tuple[float, str]:
    found = abs(float(explain(case.model, case.x, case.baseline)[case.part]))
    change = float(case.model(case.x) - case.model(case.baseline))
    # The gap is 1 for an attribution of 0 and falls off as soon as there is any.
    return float(found < 1e-9), f"x{case.part} alone changes the output by {change:.4g} and gets {found:.4g}"


def _two_ways(n: int, rng: np.random.Generator) -> Case:
    case = _any(n, rng)
    return Case(case.model, case.x, case.baseline, second=case.model.rewritten())


def _same_both_ways(explain: Explainer, case: Case) -> tuple[float, str]:
    assert case.second is not None
    one, other = explain(case.model, case.x, case.baseline), explain(case.second, case.x, case.baseline)
    gap, part = _worst(one, other)
    return gap, f"written as {case.second}, x{part} gets {other[part]:.4g}, not {one[part]:.4g}"


def _renamed(n: int, rng: np.random.Generator) -> Case | None:
    case, place = _any(n, rng), tuple(int(i) for i in rng.permutation(n))
    return None if place == tuple(range(n)) else Case(case.model, case.x, case.baseline, place=place)


def _moves_along(explain: Explainer, case: Case) -> tuple[float, str]:
    place = torch.tensor(case.place)
    x, baseline = torch.empty_like(case.x), torch.empty_like(case.baseline)
    x[place], baseline[place] = case.x, case.baseline
    moved = explain(case.model.renamed(case.place), x, baseline)[place]
    still = explain(case.model, case.x, case.baseline)
    gap, part = _worst(moved, still)
    return gap, f"x{part} gets {still[part]:.4g}, and {moved[part]:.4g} once the parts are in the order {case.place}"


def _elsewhere(n: int, rng: np.random.Generator) -> Case | None:
    if n < 2:
        return None
    case = _one_unread(n, rng)
    x2 = case.x.clone()
    x2[case.part] += float(rng.choice((-3.0, 3.0)))
    return Case(case.model, case.x, case.baseline, case.part, x2=x2)


def _unmoved(explain: Explainer, case: Case) -> tuple[float, str]:
    assert case.x2 is not None
    one, other = explain(case.model, case.x, case.baseline), explain(case.model, case.x2, case.baseline)
    others = torch.arange(len(one)) != case.part
    gap, part = _worst(torch.where(others, one, 0.0), torch.where(others, other, 0.0))
    return (
        gap,
        f"x{part} gets {one[part]:.4g}, and {other[part]:.4g} once x{case.part}, which nothing reads, has changed",
    )


def _read_at_zero(n: int, rng: np.random.Generator) -> Case | None:
    """A part that the model reacts to (just there, not only farther off) and that is 0, as its baseline is, beside one
    that is not 0 and is not read."""
    if n < 2:
        return None
    case = _one_unread(n, rng)
    part = int(rng.choice([i for i in range(n) if i != case.part]))
    x, baseline = case.x.clone(), torch.zeros(n, dtype=torch.float64)
    x[part], x[case.part] = 0.0, 1.0
    near = x.clone()
    near[part] = 0.25  # kinks lie at halves, so this is still the piece that x lies on
    return None if case.model(near) == case.model(x) else Case(case.model, x, baseline, part, case.part)


def _outranks(explain: Explainer, case: Case) -> tuple[float, str]:
    size = explain(case.model, case.x, case.baseline).abs()
    read, unread = float(size[case.part]), float(size[case.other])
    told = f"x{case.part} matters, is 0 and gets {read:.4g}; x{case.other} is not read and gets {unread:.4g}"
    return float(read <= unread + 1e-9), told


def _same_again(explain: Explainer, case: Case) -> tuple[float, str]:
    before = case.x.clone()
    one, other = explain(case.model, case.x, case.baseline), explain(case.model, case.x, case.baseline)
    gap, part = _worst(one, other)
    if not torch.equal(before, case.x):
        return float("inf"), "the explainer changed its input"
    return gap, f"x{part} gets {one[part]:.4g}, and {other[part]:.4g} when asked again"


def _worst(one: torch.Tensor, other: torch.Tensor) -> tuple[float, int]:
    apart = (one - other).abs()
    return float(apart.max()), int(apart.argmax())


_SHAPLEY, _IG = "Shapley 1953", "Sundararajan, Taly and Yan 2017"

_ALL = (
    Axiom("completeness", "attributions sum to f(x) − f(baseline)", _any, _complete, _IG),
    Axiom(
        "null player",
        "a part that changes nothing, whatever the others are, gets 0",
        _one_null,
        _zero_for_part,
        _SHAPLEY,
    ),
    Axiom(
        "symmetry",
        "two parts that can be swapped and have the same values get the same",
        _twins,
        _same_for_twins,
        _SHAPLEY,
    ),
    Axiom("linearity", "a·f + b·g gets a times what f gets and b times what g gets", _two_models, _adds_up, _IG),
    Axiom(
        "sensitivity a",
        "the one part that differs, where the output differs, does not get 0",
        _one_moved,
        _not_zero,
        _IG,
    ),
    Axiom("sensitivity b", "a part that f does not read gets 0", _one_unread, _zero_for_part, _IG),
    Axiom(
        "implementation invariance", "one function computed in two ways gets the same", _two_ways, _same_both_ways, _IG
    ),
    Axiom("equivariance", "the order of the parts does not matter", _renamed, _moves_along),
    Axiom("locality", "a part that f does not read changes no other's attribution", _elsewhere, _unmoved),
    Axiom(
        "zero-value detection",
        "a part that f reacts to outranks one it does not read, also where it is 0",
        _read_at_zero,
        _outranks,
    ),
    Axiom("determinism", "the same question gets the same answer", _any, _same_again),
)

AXIOMS: dict[str, Axiom] = {axiom.name: axiom for axiom in _ALL}
"""The axioms by name."""
