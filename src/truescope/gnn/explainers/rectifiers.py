"""Guided backpropagation and deconvolution: gradients that pass a ReLU by another rule.

    gradient           g · 1[x > 0]
    deconvolution      g · 1[g > 0]                Zeiler and Fergus (2014), arXiv:1311.2901
    guided             g · 1[x > 0] · 1[g > 0]     Springenberg et al. (2014), arXiv:1412.6806

The rule holds for every ReLU, module or function: those of the model's chain, else those of autograd's record. Where
that record cannot be relied on (hooks on gradients) Captum's hooks see ReLU modules only: a functional ReLU then leaves
the plain gradient silently, and the result says so. A model without a ReLU has nothing to rectify: both are then its
plain gradient.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.explainers.gradients import any_model, collect
from truescope.gnn.networks.chain import Backward, Chain, Gate
from truescope.gnn.networks.row_backward import Rectifier
from truescope.gnn.networks.subject import Subject

FUNCTIONAL_RELU = (
    "no ReLU module was found and the model's steps are unknown: if it calls a functional ReLU, this is its plain "
    "gradient"
)
"""What is said where the rule may have met no ReLU at all."""


class FunctionalReLUWarning(UserWarning):
    """A rule for ReLUs may have been the plain gradient, because hooks see modules only."""


def deconvolution(subject: Subject, nodes: Any = None, *, full: bool = False) -> Attributions:
    """The gradient with every ReLU passed by g · 1[g > 0]; absolute values, as of a gradient.

    Warns `FunctionalReLUWarning` where the model's steps are unknown and it has no ReLU module.
    """
    return _rectified("deconvolution", subject, nodes, full)


def guided_backpropagation(subject: Subject, nodes: Any = None, *, full: bool = False) -> Attributions:
    """The gradient with every ReLU passed by g · 1[x > 0] · 1[g > 0]; warns as `deconvolution` does."""
    return _rectified("guided_backpropagation", subject, nodes, full)


def _rectified(
    name: Literal["deconvolution", "guided_backpropagation"], subject: Subject, nodes: Any, full: bool
) -> Attributions:
    chosen = chosen_nodes(nodes, subject.n_nodes)
    classes = subject.classes(chosen)
    guided = name == "guided_backpropagation"
    if isinstance(subject.unrolled, Chain):
        record = subject.unrolled.record([subject.x.numpy()])
        pulled = (record.pull_back(int(v), int(c), _backward(guided)) for v, c in zip(chosen, classes, strict=True))
        return collect(name, subject, chosen, classes, pulled, None, full)
    every_relu = any_model(subject, [subject.x]).rectified(chosen, classes, _at_rows(guided))
    if every_relu is not None:
        return collect(name, subject, chosen, classes, every_relu, None, full)
    has_module = any(isinstance(module, nn.ReLU) for module in subject.model.modules())
    if not has_module:
        warnings.warn(FUNCTIONAL_RELU, FunctionalReLUWarning, stacklevel=3)
    found = collect(name, subject, chosen, classes, _by_hooks(name, subject, chosen, classes), None, full)
    notes = () if has_module else (FUNCTIONAL_RELU,)
    return Attributions(name, chosen, classes, found.features, found.by_node, full=found.full, notes=notes)


def _backward(guided: bool) -> Backward:
    def through(gate: Gate, g: np.ndarray, slope: np.ndarray) -> np.ndarray:
        if not gate.rectifies:
            return g * slope
        passed = np.maximum(g, 0) * (slope if guided else 1)
        if gate.carried:
            passed[..., -gate.carried :] = g[..., -gate.carried :]
        return passed

    return through


def _at_rows(guided: bool) -> Rectifier:
    def through(g: torch.Tensor, slope: torch.Tensor | float) -> torch.Tensor:
        return g.clamp(min=0) * slope if guided else g.clamp(min=0)

    return through


def _by_hooks(name: str, subject: Subject, chosen: np.ndarray, classes: np.ndarray) -> Iterator[tuple[slice, Any]]:
    """Captum's hooks on ReLU modules, one backward pass a node; a module that is called twice is hooked once a call."""
    from captum.attr import Deconvolution, GuidedBackprop

    kind = Deconvolution if name == "deconvolution" else GuidedBackprop
    with subject.running() as run, warnings.catch_warnings():
        warnings.simplefilter("ignore")

        class Outputs(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = run.model

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return run(x)

        explainer = kind(Outputs())
        for node, target in zip(chosen, classes, strict=True):
            explainer.forward_func = lambda x, v=int(node): run(x)[v][None]
            x = subject.x.clone().requires_grad_()
            yield slice(0, subject.n_nodes), explainer.attribute(x, target=int(target)).detach().numpy()
