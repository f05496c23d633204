"""The model with every MLP replaced at once: each reconstruction reads what the earlier ones made of the stream.

At the positions that dictionaries are not trained on (the special tokens that come first, padding) the model's own
MLPs stay: a first token's activations are one constant of the model. No error terms are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from truescope.activations import Batch
from truescope.core.sites import Site
from truescope.models import Model
from truescope.models.passes import Pass


@runtime_checkable
class Writer(Protocol):
    """What stands in for the MLPs; a `Dictionary` is one, and so is a `Learner`."""

    @property
    def reads(self) -> tuple[Site, ...]:
        """The sites that are read."""
        ...

    @property
    def b_dec(self) -> Mapping[Site, Tensor]:
        """The constant at each written site."""
        ...

    def write(self, site: Site, x: Tensor) -> dict[Site, Tensor]:
        """What is added at each written site."""
        ...


def replaced_logits(model: Model, writer: Writer, batch: Batch, *, everywhere: bool = False) -> Float[Tensor, "b p v"]:
    """The logits with every site that ``writer`` writes set to its reconstruction, in one forward pass.

    ``everywhere`` replaces at special tokens too. Gradients flow to the writer and through the model if enabled.
    """
    n_batch, n_pos = batch.tokens.shape
    where = batch.mask if everywhere else batch.harvested
    run = Pass(model.parts, n_batch, n_pos)
    sums: dict[Site, Tensor] = {}

    def read(site: Site, value: Tensor) -> Tensor:
        for written, part in writer.write(site, value[where]).items():
            sums[written] = sums[written] + part if written in sums else part
        return value

    def write(site: Site, value: Tensor) -> Tensor:
        new = (sums.pop(site) + writer.b_dec[site]).to(value)
        return value.masked_scatter(where[..., None].expand_as(value), new)

    for site in writer.reads:
        run.operations.setdefault(site, []).append(lambda value, site=site: read(site, value))
    for site in writer.b_dec:
        run.operations.setdefault(site, []).append(lambda value, site=site: write(site, value))
    with model.lock, run.active():
        return model.hf(**model.inputs(batch.tokens, batch.mask)).logits


def closed_loop_loss(model: Model, writer: Writer, batch: Batch) -> Float[Tensor, ""]:
    """The mean KL(model ‖ replaced) in nats over the harvested positions, as a graph over the writer's weights."""
    with torch.no_grad():
        target = _log_probabilities(model.run(batch.tokens, mask=batch.mask).logits[batch.harvested])
    with torch.enable_grad():
        found = _log_probabilities(replaced_logits(model, writer, batch)[batch.harvested])
        return F.kl_div(found, target, log_target=True, reduction="sum") / len(target)


@torch.no_grad()
def ce_delta(
    model: Model, writer: Writer, batches: Iterable[Batch], *, everywhere: bool = False
) -> tuple[float, float, int]:
    """(loss with every MLP replaced − loss of the model, loss of the model) in nats a token, and how many tokens.

    The loss is the cross-entropy of each next token, over all tokens after the first.
    """
    own, replaced, n_tokens = 0.0, 0.0, 0
    for batch in batches:
        counted = batch.mask[:, 1:]
        target = batch.tokens[:, 1:][counted]
        clean = model.run(batch.tokens, mask=batch.mask).logits
        spliced = replaced_logits(model, writer, batch, everywhere=everywhere)
        own += _cross_entropy(clean, counted, target)
        replaced += _cross_entropy(spliced, counted, target)
        n_tokens += len(target)
    return (replaced - own) / n_tokens, own / n_tokens, n_tokens


def _log_probabilities(logits: Tensor) -> Tensor:
    return F.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=-1)


def _cross_entropy(logits: Tensor, counted: Bool[Tensor, "b p"], target: Tensor) -> float:
    return float(F.cross_entropy(logits[:, :-1][counted].double(), target, reduction="sum"))
