"""What each explainer must score on each white box, worked out by hand for cues that are 1 with probability p.

Where every unused cue gets exactly 0, a used cue wins if its score is not 0 and ties otherwise, so the expected area is
½ + ½ · (the mean over used cues of the probability that its score is not 0). With q = 1 − p:

Occlusion by 0 leaves f as it is where the cue is 0 already.
  linear: the cue is 1: p.  and: both are 1: p².  xor: flipping a 1 always changes xor: p.
  interaction: x0 and x1 need both to be 1 (p²), x2 to be 1 (p): (2p² + p) / 3.
  gate: x0 = 1 (p): the gate matters where x1 ≠ x2 (2pq), x1 where it is 1 (p); x0 = 0 (q): setting it to 0 changes
  nothing, x2 matters where it is 1: ½ [p(2pq + p) + qp] = ½ p (1 + 2pq).

Occlusion by the mean m, or by other rows' values (the same, f being multilinear), multiplies (xⱼ − m), which is never
0, by ∂f/∂xⱼ: linear 1; and: the other is 1: p; xor: 1 − 2x is never 0: 1; interaction: (p + p + 1) / 3;
gate: ½ [2pq + 1].

Shapley values with 0 for unknown share each product of cues that are all 1 equally. On xor at (1, 1) the two halves
−2 · ½ + 1 cancel and both get 0; at (1, 0) one gets 1, the other 0: pq. On the gate the branch not taken gets a share:
with x0 = 1 the scores are (x1 − x2)/2, x1/2 and, unused, x2/2, beside seven zeros; the area is 1 at x1 > x2, 11/16
where x2 = 1, ½ at 0; with x0 = 0 it is ¾ or ½ as x2 is 1 or 0. Elsewhere as occlusion by 0.

Shapley values with drawn unknowns: and (x0 − p)(x1 + p)/2, xor (x0 − p)(q − x1)… are never 0: 1. On the gate, x0's
score where x1 = x2 is the luck of the background's draw: no formula.

Permutation, with many cases, changes some answer for every used cue and none for the others: 1. Association, with many
cases, is 0 where a cue's effect averages out: on xor at p = ½ every cue ties with noise (½), on the gate x0 does
((1 + 1 + ½) / 3 = 5/6), else 1; with few cases a near copy passes for a used cue now and then. Random scores: ½.
"""

from __future__ import annotations

from collections.abc import Callable

Expected = Callable[[float], float]


def _half_plus(share: Expected) -> Expected:
    return lambda p: 0.5 + 0.5 * share(p)


def _certain(p: float) -> float:
    return 1.0


def _shapley_on_gate(p: float) -> float:
    q = 1.0 - p
    taken = p * q + 11 / 16 * p + 0.5 * q * q
    return p * taken + q * (0.75 * p + 0.5 * q)


_BY_ZERO: dict[str, Expected] = {
    "linear": _half_plus(lambda p: p),
    "and": _half_plus(lambda p: p**2),
    "xor": _half_plus(lambda p: p),
    "interaction": _half_plus(lambda p: (2 * p**2 + p) / 3),
    "correlated": _half_plus(lambda p: p),
    "gate": _half_plus(lambda p: 0.5 * p * (1 + 2 * p * (1 - p))),
}
_BY_DRAWING: dict[str, Expected] = {
    "linear": _certain,
    "and": _half_plus(lambda p: p),
    "xor": _certain,
    "interaction": _half_plus(lambda p: (2 * p + 1) / 3),
    "correlated": _certain,
    "gate": _half_plus(lambda p: 0.5 * (1 + 2 * p * (1 - p))),
}
_ORACLES: dict[str, dict[str, Expected]] = {
    "occlusion-zero": _BY_ZERO,
    "occlusion-mean": _BY_DRAWING,
    "occlusion-marginal": _BY_DRAWING,
    "shap-zero": {**_BY_ZERO, "xor": _half_plus(lambda p: p * (1 - p)), "gate": _shapley_on_gate},
    "shap-marginal": {name: _certain for name in _BY_ZERO if name != "gate"},
    "permutation": dict.fromkeys(_BY_ZERO, _certain),
    "association": {
        **dict.fromkeys(_BY_ZERO, _certain),
        "xor": lambda p: 0.5 if p == 0.5 else 1.0,
        "gate": lambda p: 5 / 6,
    },
    "random": dict.fromkeys(_BY_ZERO, lambda p: 0.5),
}


def expected_area(explainer: str, box: str, share: float) -> float | None:
    """The expected outranking area, None where there is no hand formula."""
    found = _ORACLES.get(explainer, {}).get(box)
    return None if found is None else found(share)
