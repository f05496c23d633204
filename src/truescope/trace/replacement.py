"""What a tracer needs to know of the units of a graph: one protocol for neurons, transcoders, CLTs and autoencoders.

A `Replacement` belongs to a model, a `LocalReplacement` to one prompt of it. With a_s the activation of unit s, which
reads mlp_in.l at position c and writes at layers l' ≥ l, the MLP's own output (before a post-norm, or after it where
``after_norm`` says so) is

    mlp_out.l'[c] = Σ_s a_s·W_dec,s[l'] + Σ constants[l'] + skip_l'(mlp_in.l'[c]) + error[l'][c]

and the pre-activation of unit t is h_t = v_t · mlp_in.l[c] + b_t, with v_t and b_t held at the prompt's values. Where a
replacement has ``cuts``, units read and write these sites, at most one a layer, in the place of mlp_in and mlp_out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int, Int32

from truescope.core.sites import Site
from truescope.models import Model
from truescope.models.frozen import FrozenRun, Skip, freeze
from truescope.trace.record import Record


@dataclass(frozen=True)
class Units:
    """The active units that read one layer, ordered by position, then index."""

    position: Int32[np.ndarray, " n"]
    index: Int32[np.ndarray, " n"]
    activation: Float32[np.ndarray, " n"]
    pre_activation: Float64[np.ndarray, " n"]
    """h of each unit, from the unmodified model's run."""


@runtime_checkable
class LocalReplacement(Protocol):
    """A replacement on one prompt: what is active, which way it looks, and what it writes."""

    def units(self, layer: int) -> Units:
        """The units with a nonzero activation that read ``mlp_in.layer``."""
        ...

    def reads(self, layer: int) -> Site:
        """The site whose value gives the units' h in any run: v · value + b, or h itself (gated neurons)."""
        ...

    def encoder(
        self, layer: int, position: Int[torch.Tensor, " n"], index: Int[torch.Tensor, " n"]
    ) -> tuple[Float[torch.Tensor, "n d_model"], Float[torch.Tensor, " n"]]:
        """The vectors v and constants b of units: h = v · mlp_in + b, whatever is not linear held at the prompt."""
        ...

    def decoder(self, layer: int, written: int, index: Int[torch.Tensor, " n"]) -> Float[torch.Tensor, "n d_model"]:
        """What one unit of activation of the units ``index`` of ``layer`` adds to the MLP's output at ``written``."""
        ...

    def writes(self, layer: int) -> range:
        """The layers that the units reading ``layer`` write to: ``layer`` alone, or also later ones (CLTs), or none."""
        ...

    def constants(self, written: int) -> Mapping[str, Float[torch.Tensor, " d_model"]]:
        """What is written at ``written`` whatever is active, by name ("mlp_out_bias")."""
        ...

    def error(self, written: int) -> Float[torch.Tensor, "pos d_model"] | None:
        """What the replacement misses of the MLP's output at ``written``; None where it is exact."""
        ...


@runtime_checkable
class Replacement(Protocol):
    """A dictionary in the MLPs' place, or in that of the sites that are cut, for any prompt."""

    @property
    def name(self) -> str:
        """How the graph calls it."""
        ...

    @property
    def after_norm(self) -> bool:
        """Whether it writes what is added to the stream, after a post-norm, instead of the MLP's own output."""
        ...

    @property
    def cuts(self) -> Mapping[int, Site]:
        """The sites that units read and write, by layer, in the place of MLPs' inputs and outputs; else empty."""
        ...

    def skips(self) -> Mapping[int, Skip]:
        """Linear maps of mlp_in.l that stay live in the backward pass, by layer; empty where there are none."""
        ...

    def local(self, record: Record) -> LocalReplacement:
        """The replacement on the prompt that was recorded."""
        ...


def frozen_with(
    model: Model, tokens: Int[torch.Tensor, " pos"], replaced: Replacement, choices: bool = False
) -> FrozenRun:
    """The model's frozen forward with whatever a replacement stands in for cut off; see `freeze`."""
    norm, cuts = replaced.after_norm, replaced.cuts
    return freeze(model, tokens, skips=replaced.skips(), after_norm=norm, choices=choices, cuts=cuts)
