"""Grad-CAM on a graph: which nodes' hidden features raise the output.

    score_n = ReLU( Σ_c ( mean over nodes m of ∂f_i / ∂H_mc ) H_nc )

H is what one message-passing layer puts out, the last but one unless another is named. Selvaraju et al. (2017),
arXiv:1610.02391; for graphs Pope et al. (2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from truescope.core.errors import ModelError, nearest
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.networks.any_model import AnyModel, Run
from truescope.gnn.networks.subject import Subject


def grad_cam(subject: Subject, nodes: Any = None, *, layer: str | None = None) -> Attributions:
    """A score of every node for each explained node; features are not scored.

    Raises:
        ModelError: no such layer, or none that passes messages.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)
    classes = subject.classes(chosen)
    held: list[Tensor] = []

    def keep(_: nn.Module, __: Any, out: Tensor) -> Tensor:
        # The layer's output becomes the input of what is differentiated.
        held.append(out.detach().requires_grad_())
        return held[-1]

    @contextmanager
    def running() -> Iterator[Run]:
        with subject.running() as run:
            chosen_layer(run.model, layer).register_forward_hook(keep)

            def at(_: int) -> tuple[Tensor, Tensor]:
                outputs = run(subject.x)
                return held[-1], outputs

            yield at

    gradients = AnyModel(running, np.ones(1)).gradients(chosen, classes)
    weights = np.stack([g.sum(0) for _, g in gradients]) / subject.n_nodes
    scores = np.maximum(weights @ held[-1].detach().numpy().T, 0)
    return Attributions("grad_cam", chosen, classes, by_node=scores)


def chosen_layer(model: nn.Module, name: str | None) -> nn.Module:
    """The named message-passing layer, or the last but one (the only one, where there is one)."""
    layers = {n: m for n, m in model.named_modules() if isinstance(m, MessagePassing)}
    if not layers or (name is not None and name not in layers):
        raise ModelError(
            f"the model has no message-passing layer {name!r}" if layers else "the model passes no messages",
            why=f"its layers are {', '.join(layers) or 'none'}",
            fix=nearest(name or "", layers),
        )
    order = list(layers.values())
    return layers[name] if name is not None else order[max(0, len(order) - 2)]
