"""Live effects: what really happens to each target of a graph when one of its sources is taken out of the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64

from truescope.core.graphs import Node, NodeKind
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.models import Model, Run
from truescope.trace.direct import DirectEffects
from truescope.trace.patching.edges import SourceBaseline, unit_nodes

_ROWS = 512
_EMBEDDED = ("embed", "pos_embed")


@torch.no_grad()
def live_effects(
    effects: DirectEffects, baseline: SourceBaseline | None = None
) -> Float64[np.ndarray, "targets sources"]:
    """h_t − h_t(s ← baseline) for every target t and source s, everything live: total effects, along every path.

    A unit is moved along its decoder wherever it writes, tokens and position embeddings at their sites. Other constants
    and errors, which no intervention reaches, have zeros, and so have units on those of their own layer, which read
    before it writes. Without a ``baseline`` sources are set to zero.

    Raises:
        UsageError: units that cannot be edited.
    """
    baseline = baseline or SourceBaseline.zero(effects)
    run = effects.run
    read = _Read(effects)
    clean = read.targets(run.model.run(run.tokens, read=read.sites))
    found = np.zeros(effects.weight.shape)
    editable = np.array([s for s, node in enumerate(effects.sources) if _is_editable(node)], np.int64)
    for start in range(0, len(editable), _ROWS):
        chosen = editable[start : start + _ROWS]
        edits = _removals(effects, baseline, chosen.tolist())
        after = run.model.run(run.tokens[None].expand(len(chosen), -1), read=read.sites, edit=edits)
        found[:, chosen] = (clean - read.targets(after)).T
    n = effects.n_units
    layer = np.array([unit.layer for unit in effects.targets[:n]])
    found[:n, :n][layer[:, None] == layer] = 0.0
    return found


def _is_editable(node: Node) -> bool:
    return node.kind in (NodeKind.UNIT, NodeKind.TOKEN) or node.constant == "pos_embed"


def _removals(effects: DirectEffects, baseline: SourceBaseline, chosen: Sequence[int]) -> list[Intervention]:
    """Edits of one pass over copies of the prompt, copy i without source ``chosen[i]``."""
    run, model = effects.run, effects.run.model
    nodes = [effects.sources[s] for s in chosen]
    edits = []
    sites = model.run(run.tokens, read=[kind for kind in _EMBEDDED if _has(model, kind)]).sites
    for site, value in sites.items():
        delta = value.new_zeros(len(chosen), *value.shape[1:])
        for row, node in enumerate(nodes):
            if site.kind == "embed" and node.kind is NodeKind.TOKEN:
                delta[row, node.position] = baseline.embed[node.position].to(value) - value[0, node.position]
            if node.constant == site.kind and not baseline.with_constants:
                delta[row, node.position] = -value[0, node.position]
        edits.append(Intervention(site, "add", delta))
    for layer, group in unit_nodes(effects).items():
        here = [row for row, node in enumerate(nodes) if node.kind is NodeKind.UNIT and node.layer == layer]
        if not here:
            continue
        delta = torch.zeros(len(chosen), run.n_pos, group.n_parts(model), 1, dtype=model.dtype, device=model.device)
        for row in here:
            node = nodes[row]
            delta[row, node.position, node.index] = float(baseline.activation[chosen[row]]) - node.activation
        edits += group.added(delta, group.decoders(model))
    return edits


def _has(model: Model, kind: str) -> bool:
    return kind == "embed" or model.parts.pos_embed is not None


class _Read:
    """How the targets' h is read from a run: v · (what they read) + c for a unit (a gated neuron is read as it is)."""

    def __init__(self, effects: DirectEffects) -> None:
        self._n = effects.n_units
        model, units = effects.run.model, effects.targets[: self._n]
        self._layers: list[tuple[Site, list[int], torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]] = []
        for layer in range(model.n_layers):
            here = [i for i, unit in enumerate(units) if unit.layer == layer]
            if here:
                position = torch.tensor([units[i].position for i in here])
                index = torch.tensor([units[i].index for i in here])
                vectors, constants = effects.local.encoder(layer, position, index)
                self._layers.append((effects.local.reads(layer), here, position, index, vectors, constants))
        logits = torch.tensor([node.index for node in effects.targets[self._n :]])
        weight, bias = model.parts.unembed.weight, getattr(model.parts.unembed, "bias", None)
        self._unembed = (weight[logits] - weight.mean(0)).double()
        self._bias = 0.0 if bias is None else (bias[logits] - bias.mean()).double()
        self.sites = [Site("final_norm"), *(site for site, *_ in self._layers)]

    def targets(self, run: Run) -> Float64[np.ndarray, "rows targets"]:
        """h of every target, for each row of the run."""
        last = run.sites[Site("final_norm")][:, -1].double()
        found = np.zeros((len(last), self._n + len(self._unembed)))
        found[:, self._n :] = (last @ self._unembed.T + self._bias).cpu().numpy()
        for site, here, position, index, vectors, constants in self._layers:
            x = run.sites[site]
            if site.kind == "mlp_neurons":
                h = x[:, position, index].double()
            else:
                h = torch.einsum("rnd,nd->rn", x[:, position].double(), vectors.double()) + constants.double()
            found[:, here] = h.cpu().numpy()
        return found
