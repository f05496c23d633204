"""Scores of edges between units: the direct effect of a source on a target, times what the target is worth.

With A[t, s] the direct effect of source s on the pre-activation h_t (`trace.direct_effects`: attention and norms held,
no other unit between), B[t, s] what the source would add with its baseline value, and g_t = ∂m/∂h_t with everything
live:

    gradient             |A[t, s] / a_s · g_t|
    gradient × input     A[t, s] · g_t
    attribution (EAP)    (A − B)[t, s] · g_t
    integrated (EAP-IG)  (A − B)[t, s] · mean of g_t along the path of embeddings
    patching, ablation   m − m(h_t ← h_t − (A − B)[t, s]), everything after t live

Sources: Syed et al., "Attribution patching outperforms automated circuit discovery", 2023; Hanna et al., "Have faith in
faithfulness", 2024; Goldowsky-Dill et al., "Localizing model behavior with path patching", 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int

from truescope.core.errors import UsageError
from truescope.core.graphs import Node, NodeKind
from truescope.core.sites import Site
from truescope.trace.autoencoders import AutoencoderReplacement
from truescope.trace.dictionaries import DictionaryReplacement
from truescope.trace.direct import DirectEffects, direct_effects
from truescope.trace.neurons import NeuronReplacement
from truescope.trace.patching.gradients import node_gradients
from truescope.trace.patching.metric import LogitMetric
from truescope.trace.patching.nodes import Nodes

Matrix = Float32[np.ndarray, "targets sources"] | Float64[np.ndarray, "targets sources"]
_ROWS = 4096


@dataclass(frozen=True)
class SourceBaseline:
    """What sources are replaced by: an activation for each unit of the effects, and an embedding for each position.

    `SourceBaseline.zero` is silence, of constants and errors too; another prompt's values, or a mean over prompts, are
    made with `values_at`: these are ``with_constants``, which every prompt has.
    """

    activation: Float64[np.ndarray, " n_units"]
    embed: Float[torch.Tensor, "pos d_model"]
    with_constants: bool = True

    @staticmethod
    def zero(effects: DirectEffects) -> SourceBaseline:
        """Every source set to zero."""
        embed = torch.zeros(effects.run.n_pos, effects.run.model.d_model, dtype=effects.run.model.dtype)
        return SourceBaseline(np.zeros(effects.n_units), embed, with_constants=False)

    @staticmethod
    def values_at(effects: DirectEffects, prompts: Int[torch.Tensor, "prompts pos"]) -> SourceBaseline:
        """The mean of the units' activations and of the embeddings over ``prompts`` (one is enough), of one length."""
        model, nodes = effects.run.model, unit_nodes(effects)
        run = model.run(prompts, read=[Site("embed"), *(node.site for node in nodes.values())])
        mean = {layer: node.value(run.sites)[..., 0].double().mean(0) for layer, node in nodes.items()}
        units = effects.targets[: effects.n_units]
        found = [float(mean[unit.layer][unit.position, unit.index]) for unit in units]
        return SourceBaseline(np.array(found, np.float64), run.sites[Site("embed")].mean(0))


def unit_nodes(effects: DirectEffects) -> dict[int, Nodes]:
    """The units of each layer as nodes that can be read and edited.

    Raises:
        UsageError: units that are neither neurons nor a dictionary's features.
    """
    replacement = effects.replacement
    if isinstance(replacement, NeuronReplacement):
        return {layer: Nodes.neurons(layer) for layer in range(effects.run.model.n_layers)}
    if isinstance(replacement, DictionaryReplacement | AutoencoderReplacement):
        return {int(node.site.layer or 0): node for node in Nodes.features(replacement.dictionary)}
    raise UsageError(f"the units of {replacement.name!r} cannot be edited", fix="use neurons or a dictionary")


