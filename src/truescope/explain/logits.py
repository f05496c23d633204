"""Direct logit effects: what a unit writes, read by the unembedding, with nothing in between."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float

from truescope.core.features import Feature
from truescope.explain.units import UnitSet, gain

TokenEffects = tuple[tuple[str, float], ...]


def direct_effects(units: UnitSet, features: Sequence[Feature]) -> Float[torch.Tensor, "n_features vocab"]:
    """The demeaned logits that one unit of each feature's activation adds through the residual stream alone.

    With d what it writes (a neuron's column of the down-projection; a feature's decoder rows, summed over the layers
    they write), g the gain of the norm on what the MLP adds (1 where a family has none, and for dictionaries) and G
    the gain of the final norm (1 + w where the family stores w so),

        e = W_U (G ⊙ C (g ⊙ d)),    e ← e − mean over the vocabulary,

    where C subtracts the mean over d_model if the final norm is a LayerNorm and is the identity otherwise. The norms'
    denominators, which depend on the prompt and are positive, are left out: the order of tokens is right, their size is
    up to one positive factor a prompt. A final soft-cap is left out too.

    Raises:
        UsageError: there is no such unit.
    """
    model = units.model
    units.check(features)
    writes = units.writes(features)
    if model.family.norm == "layer":
        writes = writes - writes.mean(dim=1, keepdim=True)
    writes = writes * gain(model, model.parts.final_norm)
    unembed = model.parts.unembed.get_parameter("weight").detach().float()
    # W_U is centred over the vocabulary in place of the larger result.
    return writes @ (unembed - unembed.mean(dim=0)).T


def token_effects(
    units: UnitSet, features: Sequence[Feature], *, n_tokens: int = 8, batch: int = 512
) -> list[tuple[TokenEffects, TokenEffects]]:
    """For each feature, the ``n_tokens`` tokens it promotes and suppresses most, each as (token, direct effect).

    Promoted tokens have the largest effects first, suppressed ones the smallest first; see `direct_effects`.
    """
    result: list[tuple[TokenEffects, TokenEffects]] = []
    model = units.model
    k = min(n_tokens, model.n_vocab)
    for start in range(0, len(features), batch):
        effects = direct_effects(units, features[start : start + batch])
        (high, top), (low, bottom) = effects.topk(k), effects.topk(k, largest=False)
        for row in range(len(effects)):
            promoted, suppressed = model.token_strings(top[row]), model.token_strings(bottom[row])
            result.append(
                (
                    tuple(zip(promoted, high[row].tolist(), strict=True)),
                    tuple(zip(suppressed, low[row].tolist(), strict=True)),
                )
            )
    return result
