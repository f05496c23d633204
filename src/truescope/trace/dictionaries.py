"""A trained dictionary in the MLPs' place: transcoders (with or without skip) and cross-layer transcoders.

What a dictionary reads is mlp_in.l, what it writes is mlp_out.l, *added to the stream*: after a post-norm where the
family has one. So the MLP is cut there, and the post-norm with it. A feature's pre-activation is h = v · mlp_in + c,
the denominators of the dictionary's own normalisation held at the prompt like those of the model's norms. What the
dictionary misses of mlp_out is the error.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Float, Int

from truescope.core.errors import DictionaryError
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary
from truescope.models import Model
from truescope.models.frozen import Skip
from truescope.trace.record import Record
from truescope.trace.replacement import Units


class DictionaryReplacement:
    """The features of a dictionary as units; a layer that it does not cover is all error.

    Raises:
        DictionaryError: it belongs to another model, or reads or writes anything but mlp_in and mlp_out.
    """

    after_norm = True
    cuts: Mapping[int, Site] = {}

    def __init__(self, model: Model, dictionary: Dictionary) -> None:
        dictionary.check_model(model.hash, model.name)
        kinds = {site.kind for site in dictionary.reads}, {site.kind for site in dictionary.writes}
        if kinds != ({"mlp_in"}, {"mlp_out"}):
            raise DictionaryError(
                f"dictionary {dictionary.name!r} cannot stand in for the MLPs",
                why=f"it reads {', '.join(sorted(kinds[0]))} and writes {', '.join(sorted(kinds[1]))}",
                fix="trace with a transcoder or a cross-layer transcoder: truescope train --kind transcoder",
            )
        self.dictionary = dictionary.to(device=model.device)
        self.name = dictionary.name

    def skips(self) -> Mapping[int, Skip]:
        """The linear skips, by the layer that they bridge."""
        return {
            int(group.writes[0].layer or 0): partial(_skip, group.W_skip)
            for group in self.dictionary.groups
            if group.W_skip is not None
        }

    def local(self, record: Record) -> LocalFeatures:
        """The features of the recorded prompt."""
        return LocalFeatures(record, self.dictionary)


def _skip(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return x @ weight.T.to(x.dtype)


def active_units(dictionary: Dictionary, site: Site, x: Float[torch.Tensor, "pos d_in"]) -> Units:
    """The features that read ``site`` and are active where its value is ``x``."""
    position, index = dictionary.encode(site, x).nonzero(as_tuple=True)
    pre = dictionary.pre_activations(site, x)[position, index]
    # TopK with ReLU and JumpReLU alike: where a feature is active its activation is its pre-activation.
    return Units(
        position=position.cpu().numpy().astype(np.int32),
        index=index.cpu().numpy().astype(np.int32),
        activation=pre.float().cpu().numpy(),
        pre_activation=pre.double().cpu().numpy(),
    )


def no_units() -> Units:
    """None: a layer that a dictionary does not cover."""
    empty = np.zeros(0, np.int32)
    return Units(empty, empty, np.zeros(0, np.float32), np.zeros(0, np.float64))


class LocalFeatures:
    """The features of one prompt; see `LocalReplacement` for the methods."""

    def __init__(self, record: Record, dictionary: Dictionary) -> None:
        self._record, self._dictionary = record, dictionary
        self._groups = {group.reads.layer: group for group in dictionary.groups}

    def reads(self, layer: int) -> Site:
        return Site("mlp_in", layer)

    def units(self, layer: int) -> Units:
        if layer not in self._groups:
            return no_units()
        return active_units(self._dictionary, Site("mlp_in", layer), self._record.mlp_in[layer])

    def encoder(
        self, layer: int, position: Int[torch.Tensor, " n"], index: Int[torch.Tensor, " n"]
    ) -> tuple[Float[torch.Tensor, "n d_model"], Float[torch.Tensor, " n"]]:
        return self._dictionary.encoder(Site("mlp_in", layer), self._record.mlp_in[layer], position, index)

    def decoder(self, layer: int, written: int, index: Int[torch.Tensor, " n"]) -> Float[torch.Tensor, "n d_model"]:
        return self._groups[layer].decoder(Site("mlp_out", written)).index_select(0, index)

    def writes(self, layer: int) -> range:
        if layer not in self._groups:
            return range(layer, layer)
        layers = [int(site.layer or 0) for site in self._groups[layer].writes]
        return range(layers[0], layers[-1] + 1)

    def constants(self, written: int) -> Mapping[str, Float[torch.Tensor, " d_model"]]:
        bias = self._dictionary.b_dec.get(Site("mlp_out", written))
        return {} if bias is None else {"decoder_bias": bias}

    def error(self, written: int) -> Float[torch.Tensor, "pos d_model"]:
        missed = self._record.mlp_added[written]
        rebuilt = self._rebuilt.get(Site("mlp_out", written))
        return missed if rebuilt is None else missed - rebuilt

    @cached_property
    def _rebuilt(self) -> dict[Site, torch.Tensor]:
        reads = {Site("mlp_in", layer): self._record.mlp_in[layer] for layer in self._groups if layer is not None}
        return self._dictionary.reconstruct(reads)
