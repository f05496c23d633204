"""Graph explainers put through the judge's axioms: the smallest case in which each breaks one.

An axiom's model is a function of a few parts. Here it becomes a network on a graph of one node whose features are the
parts, moved so that the baseline is zero; what the explainer says of the features is its attribution. Explainers that
work on a network's steps are tried on those functions that are one: sums of ReLUs and of single parts, no products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from truescope.core.errors import UsageError, nearest
from truescope.gnn.explainers import (
    Attributions,
    deconvolution,
    degree_scores,
    guided_backpropagation,
    input_x_gradient,
    integrated_gradients,
    lrp,
    occlusion,
    random_scores,
    saliency,
    shapley,
)
from truescope.gnn.networks import Chain, Convolution, Gate, Subject, Term
from truescope.judge.axioms import AXIOMS, Axiom, Case, Check, Function, check_axiom, find_axiom

_Way = Callable[[Subject], np.ndarray]


def _full(found: Attributions) -> np.ndarray:
    assert found.full is not None  # it was asked for
    return found.full[0, 0]


def _features(found: Attributions) -> np.ndarray:
    assert found.features is not None  # these score features
    return found.features[0]


_ANY: Mapping[str, _Way] = {
    "saliency": lambda s: _full(saliency(s, full=True)),
    "input_x_gradient": lambda s: _full(input_x_gradient(s, full=True)),
    "integrated_gradients": lambda s: _full(integrated_gradients(s, full=True)),
    "occlusion": lambda s: occlusion(s, by_node=False).facts["signed"][0],
    "shapley": lambda s: shapley(s, n_orders=8).facts["signed"][0],
    "random": lambda s: _features(random_scores(s)),
    "degree": lambda s: _features(degree_scores(s)),
}
_BY_STEPS: Mapping[str, _Way] = {
    "deconvolution": lambda s: _full(deconvolution(s, full=True)),
    "guided_backpropagation": lambda s: _full(guided_backpropagation(s, full=True)),
    "lrp_epsilon": lambda s: _full(lrp(s, full=True)),
    "lrp_gamma": lambda s: _full(lrp(s, rule="gamma", full=True)),
    "lrp_z_plus": lambda s: _full(lrp(s, rule="z_plus", full=True)),
}
CHECKED = (*_ANY, *_BY_STEPS)
"""The explainers that give one number a feature of a function with one output, and so can be put through the axioms.

GraphLIME and GNNExplainer cannot (they need a neighbourhood, and several classes), nor those that score nodes or arcs.
"""


class _OneNode(nn.Module):
    """A function of the features of a single node, its baseline at zero."""

    def __init__(self, function: Function, baseline: Tensor) -> None:
        super().__init__()
        self.function, self.baseline = function, baseline

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.function(x + self.baseline.to(x.dtype))[:, None]


class _Network(_OneNode):
    """The same with its steps: a linear map, a ReLU past which single parts are carried, a sum."""

    def chain(self, x: Float[Tensor, "1 parts"], edge_index: Tensor) -> Chain:
        d, rows, shifts, sums, constant = x.shape[1], [], [], [], 0.0
        one = np.eye(d)
        for term in sorted(self.function.terms, key=lambda t: not t.rectified):
            if not term.rectified and not term.product:
                constant += term.coefficient
                continue
            weights = term.rectified or ((term.product[0], 1.0),)
            rows.append(np.sum([weight * one[part] for part, weight in weights], axis=0))
            shifts.append(term.bias if term.rectified else 0.0)
            sums.append(term.coefficient)
        if not rows:
            rows, shifts, sums = [np.zeros(d)], [0.0], [0.0]
        W, n_carried = np.stack(rows), sum(1 for t in self.function.terms if t.product)
        first = Convolution("parts", (Term(None, W),), np.array(shifts) + W @ self.baseline.double().numpy())
        last = Convolution("sum", (Term(None, np.array([sums])),), np.array([constant]))
        gate = Gate("relu", torch.relu, True, n_carried)
        return Chain((first, gate, last) if n_carried < len(rows) else (first, last))


def attribution(name: str, function: Function, x: Tensor, baseline: Tensor) -> np.ndarray:
    """What a graph explainer gives each part of ``x``. Raises UsageError for one that is not in `CHECKED`."""
    if name not in CHECKED:
        raise UsageError(
            f"{name} cannot be put through the axioms", fix=nearest(name, CHECKED) or f"one of {', '.join(CHECKED)}"
        )
    model = (_Network if name in _BY_STEPS else _OneNode)(function, baseline)
    subject = Subject(model, (x - baseline).detach().double()[None], torch.zeros(2, 0, dtype=torch.int64))
    return (_BY_STEPS[name] if name in _BY_STEPS else _ANY[name])(subject)


def axioms_of(name: str, axioms: Iterable[str] = tuple(AXIOMS), **options: Any) -> list[Check]:
    """Each axiom with the smallest counterexample that was found, if any; ``options`` as for `check_axiom`.

    Raises:
        UsageError: no such axiom, or an explainer that cannot be put through them.
    """
    if name not in CHECKED:
        raise UsageError(f"{name} cannot be put through the axioms", fix=f"one of {', '.join(CHECKED)}")
    chosen = [_on_networks(find_axiom(axiom)) if name in _BY_STEPS else find_axiom(axiom) for axiom in axioms]

    def explain(function: Function, x: Tensor, baseline: Tensor) -> np.ndarray:
        return attribution(name, function, x, baseline)

    return [check_axiom(explain, axiom, **options) for axiom in chosen]


def _on_networks(axiom: Axiom) -> Axiom:
    """The axiom on cases whose functions are networks."""

    def case(n_parts: int, rng: np.random.Generator) -> Case | None:
        found = axiom.case(n_parts, rng)
        functions = [] if found is None else [f for f in (found.model, found.second) if f is not None]
        return found if all(len(t.product) < 2 for f in functions for t in f.terms) else None

    return replace(axiom, case=case)
