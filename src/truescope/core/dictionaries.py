"""`Dictionary`, as the rooms below `dictionaries/` see it: something that encodes at one site and writes at others."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from truescope.core.sites import Site


@runtime_checkable
class Dictionary(Protocol):
    """``encode`` and ``decode`` with ``reads`` and ``writes`` sites.

    A sparse autoencoder reads and writes the same site; a transcoder reads ``mlp_in.l`` and writes ``mlp_out.l``; the
    features of a cross-layer transcoder that read ``mlp_in.l`` write ``mlp_out.l``, …, ``mlp_out.L-1``.
    """

    @property
    def name(self) -> str:
        """How graphs and reports call it."""
        ...

    @property
    def model_hash(self) -> str:
        """The hash of the weights it was made for; "" where it belongs to no model."""
        ...

    @property
    def reads(self) -> tuple[Site, ...]:
        """The sites whose values `encode` takes, one a group of features."""
        ...

    def n_features(self, site: Site) -> int:
        """How many features read ``site``."""
        ...

    def encode(self, site: Site, x: Any) -> Any:
        """The code z[..., n_features] of the value x[..., d_model] that was read at ``site``."""
        ...

    def decode(self, site: Site, z: Any) -> dict[Site, Any]:
        """What the features that read ``site`` write with code z: one [..., d_model] a written site, no constants."""
        ...
