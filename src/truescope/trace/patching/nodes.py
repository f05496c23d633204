"""The nodes that patching scores: neighbouring coordinates of one site, or the features of a dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int

from truescope.core.dictionaries import Dictionary
from truescope.core.errors import UsageError
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.models import Model

Values = Float[torch.Tensor, "batch pos _ _"]
"""[batch, pos, parts, width]: the last two differ between kinds of nodes."""
Baseline = Float[torch.Tensor, "_ _ _ _"]
"""Values, or one row of them for all prompts."""
Scores = Float[torch.Tensor, "batch pos _"]
"""One number a node: [batch, pos, parts]."""


@dataclass(frozen=True)
class Nodes:
    """The parts of one site, at every position, each a node: runs of ``width`` coordinates, or a dictionary's features.

    `heads`, `neurons`, `whole` and `features` make the usual ones. A node's value is a vector of ``width`` numbers (of
    one, a feature's activation); adding to it adds to the site, or along the feature's decoder wherever that writes.
    """

    site: Site
    width: int
    dictionary: Dictionary | None = None

    @staticmethod
    def heads(model: Model, layer: int) -> Nodes:
        """What each attention head of a layer hands to the output projection."""
        return Nodes(Site("attn_z", layer), model.parts.d_attn_z // model.parts.n_heads)

    @staticmethod
    def neurons(layer: int) -> Nodes:
        """Each neuron of a layer's MLP."""
        return Nodes(Site("mlp_neurons", layer), 1)

    @staticmethod
    def whole(model: Model, site: Site | str) -> Nodes:
        """A site's whole vector: one node at each position."""
        place = model.site(site)
        return Nodes(place, model.parts.shape(place, 1, 1)[-1])

    @staticmethod
    def features(dictionary: Dictionary, layer: int | None = None) -> list[Nodes]:
        """The features of a dictionary, one `Nodes` for each site that it reads, or for the one of ``layer``."""
        return [Nodes(site, 1, dictionary) for site in dictionary.reads if layer in (None, site.layer)]

    def n_parts(self, model: Model) -> int:
        """How many nodes there are at each position.

        Raises:
            UsageError: the site's width is no multiple of a part's.
        """
        if self.dictionary is not None:
            return self.dictionary.n_features(self.site)
        n = model.parts.shape(self.site, 1, 1)[-1]
        if self.width < 1 or n % self.width:
            raise UsageError(f"{self.site} has {n} coordinates, which do not part into runs of {self.width}")
        return n // self.width

    def touched(self, decoders: Mapping[Site, torch.Tensor] | None) -> list[Site]:
        """The sites that are read to know the nodes' values and gradients."""
        return list(dict.fromkeys([self.site, *(decoders or {})]))

    def decoders(self, model: Model) -> dict[Site, Float[torch.Tensor, "parts d_written"]] | None:
        """What one unit of each feature writes, by site; None for plain coordinates."""
        if self.dictionary is None:
            return None
        one_each = torch.eye(self.dictionary.n_features(self.site), dtype=model.dtype, device=model.device)
        return self.dictionary.decode(self.site, one_each)

    def value(self, sites: Mapping[Site, torch.Tensor]) -> Values:
        """The nodes' values from the values of sites."""
        x = sites[self.site].detach()
        if self.dictionary is not None:
            return self.dictionary.encode(self.site, x)[..., None].to(x)
        return x.unflatten(-1, (-1, self.width))

    def gradient(self, grads: Mapping[Site, torch.Tensor], decoders: Mapping[Site, torch.Tensor] | None) -> Values:
        """The gradient in the nodes' own coordinates from the gradients at the sites."""
        if decoders is None:
            return grads[self.site].unflatten(-1, (-1, self.width))
        return torch.stack([grads[site] @ rows.to(grads[site]).T for site, rows in decoders.items()]).sum(0)[..., None]

    def added(self, delta: Values, decoders: Mapping[Site, torch.Tensor] | None) -> list[Intervention]:
        """The edits that add ``delta`` to the nodes' values and leave everything else live."""
        if decoders is None:
            return [Intervention(self.site, "add", delta.flatten(-2))]
        return [Intervention(site, "add", delta[..., 0] @ rows.to(delta)) for site, rows in decoders.items()]


def node_values(model: Model, tokens: Int[torch.Tensor, "batch pos"], nodes: Sequence[Nodes]) -> list[Values]:
    """The nodes' values on ``tokens``, one tensor for each of ``nodes``.

    They are the baselines of every score: those of other prompts (patching, resampling), their mean over prompts
    (``values.mean(0, keepdim=True)``), or zeros.
    """
    sites: Any = model.run(tokens, read=[node.site for node in nodes]).sites
    return [node.value(sites) for node in nodes]


def check_baseline(values: Sequence[Values], baseline: Sequence[Baseline]) -> None:
    """See that there is one baseline for each of the nodes, and that it broadcasts against their values.

    Raises:
        UsageError: there is not, or it does not.
    """
    if len(values) != len(baseline):
        raise UsageError(f"{len(values)} kinds of nodes were given {len(baseline)} baselines", fix="give one for each")
    for value, other in zip(values, baseline, strict=True):
        if value.shape[1:] != other.shape[1:] or other.shape[0] not in (1, value.shape[0]):
            raise UsageError(
                f"a baseline has shape {list(other.shape)}, the nodes' values {list(value.shape)}",
                fix="use prompts of one length, and as many, or a mean over them with one row",
            )
