"""Direct logit effects: what a neuron writes, read by the unembedding, with nothing in between."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import nn

from truescope.core.features import Feature
from truescope.explain.reading import check_neurons
from truescope.models import Model

TokenEffects = tuple[tuple[str, float], ...]


def direct_effects(model: Model, features: Sequence[Feature]) -> Float[torch.Tensor, "n_features vocab"]:
    """The demeaned logits that one unit of each neuron's activation adds through the residual stream alone.

    With d the neuron's column of the down-projection, g the gain of the norm on what the MLP adds (1 where a family has
    none) and G the gain of the final norm (1 + w where the family stores w so),

        e = W_U (G ⊙ C (g ⊙ d)),    e ← e − mean over the vocabulary,

    where C subtracts the mean over d_model if the final norm is a LayerNorm and is the identity otherwise. The norms'
    denominators, which depend on the prompt and are positive, are left out: the order of tokens is right, their size is
    up to one positive factor a prompt. A final soft-cap is left out too.

    Raises:
        UsageError: the model has no such neuron.
    """
    check_neurons(model, features)
    writes = _writes(model, features)
    if model.family.norm == "layer":
        writes = writes - writes.mean(dim=1, keepdim=True)
    writes = writes * _gain(model, model.parts.final_norm)
    unembed = model.parts.unembed.get_parameter("weight").detach().float()
    # W_U is centred over the vocabulary in place of the larger result.
    return writes @ (unembed - unembed.mean(dim=0)).T


def token_effects(
    model: Model, features: Sequence[Feature], *, n_tokens: int = 8, batch: int = 512
) -> list[tuple[TokenEffects, TokenEffects]]:
    """For each neuron, the ``n_tokens`` tokens it promotes and suppresses most, each as (token, direct effect).

    Promoted tokens have the largest effects first, suppressed ones the smallest first; see `direct_effects`.
    """
    result: list[tuple[TokenEffects, TokenEffects]] = []
    k = min(n_tokens, model.n_vocab)
    for start in range(0, len(features), batch):
        effects = direct_effects(model, features[start : start + batch])
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


def _writes(model: Model, features: Sequence[Feature]) -> Float[torch.Tensor, "n_features d_model"]:
    rows = torch.empty(len(features), model.d_model, device=model.device)
    for layer in sorted({feature.layer for feature in features}):
        here = [i for i, feature in enumerate(features) if feature.layer == layer]
        index = torch.tensor([features[i].index for i in here], device=model.device)
        down = model.parts.down(layer)
        weight = down.get_parameter("weight").detach()
        # nn.Linear stores [d_model, n_neurons], GPT-2's Conv1D [n_neurons, d_model].
        written = (weight[:, index].T if isinstance(down, nn.Linear) else weight[index]).float()
        norm = model.parts.mlp_out_norm(layer)
        rows[here] = (written if norm is None else written * _gain(model, norm)).to(rows.device)
    return rows


def _gain(model: Model, norm: nn.Module) -> Float[torch.Tensor, " d_model"]:
    weight = norm.get_parameter("weight").detach().float()
    return 1.0 + weight if model.family.norm == "rms_plus_one" else weight
