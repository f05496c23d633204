"""The sparse dictionary inside an autograd graph: what a closed-loop loss needs, with the kernels' cost.

    y = f(W_enc x + b_enc) W_dec,   f = ReLU ∘ TopK_k, or p · 1[p > θ] with θ held

The gradients reach x, W_enc, b_enc and W_dec through the kept entries only, as dense autograd's would.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from truescope.dictionaries import kernels
from truescope.dictionaries.gradients import Weights, pre_activations


class _Sparse(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, k: int, theta: Tensor | None
    ) -> Tensor:
        parts = []
        for block in pre_activations(Weights(W_enc, b_enc, W_dec, W_dec[0]), x):
            parts.append(kernels.from_top_k(*kernels.top_k(block, k)) if theta is None else kernels.above(block, theta))
        kept = kernels.concatenate(parts)
        codes = kept.with_values(kept.values.relu() if theta is None else kept.values)
        slopes = (kept.values > 0).to(x) if theta is None else torch.ones_like(kept.values)
        ctx.save_for_backward(x, W_enc, W_dec, slopes)
        ctx.codes = codes
        return kernels.sparse_decode(codes, W_dec)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, W_enc, W_dec, slopes = ctx.saved_tensors
        (d_output,) = grads
        order = kernels.by_feature(ctx.codes, W_enc.shape[0])
        d_W_dec, d_W_enc, d_b_enc = torch.zeros_like(W_dec), torch.zeros_like(W_enc), W_enc.new_zeros(W_enc.shape[0])
        d_pre = kernels.decoder_backward(ctx.codes, order, d_output, W_dec, d_weight=d_W_dec) * slopes
        kernels.encoder_backward(order, d_pre, x.detach(), d_weight=d_W_enc, d_bias=d_b_enc)
        d_x = kernels.sparse_decode(ctx.codes.with_values(d_pre), W_enc.detach())
        return d_x, d_W_enc, d_b_enc, d_W_dec, None, None


def sparse_map(
    x: Float[Tensor, "pos d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, " n_features"],
    W_dec: Float[Tensor, "n_features d_out"],
    *,
    k: int | None = None,
    threshold: Float[Tensor, " n_features"] | None = None,
) -> Float[Tensor, "pos d_out"]:
    """f(W_enc x + b_enc) W_dec with gradients; ``k`` for TopK, ``threshold`` for JumpReLU."""
    return _Sparse.apply(x, W_enc, b_enc, W_dec, k or 0, threshold)  # type: ignore[return-value]
