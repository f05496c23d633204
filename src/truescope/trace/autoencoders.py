"""Autoencoders as a replacement: the features of sites that they read and write, one site a layer.

At a site with value x [pos, d], and with z the code of x there,

    x[c] = Σ_i z_i[c] · W_dec,i + b_dec + error[c]

are the sources: active features, a constant, and what the autoencoder misses. Nothing flows past them: a gradient from
above ends at x (so at a residual site the whole stream ends there, at attn_out or mlp_out what is added to it), and a
feature's pre-activation h = v · x + c is read from the x below. Between two sites attention patterns and norm
denominators are held, and MLPs, which nothing stands in for, are held by their gates,

    mlp_out = W_out (m ⊙ (W_in mlp_in + b_in)) + b_out,   m = a / u at the prompt,

so that h = Σ over sources of (value)ᵀ J v, with b_in and b_out among them; layers without an autoencoder are passed on
in the same way. So an edge between two features sums up all paths through the neurons between them
(docs/decisions/0018-autoencoders-in-graphs.md). After Marks et al., "Sparse Feature Circuits", 2024, whose graphs have
gradients for edges and add up to first order; these are linear and add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from jaxtyping import Float, Int

from truescope.core.errors import DictionaryError
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary
from truescope.models import Model
from truescope.models.frozen import CUT_KINDS, Skip
from truescope.trace.dictionaries import active_units, no_units
from truescope.trace.record import Record
from truescope.trace.replacement import Units


class AutoencoderReplacement:
    """The features of autoencoders of the residual stream, or of what is added to it, as units.

    Raises:
        DictionaryError: it belongs to another model, is no autoencoder, reads another kind of site, or two sites of one
            layer.
        SiteError: the model has not one of its sites.
    """

    after_norm = False

    def __init__(self, model: Model, dictionary: Dictionary) -> None:
        dictionary.check_model(model.hash, model.name)
        reads = dictionary.reads
        wrong = [f"it reads {site}" for site in reads if site.kind not in CUT_KINDS]
        wrong += [f"it reads {g.reads} and writes elsewhere" for g in dictionary.groups if g.writes != (g.reads,)]
        wrong += [f"a linear skip passes {g.reads} by" for g in dictionary.groups if g.W_skip is not None]
        if wrong:
            raise DictionaryError(
                f"dictionary {dictionary.name!r} cannot be the units of a graph",
                why=wrong[0],
                fix=f"trace with autoencoders of {', '.join(CUT_KINDS)}, or with transcoders of MLPs",
            )
        self.cuts: dict[int, Site] = {int(site.layer or 0): model.site(site) for site in reads}
        if len(self.cuts) < len(reads):
            layers = [site.layer for site in reads]
            layer = next(layer for layer in layers if layers.count(layer) > 1)
            raise DictionaryError(
                f"dictionary {dictionary.name!r} has two sites in layer {layer}",
                why="a graph names a unit by its layer and index",
                fix="trace with one autoencoder a layer",
            )
        self.dictionary = dictionary.to(device=model.device)
        self.name = f"{dictionary.name} of {', '.join(map(str, reads))}"

    def skips(self) -> Mapping[int, Skip]:
        """None."""
        return {}

    def local(self, record: Record) -> LocalAutoencoders:
        """The features of the recorded prompt."""
        return LocalAutoencoders(record, self.dictionary, self.cuts)


class LocalAutoencoders:
    """The features of one prompt; see `LocalReplacement` for the methods."""

    def __init__(self, record: Record, dictionary: Dictionary, cuts: Mapping[int, Site]) -> None:
        self._record, self._dictionary, self._cuts = record, dictionary, cuts

    def reads(self, layer: int) -> Site:
        return self._cuts.get(layer, Site("resid_post", layer))

    def units(self, layer: int) -> Units:
        if layer not in self._cuts:
            return no_units()
        site = self._cuts[layer]
        return active_units(self._dictionary, site, self._record.sites[site])

    def encoder(
        self, layer: int, position: Int[torch.Tensor, " n"], index: Int[torch.Tensor, " n"]
    ) -> tuple[Float[torch.Tensor, "n d_model"], Float[torch.Tensor, " n"]]:
        site = self._cuts[layer]
        return self._dictionary.encoder(site, self._record.sites[site], position, index)

    def decoder(self, layer: int, written: int, index: Int[torch.Tensor, " n"]) -> Float[torch.Tensor, "n d_model"]:
        site = self._cuts[layer]
        return self._dictionary.group(site).decoder(site).index_select(0, index)

    def writes(self, layer: int) -> range:
        return range(layer, layer + 1) if layer in self._cuts else range(layer, layer)

    def constants(self, written: int) -> Mapping[str, Float[torch.Tensor, " d_model"]]:
        return {"decoder_bias": self._dictionary.b_dec[self._cuts[written]]} if written in self._cuts else {}

    def error(self, written: int) -> Float[torch.Tensor, "pos d_model"] | None:
        if written not in self._cuts:
            return None
        site = self._cuts[written]
        return self._record.sites[site] - self._rebuilt[site]

    @cached_property
    def _rebuilt(self) -> dict[Site, torch.Tensor]:
        return self._dictionary.reconstruct({site: self._record.sites[site] for site in self._cuts.values()})
