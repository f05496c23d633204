"""The MLP's own neurons as a replacement: exact, so that the error is zero and graphs can be checked against it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from truescope.core.errors import FamilyError
from truescope.core.sites import Site
from truescope.models import Model
from truescope.models.frozen import Skip
from truescope.trace.record import Record
from truescope.trace.replacement import Units


class NeuronReplacement:
    """Each coordinate of what enters the down-projection is a unit.

    In a plain MLP the pre-activation is h = (W_in x + b_in)_i. In a gated one, a_i = act(g_i)·(W_up x + b_up)_i and
    h = a_i: its edges follow the up-projection with the gate act(g_i) held at the prompt's value
    (docs/decisions/0002-gated-neurons.md).
    """

    name = "neurons"
    after_norm = False
    cuts: Mapping[int, Site] = {}

    def __init__(self, model: Model) -> None:
        self.model = model

    def skips(self) -> Mapping[int, Skip]:
        """None: the MLP is replaced whole."""
        return {}

    def local(self, record: Record) -> LocalNeurons:
        """The neurons of the recorded prompt."""
        return LocalNeurons(record)


class LocalNeurons:
    """The neurons of one prompt; see `LocalReplacement` for the methods."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._parts = record.model.parts
        self._gates: dict[int, torch.Tensor] = {}

    def reads(self, layer: int) -> Site:
        return Site("mlp_neurons" if self._parts.gate(layer) is not None else "mlp_in", layer)

    def units(self, layer: int) -> Units:
        activation = self._record.neurons[layer]
        position, index = activation.nonzero(as_tuple=True)
        read = activation if self._parts.gate(layer) is not None else self._record.up[layer]
        return Units(
            position=position.cpu().numpy().astype(np.int32),
            index=index.cpu().numpy().astype(np.int32),
            activation=activation[position, index].float().cpu().numpy(),
            pre_activation=read[position, index].double().cpu().numpy(),
        )

    def encoder(
        self, layer: int, position: Int[torch.Tensor, " n"], index: Int[torch.Tensor, " n"]
    ) -> tuple[Float[torch.Tensor, "n d_model"], Float[torch.Tensor, " n"]]:
        up = self._parts.up(layer)
        vectors = _weight(up).index_select(0, index)
        bias = getattr(up, "bias", None)
        constant = vectors.new_zeros(len(index)) if bias is None else bias.index_select(0, index)
        if self._parts.gate(layer) is not None:
            gate = self._gate(layer)[position, index]
            vectors, constant = vectors * gate[:, None], constant * gate
        return vectors, constant

    def decoder(self, layer: int, written: int, index: Int[torch.Tensor, " n"]) -> Float[torch.Tensor, "n d_model"]:
        weight = _weight(self._parts.down(layer)).t()
        # All of a layer's neurons, which is usual: no copy.
        return weight if len(index) == len(weight) else weight.index_select(0, index)

    def writes(self, layer: int) -> range:
        return range(layer, layer + 1)

    def constants(self, written: int) -> Mapping[str, Float[torch.Tensor, " d_model"]]:
        bias = getattr(self._parts.down(written), "bias", None)
        return {} if bias is None else {"mlp_out_bias": bias.detach()}

    def error(self, written: int) -> None:
        return None

    def _gate(self, layer: int) -> torch.Tensor:
        """act(g)[pos, n_neurons] = ∂a/∂u, u the up-projection's output: asked of the model, whatever its activation."""
        if layer not in self._gates:
            held: list[torch.Tensor] = []

            def cut(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
                held.append(output.detach().requires_grad_())
                return held[0]

            entering: list[torch.Tensor] = []
            up, down = self._parts.up(layer), self._parts.down(layer)
            handles = [
                up.register_forward_hook(cut),
                down.register_forward_pre_hook(lambda module, args: entering.append(args[0])),
            ]
            try:
                with self._record.model.lock, torch.enable_grad():
                    self._parts.mlp(layer)(self._record.mlp_in[layer][None])
                    gate = torch.autograd.grad(entering[0].sum(), held[0])[0][0]
            finally:
                for handle in handles:
                    handle.remove()
            if not torch.allclose(gate * held[0][0].detach(), entering[0][0].detach(), rtol=1e-4, atol=1e-6):
                raise FamilyError(
                    f"the MLP of layer {layer} is not gated as its family table says",
                    why="its neurons are not the gate's activation times the up-projection",
                    fix="describe it with a Family whose gate and up are the right way round, or without a gate",
                )
            self._gates[layer] = gate
        return self._gates[layer]


def _weight(projection: nn.Module) -> Float[torch.Tensor, "n_out n_in"]:
    # nn.Linear stores [out, in], GPT-2's Conv1D [in, out].
    weight = torch.as_tensor(projection.weight).detach()
    return weight if isinstance(projection, nn.Linear) else weight.t()