class EdgeScores:
    """The scores of every edge of one prompt, each a matrix [targets, sources] in the order of the direct effects.

    Raises:
        UsageError: units whose activation is neither their pre-activation nor its positive part.
    """

    def __init__(self, effects: DirectEffects, metric: LogitMetric) -> None:
        self.effects, self.metric = effects, metric
        self._model, self._tokens = effects.run.model, effects.run.tokens
        self._nodes = unit_nodes(effects)
        units = effects.targets[: effects.n_units]
        self._activation = np.array([unit.activation for unit in units], np.float64)
        self._h = np.array([unit.pre_activation for unit in units], np.float64)
        if not np.allclose(self._activation, self._h, rtol=1e-3, atol=1e-5):
            raise UsageError(
                "these units are not relu units: their activation is not their pre-activation where they are active",
                fix="score the edges of a model with relu or gated neurons, or of a dictionary",
            )
        gated = isinstance(effects.replacement, NeuronReplacement) and self._model.parts.gate(0) is not None
        self._is_linear = gated or bool((self._activation < 0).any())

    def baseline_effects(self, baseline: SourceBaseline) -> Matrix:
        """B: what each source would add with its baseline value."""
        if not (baseline.with_constants or baseline.activation.any() or baseline.embed.any()):
            return np.zeros(self.effects.weight.shape)
        logits = [node.index for node in self.effects.targets[self.effects.n_units :]]
        other = direct_effects(
            self._model,
            self._tokens,
            targets=logits,
            replacement=self.effects.replacement,
            embed=baseline.embed,
        )
        found, n = other.weight.astype(np.float64), self.effects.n_units
        found[:, :n] *= baseline.activation / self._activation
        if not baseline.with_constants:
            constant = [node.kind in (NodeKind.CONSTANT, NodeKind.ERROR) for node in self.effects.sources]
            found[:, constant] = 0.0
        return found

    def worth(self, embed: Float[torch.Tensor, "points pos d_model"] | None = None) -> Float64[np.ndarray, " targets"]:
        """g_t = ∂m/∂h_t, everything live; the mean over ``embed``'s points where they are given."""
        points = 1 if embed is None else len(embed)
        tokens = self._tokens[None].expand(points, -1)
        found = node_gradients(self._model, tokens, _repeated(self.metric, points), [*self._nodes.values()], embed)
        by_layer = {}
        for layer, value, gradient in zip(self._nodes, found.value, found.gradient, strict=True):
            # Where a unit is silent its pre-activation moves nothing.
            by_layer[layer] = (gradient * (value != 0))[..., 0].double().mean(0)
        units, logits = self.effects.targets[: self.effects.n_units], self.effects.targets[self.effects.n_units :]
        worth = [float(by_layer[unit.layer][unit.position, unit.index]) for unit in units]
        return np.array(worth + [self._logit_worth(node.index) for node in logits])

    def _logit_worth(self, index: int) -> float:
        other = -1 if self.metric.other is None else int(self.metric.other[0])
        return float(index == int(self.metric.answer[0])) - float(index == other)

    def gradient(self) -> Matrix:
        """|A / a_s · g_t|: what one unit of the source's activation moves along the edge (a token counts as one)."""
        activation = np.array([node.activation for node in self.effects.sources])
        per_unit = self.effects.weight / np.where(activation == 0, 1.0, activation)
        return np.abs(per_unit * self.worth()[:, None])

    def times_input(self) -> Matrix:
        """A · g_t."""
        return self.effects.weight * self.worth()[:, None]

    def attribution(self, baseline: SourceBaseline) -> Matrix:
        """(A − B) · g_t: edge attribution patching."""
        return (self.effects.weight - self.baseline_effects(baseline)) * self.worth()[:, None]

    def integrated(self, baseline: SourceBaseline, steps: int = 10) -> Matrix:
        """(A − B) · mean g_t at the midpoints of ``steps`` parts of the way from the baseline's embeddings."""
        embed = self._model.run(self._tokens, read=["embed"]).sites[Site("embed")]
        alpha = ((torch.arange(steps) + 0.5) / steps)[:, None, None].to(embed)
        path = baseline.embed.to(embed) + alpha * (embed - baseline.embed.to(embed))
        return (self.effects.weight - self.baseline_effects(baseline)) * self.worth(path)[:, None]

    @torch.no_grad()
    def patched(self, baseline: SourceBaseline, only: Bool[np.ndarray, "targets sources"] | None = None) -> Matrix:
        """m − m(h_t ← h_t − (A − B)): each edge by itself replaced in a forward pass, everything after it live.

        With ``only`` the edges marked there are run, the others into units have zeros.
        """
        delta = self.effects.weight - self.baseline_effects(baseline)
        n = self.effects.n_units
        effect = np.zeros_like(delta)
        logits = self.effects.targets[n:]
        effect[n:] = delta[n:] * np.array([self._logit_worth(node.index) for node in logits])[:, None]
        moved = self._h[:, None] - delta[:n]
        change = (moved if self._is_linear else np.maximum(moved, 0.0)) - self._activation[:, None]
        change[np.abs(delta[:n]) < 1e-12] = 0.0
        if only is not None:
            change[~only[:n]] = 0.0
        whole = float(self.metric(self._model.run(self._tokens).logits)[0])
        for layer, node in self._nodes.items():
            units = [i for i in range(n) if self.effects.targets[i].layer == layer]
            pairs = [(i, s) for i in units for s in np.flatnonzero(change[i])]
            for start in range(0, len(pairs), _ROWS):
                chosen = pairs[start : start + _ROWS]
                values = [change[i, s] for i, s in chosen]
                left = self._edited(node, [self.effects.targets[i] for i, _ in chosen], values)
                effect[tuple(zip(*chosen, strict=True))] = whole - left
        return effect

    def _edited(self, node: Nodes, targets: list[Node], values: list[float]) -> Float64[np.ndarray, " rows"]:
        rows = len(values)
        delta = torch.zeros(rows, self.effects.run.n_pos, node.n_parts(self._model), 1, dtype=self._model.dtype)
        for row, (target, value) in enumerate(zip(targets, values, strict=True)):
            delta[row, target.position, target.index] = value
        edits = node.added(delta, node.decoders(self._model))
        run = self._model.run(self._tokens[None].expand(rows, -1), edit=edits)
        return _repeated(self.metric, rows)(run.logits).double().numpy()


def _repeated(metric: LogitMetric, rows: int) -> LogitMetric:
    """The metric of one prompt, for that many copies of it."""
    other = None if metric.other is None else metric.other[:1].expand(rows)
    return LogitMetric(metric.answer[:1].expand(rows), other, metric.position, metric.demean)
