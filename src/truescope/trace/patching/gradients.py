"""Scores of nodes from gradients: one backward pass for all nodes, or a few along a path.

With x a node's value on the clean prompt, b its baseline and g = ∂m/∂x, everything live:

    saliency             ‖g‖
    gradient × input     x · g
    attribution (AtP)    (x − b) · g
    integrated (EAP-IG)  (x − b) · mean over α of ∂m/∂x at the embeddings e_b + α (e − e_b)

Sources: Simonyan et al. 2014; Shrikumar et al. 2017; Nanda, "Attribution patching", 2023; Sundararajan et al. 2017;
Hanna et al., "Have faith in faithfulness", 2024 (the path over input embeddings).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int

from truescope.core.errors import UsageError
from truescope.core.sites import Site
from truescope.models import Model
from truescope.trace.patching.metric import LogitMetric
from truescope.trace.patching.nodes import Baseline, Nodes, Scores, Values, check_baseline


@dataclass(frozen=True)
class NodeGradients:
    """The metric, and each node's value and gradient, at one point: lists with an entry for each of the nodes asked."""

    metric: Float[torch.Tensor, " batch"]
    value: list[Values]
    gradient: list[Values]

    def saliency(self) -> list[Scores]:
        """‖∂m/∂x‖: how much the metric hangs on the node, whatever its value."""
        return [g.norm(dim=-1) for g in self.gradient]

    def times_input(self) -> list[Scores]:
        """x · ∂m/∂x: the node's share of the metric, to first order, against a baseline of zero."""
        return [(x * g).sum(-1) for x, g in zip(self.value, self.gradient, strict=True)]

    def attribution(self, baseline: Sequence[Baseline]) -> list[Scores]:
        """(x − b) · ∂m/∂x: what patching b in would take from the metric, to first order."""
        check_baseline(self.value, baseline)
        parts = zip(self.value, baseline, self.gradient, strict=True)
        return [((x - b) * g).sum(-1) for x, b, g in parts]


def node_gradients(
    model: Model,
    tokens: Int[torch.Tensor, "batch pos"],
    metric: LogitMetric,
    nodes: Sequence[Nodes],
    embed: Float[torch.Tensor, "batch pos d_model"] | None = None,
) -> NodeGradients:
    """∂m/∂x for every node, by one forward and one backward pass over all prompts; ``embed`` replaces the embeddings.

    Raises:
        PromptError, SiteError, UsageError: as their names say.
    """
    decoders = [node.decoders(model) for node in nodes]
    sites = list(dict.fromkeys(s for node, rows in zip(nodes, decoders, strict=True) for s in node.touched(rows)))
    run = model.run_live(tokens, sites, embed)
    value = metric(run.logits)
    values = [run.sites[site] for site in sites]
    found = torch.autograd.grad(value.sum(), values, allow_unused=True)
    pairs = zip(values, found, strict=True)
    by_site = dict(zip(sites, [torch.zeros_like(x) if g is None else g for x, g in pairs], strict=True))
    return NodeGradients(
        metric=value.detach(),
        value=[node.value(run.sites) for node in nodes],
        gradient=[node.gradient(by_site, rows) for node, rows in zip(nodes, decoders, strict=True)],
    )


def integrated_gradients(
    model: Model,
    tokens: Int[torch.Tensor, "batch pos"],
    embed_baseline: Float[torch.Tensor, "rows pos d_model"],
    metric: LogitMetric,
    nodes: Sequence[Nodes],
    baseline: Sequence[Baseline],
    steps: int = 10,
) -> list[Scores]:
    """(x − b) · mean gradient along the straight path of embeddings, at the midpoints of ``steps`` equal parts.

    ``embed_baseline`` are the embeddings the path starts from (those of the corrupt prompt, say), ``baseline`` the
    nodes' values there. Over nodes that make up the embeddings the scores sum to m(clean) − m(baseline) as steps grow.

    Raises:
        UsageError: no step, or baselines that do not fit.
    """
    if steps < 1:
        raise UsageError(f"a path of {steps} steps", fix="take at least one")
    embed = model.run(tokens, read=[Site("embed")]).sites[Site("embed")]
    total: list[torch.Tensor] = []
    for step in range(steps):
        alpha = (step + 0.5) / steps
        at = node_gradients(model, tokens, metric, nodes, embed_baseline + alpha * (embed - embed_baseline))
        total = [g / steps + t for g, t in zip(at.gradient, total or [0.0] * len(nodes), strict=True)]
    clean: list[torch.Tensor] = [node.value(model.run(tokens, read=[node.site]).sites) for node in nodes]
    return NodeGradients(clean[0].new_zeros(len(tokens)), clean, total).attribution(baseline)
