"""Graph explainers put through the judge's axioms: the smallest case in which each breaks one.

An axiom's model is a function of a few parts. Here it becomes a network on a graph of one node whose features are the
parts, moved so that the baseline is zero; what the explainer says of the features is its attribution.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from truescope.core.errors import UsageError
from truescope.gnn.explainers import input_x_gradient, integrated_gradients, occlusion, saliency, shapley
from truescope.gnn.networks import Subject
from truescope.judge.axioms import AXIOMS, Check, check_axioms

CHECKED = ("saliency", "input_x_gradient", "integrated_gradients", "occlusion", "shapley")
"""The explainers that give one signed number a feature of any function, and so can be put through the axioms."""


class _OneNode(nn.Module):
    """A function of the features of a single node, its baseline at zero."""

    def __init__(self, function: Any, baseline: Tensor) -> None:
        super().__init__()
        self.function, self.baseline = function, baseline

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.function(x + self.baseline.to(x.dtype))[:, None]


def attribution(name: str, function: Any, x: Tensor, baseline: Tensor) -> np.ndarray:
    """What a graph explainer gives each part of ``x``. Raises UsageError for one that is not in `CHECKED`."""
    arcs = torch.zeros(2, 0, dtype=torch.int64)
    subject = Subject(_OneNode(function, baseline), (x - baseline).detach().double()[None], arcs)
    if name in ("occlusion", "shapley"):
        found = occlusion(subject, by_node=False) if name == "occlusion" else shapley(subject, n_orders=8)
        return found.facts["signed"][0]
    methods = {
        "saliency": saliency,
        "input_x_gradient": input_x_gradient,
        "integrated_gradients": integrated_gradients,
    }
    if name not in methods:
        raise UsageError(f"{name} cannot be put through the axioms", fix=f"one of {', '.join(CHECKED)}")
    full = methods[name](subject, full=True).full
    assert full is not None
    return full[0, 0]


def axioms_of(name: str, axioms: Iterable[str] = tuple(AXIOMS), **options: Any) -> list[Check]:
    """Each axiom with the smallest counterexample that was found, if any; ``options`` as for `check_axioms`.

    Raises:
        UsageError: no such axiom, or an explainer that cannot be put through them.
    """
    if name not in CHECKED:
        raise UsageError(f"{name} cannot be put through the axioms", fix=f"one of {', '.join(CHECKED)}")
    return check_axioms(lambda function, x, baseline: attribution(name, function, x, baseline), axioms, **options)
