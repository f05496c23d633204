"""A replacement with everything the protocol allows: errors, skips, units that write to later layers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from truescope.core.sites import Site
from truescope.models import Model
from truescope.models.frozen import Skip
from truescope.trace.neurons import LocalNeurons
from truescope.trace.record import Record
from truescope.trace.replacement import Units


class StrangeReplacement:
    """Every second neuron; each writes its decoder at its own layer and a random vector at the next one.

    A random linear skip passes mlp_in by. The error is what is missing, so the books must close all the same.
    """

    name = "strange"
    cuts: Mapping[int, Site] = {}

    def __init__(self, model: Model, after_norm: bool = False) -> None:
        self.after_norm = after_norm
        generator = torch.Generator().manual_seed(0)
        n, d = model.n_layers, model.d_model
        self.skip = [torch.randn(d, d, generator=generator) * 0.2 for _ in range(n)]
        self.later = [torch.randn(model.n_neurons, d, generator=generator) * 0.3 for _ in range(n)]

    def skips(self) -> Mapping[int, Skip]:
        return {layer: lambda x, w=weight: x @ w.T for layer, weight in enumerate(self.skip)}

    def local(self, record: Record) -> LocalStrange:
        return LocalStrange(self, record)


class LocalStrange:
    """The strange replacement on one prompt."""

    def __init__(self, whole: StrangeReplacement, record: Record) -> None:
        self._whole, self._record, self._neurons = whole, record, LocalNeurons(record)

    def reads(self, layer: int) -> Site:
        return self._neurons.reads(layer)

    def units(self, layer: int) -> Units:
        every = self._neurons.units(layer)
        chosen = every.index % 2 == 0
        return Units(*(getattr(every, n)[chosen] for n in ("position", "index", "activation", "pre_activation")))

    def encoder(self, layer: int, position: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self._neurons.encoder(layer, position, index)

    def decoder(self, layer: int, written: int, index: torch.Tensor) -> torch.Tensor:
        return self._neurons.decoder(layer, layer, index) if written == layer else self._whole.later[layer][index]

    def writes(self, layer: int) -> range:
        return range(layer, min(layer + 2, self._record.model.n_layers))

    def constants(self, written: int) -> Mapping[str, torch.Tensor]:
        return self._neurons.constants(written)

    def error(self, written: int) -> torch.Tensor:
        record = self._record
        written_out = record.mlp_added if self._whole.after_norm else record.mlp_out
        rest = written_out[written] - self._record.mlp_in[written] @ self._whole.skip[written].T
        for constant in self.constants(written).values():
            rest = rest - constant
        for layer in range(max(0, written - 1), written + 1):
            units = self.units(layer)
            index = torch.from_numpy(units.index.astype(np.int64))
            rows = self.decoder(layer, written, index) * torch.from_numpy(units.activation)[:, None]
            rest = rest.index_add(0, torch.from_numpy(units.position.astype(np.int64)), -rows)
        return rest
