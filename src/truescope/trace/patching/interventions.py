"""Scores of nodes from interventions: one forward pass for each node, many in a batch, everything live.

With m(x ← b) the metric after a node's value x is replaced by b:

    noising, ablation    m(clean) − m(clean; x ← b)        b from corrupt prompts, a mean, other prompts, or zero
    denoising            m(corrupt; x ← clean) − m(corrupt)

Sources: Vig et al. 2020; Meng et al., "Locating and editing factual associations", 2022; Heimersheim and Nanda, "How to
use and interpret activation patching", 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int

from truescope.core.sites import Site
from truescope.models import Model
from truescope.trace.patching.metric import LogitMetric
from truescope.trace.patching.nodes import Baseline, Nodes, Scores, Values, check_baseline, node_values

_BATCH_NUMBERS = 1 << 22
"""How many numbers the widest tensor of one batch of edited prompts may have."""


@torch.no_grad()
def replacement_effects(
    model: Model,
    tokens: Int[torch.Tensor, "batch pos"],
    metric: LogitMetric,
    nodes: Sequence[Nodes],
    baseline: Sequence[Baseline],
    batch: int | None = None,
) -> list[Scores]:
    """m(x) − m(x ← b) for every node by itself: what the metric loses when the node is replaced (noising, ablation).

    A node whose baseline is its value has the effect 0 and is not run. ``batch`` edited prompts share a forward pass.

    Raises:
        UsageError: baselines that do not fit.
    """
    values = node_values(model, tokens, nodes)
    check_baseline(values, baseline)
    whole = metric(model.run(tokens).logits)
    width = max(model.n_vocab, model.n_neurons, model.d_model) * tokens.shape[1]
    rows = batch or max(1, _BATCH_NUMBERS // width)
    scores = []
    for node, value, other in zip(nodes, values, baseline, strict=True):
        delta = other.to(value) - value
        decoders = node.decoders(model)
        effect = value.new_zeros(value.shape[:-1])
        changed = (delta != 0).any(-1).nonzero()
        for chosen in changed.split(rows) if len(changed) else ():
            left = _edited(model, tokens, metric, node, decoders, delta, chosen)
            effect[tuple(chosen.T)] = whole[chosen[:, 0]] - left
        scores.append(effect)
    return scores


def restoration_effects(
    model: Model,
    corrupt: Int[torch.Tensor, "batch pos"],
    metric: LogitMetric,
    nodes: Sequence[Nodes],
    clean: Sequence[Values],
    batch: int | None = None,
) -> list[Scores]:
    """m(corrupt; x ← clean) − m(corrupt) for every node by itself: what the node's clean value brings back (denoising).

    Raises:
        UsageError: clean values that do not fit.
    """
    return [-effect for effect in replacement_effects(model, corrupt, metric, nodes, clean, batch)]


def _edited(
    model: Model,
    tokens: torch.Tensor,
    metric: LogitMetric,
    node: Nodes,
    decoders: Mapping[Site, torch.Tensor] | None,
    delta: torch.Tensor,
    chosen: torch.Tensor,
) -> torch.Tensor:
    """The metric of one edited prompt for each row (prompt, position, part) of ``chosen``."""
    prompt, position, part = chosen.T
    one = delta.new_zeros(len(chosen), *delta.shape[1:])
    here = torch.arange(len(chosen), device=delta.device)
    one[here, position, part] = delta[prompt, position, part]
    return metric(model.run(tokens[prompt], edit=node.added(one, decoders)).logits, prompt)
