"""What the published benchmark ran as LRP, against the library that ran it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LRP
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import Tensor, nn

from truescope.gnn.explainers import published_lrp
from truescope.gnn.networks import Subject
from truescope.gnn.whiteboxes import Setting, WhiteBox
from truescope.judge.axioms import outranking

from .graph_models import white_box


class Reusable(EpsilonRule):
    """Captum's ε rule without its refusal of a layer that is called twice; everything else is Captum's."""

    def forward_hook_weights(self, module: Any, inputs: Any, outputs: Any) -> None:
        module.activations = {}
        super().forward_hook_weights(module, inputs, outputs)


class LayerwiseLRP(LRP):
    """Captum's LRP with a message-passing layer as one layer, as it was before such layers had modules inside."""

    def _get_layers(self, model: Any) -> None:
        self.layers = [model.model.mean_layer, model.model.degree_layer]


class AsCaptumSeesIt(nn.Module):
    """One node's output; the layers are called with the arcs by name, so that features are their only input."""

    def __init__(self, model: WhiteBox, edge_index: Tensor, node: int) -> None:
        super().__init__()
        self.model, self.edge_index, self.node = model, edge_index, node
        for layer in (model.mean_layer, model.degree_layer):
            layer.rule = Reusable()

    def forward(self, x: Tensor) -> Tensor:
        box, hidden, degree = self.model, x.squeeze(0), torch.ones_like(x[0, :, :1]) + 0 * x[0, :, :1]
        for _ in range(box.hops):
            hidden = box.mean_layer(hidden, edge_index=self.edge_index)
        for _ in range(max(1, box.hops)):
            degree = box.degree_layer(degree, edge_index=self.edge_index)
        y = torch.sigmoid((hidden @ box.beta + degree[:, 0] - box.mean) / box.std)
        return torch.stack([1 - y, y], dim=1)[self.node][None]


@pytest.mark.parametrize("name", ["local", "neighborhood", "two-hop"])
def test_it_is_what_captum_gives_once_its_refusal_is_bypassed(name: str) -> None:
    instance, model = white_box(name, Setting(0.3, 0.5, n_nodes=40, mean_degree=5, n_features=10), 3)
    subject = Subject(model, instance.x, instance.edge_index)
    nodes = np.flatnonzero(model.sees_features(instance.edge_index, 40))[:8]
    ours = published_lrp(subject, nodes)
    for place, (node, target) in enumerate(zip(nodes, ours.classes, strict=True)):
        captums = LayerwiseLRP(AsCaptumSeesIt(model, instance.edge_index, int(node)))
        x = instance.x[None].clone().requires_grad_()
        theirs = np.abs(captums.attribute(x, target=int(target))[0].detach().numpy()).sum(0)
        # Captum multiplies by the output at the end: one positive number a node.
        np.testing.assert_allclose(ours.features[place] * float(subject.outputs[node, target]), theirs, rtol=1e-6)


def test_captum_itself_refuses_the_two_hop_classifier() -> None:
    instance, model = white_box("two-hop", Setting(n_nodes=40, mean_degree=5, n_features=10), 3)
    wrapped = AsCaptumSeesIt(model, instance.edge_index, 0)
    model.mean_layer.rule = EpsilonRule()  # as it comes
    with pytest.raises(RuntimeError, match="more than once"):
        LayerwiseLRP(wrapped).attribute(instance.x[None].clone().requires_grad_(), target=1)


def test_two_hop_at_a_tenth_positive_has_the_published_mean() -> None:
    # Published: .985 over seeds 42 to 45, where integrated gradients have .988: the relevance at the features is
    # multiplied by what the layer was given last, and that is zero elsewhere than the features are.
    areas = []
    for seed in (42, 43, 44, 45):
        instance, model = white_box("two-hop", Setting(0.1, 0.5), seed)
        found = published_lrp(Subject(model, instance.x, instance.edge_index), instance.nodes)
        areas.append(outranking(found.features, instance.used).mean())
    assert np.mean(areas) == pytest.approx(0.985, abs=5e-4)
