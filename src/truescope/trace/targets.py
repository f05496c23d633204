"""Which logits a graph explains, and the vectors that inject them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64

from truescope.core.errors import PromptError, UsageError, nearest
from truescope.models import Model
from truescope.trace.record import Record


@dataclass(frozen=True)
class Targets:
    """The logits at the last position that the graph explains, the most probable first.

    ``h`` is each one's demeaned logit, logit_i − mean logit, before a final soft-cap, from the unmodified run;
    ``vector`` and ``constant`` give it as vector · final_norm + constant.
    """

    index: Int64[np.ndarray, " n"]
    p: Float64[np.ndarray, " n"]
    h: Float64[np.ndarray, " n"]
    vector: Float[torch.Tensor, "n d_model"]
    constant: Float[torch.Tensor, " n"]


def choose_targets(
    record: Record, targets: Sequence[int | str] | None, probability: float, max_targets: int
) -> Targets:
    """The smallest set of tokens with cumulative ``probability``, at most ``max_targets``, or the chosen ``targets``.

    Raises:
        PromptError: a chosen string is not one token.
        UsageError: a chosen id is outside the vocabulary, or a number makes no sense.
    """
    if not 0 < probability <= 1 or max_targets < 1:
        raise UsageError(
            f"cannot explain {max_targets} logits with probability {probability:g}",
            fix="give a probability above 0, at most 1, and at least one logit",
        )
    p = torch.softmax(record.logits[-1].double(), -1).cpu()
    if targets is None:
        ranked = torch.argsort(p, descending=True, stable=True)[:max_targets]
        enough = int(torch.searchsorted(p[ranked].cumsum(0), probability)) + 1
        index = ranked[:enough]
    else:
        ids = list(dict.fromkeys(_token_id(record.model, target) for target in targets))
        if not ids:
            raise UsageError("no logit was chosen", fix="name at least one token, or leave targets out")
        index = torch.tensor(sorted(ids, key=lambda i: -float(p[i])))
    raw = record.raw_logits[-1].double().cpu()
    unembed = record.model.parts.unembed
    weight, bias = unembed.weight.detach(), getattr(unembed, "bias", None)
    chosen = index.to(weight.device)
    vector = weight[chosen] - weight.mean(0)
    constant = vector.new_zeros(len(index)) if bias is None else bias.detach()[chosen] - bias.detach().mean()
    return Targets(index.numpy(), p[index].numpy(), (raw[index] - raw.mean()).numpy(), vector, constant)


def _token_id(model: Model, target: int | str) -> int:
    if not isinstance(target, str):
        if not 0 <= target < model.n_vocab:
            raise UsageError(
                f"token id {target} has no logit", why=f"{model.name!r} has logits for the ids 0 to {model.n_vocab - 1}"
            )
        return int(target)
    if model.tokenizer is None:
        raise PromptError(
            f"{target!r} cannot be read as a token: {model.name!r} has no tokenizer", fix="choose targets by their ids"
        )
    ids = model.tokenizer.encode(target, add_special_tokens=False)
    unknown = getattr(model.tokenizer, "unk_token_id", None)
    if len(ids) == 1 and (ids[0] != unknown or target == model.tokenizer.unk_token):
        return int(ids[0])
    known = {string: i for i, string in reversed(list(enumerate(model.token_strings(range(model.n_vocab)))))}
    if target in known:
        return known[target]
    raise PromptError(
        f"{target!r} is not one token",
        why=f"the tokenizer reads it as {model.token_strings(ids)}",
        fix=nearest(target, known) or "choose a single token, or its id",
    )
