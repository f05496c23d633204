"""The units that are looked at: a model's MLP neurons, or the features of a dictionary that stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn

from truescope.core.errors import UsageError
from truescope.core.features import Feature
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary
from truescope.models import Model, Run


@dataclass(frozen=True, eq=False)
class UnitSet:
    """Neurons where ``dictionary`` is None, else its features, by the layer that they read."""

    model: Model
    dictionary: Dictionary | None = None

    def every(self) -> list[Feature]:
        """All units, by layer and index."""
        if self.dictionary is None:
            return [Feature(layer, i) for layer in range(self.model.n_layers) for i in range(self.model.n_neurons)]
        groups = sorted(self.dictionary.groups, key=lambda group: group.reads)
        return [Feature(group.reads.layer or 0, i) for group in groups for i in range(group.n_features)]

    def site(self, layer: int) -> Site:
        """Where the units of a layer are read."""
        if self.dictionary is None:
            return Site("mlp_neurons", layer)
        for reads in self.dictionary.reads:
            if (reads.layer or 0) == layer:
                return reads
        raise UsageError(f"no feature of {self.dictionary.name!r} reads layer {layer}")

    def values(self, run: Run, layer: int) -> Float[torch.Tensor, "batch pos n_units"]:
        """The activations of a layer's units in a run that read `site`."""
        read = run.sites[self.site(layer)]
        return read if self.dictionary is None else self.dictionary.encode(self.site(layer), read)

    def check(self, features: Iterable[Feature]) -> None:
        """See that these units exist.

        Raises:
            UsageError: one does not; it is named.
        """
        n_of = {layer: self._n_units(layer) for layer in {feature.layer for feature in features}}
        for feature in features:
            if not 0 <= feature.index < n_of[feature.layer]:
                what = (
                    "the model has no neuron" if self.dictionary is None else f"{self.dictionary.name!r} has no feature"
                )
                raise UsageError(
                    f"{what} {feature}",
                    why=f"layer {feature.layer} has {n_of[feature.layer]} units",
                    fix="write a unit as layer/index, both from 0",
                )

    def writes(self, features: Sequence[Feature]) -> Float[torch.Tensor, "n_features d_model"]:
        """What one unit of each feature's activation adds to the stream, at all the layers that it writes."""
        rows = torch.empty(len(features), self.model.d_model, device=self.model.device)
        for layer in sorted({feature.layer for feature in features}):
            here = [i for i, feature in enumerate(features) if feature.layer == layer]
            index = torch.tensor([features[i].index for i in here], device=self.model.device)
            rows[here] = self._written(layer, index).to(rows)
        return rows

    def _n_units(self, layer: int) -> int:
        if self.dictionary is None:
            return self.model.n_neurons if 0 <= layer < self.model.n_layers else 0
        return sum(group.n_features for group in self.dictionary.groups if (group.reads.layer or 0) == layer)

    def _written(self, layer: int, index: torch.Tensor) -> torch.Tensor:
        if self.dictionary is not None:
            group = self.dictionary.group(self.site(layer))
            return torch.stack([group.decoder(site)[index] for site in group.writes]).sum(dim=0)
        down = self.model.parts.down(layer)
        weight = down.get_parameter("weight").detach()
        # nn.Linear stores [d_model, n_neurons], GPT-2's Conv1D [n_neurons, d_model].
        written = (weight[:, index].T if isinstance(down, nn.Linear) else weight[index]).float()
        norm = self.model.parts.mlp_out_norm(layer)
        return written if norm is None else written * gain(self.model, norm)


def gain(model: Model, norm: nn.Module) -> Float[torch.Tensor, " d_model"]:
    """What a norm multiplies by: its weight, or 1 + weight where the family stores it so."""
    weight = norm.get_parameter("weight").detach().float()
    return 1.0 + weight if model.family.norm == "rms_plus_one" else weight
