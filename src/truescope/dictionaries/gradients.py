"""The loss of a batch and its gradients, for TopK (with AuxK) and JumpReLU dictionaries, without autograd.

    p = W_enc x + b_enc            one dense product, by blocks of positions
    ŷ = W_decᵀ f(p) + b_dec (+ W_skip x)
    L = scale · mean ‖y − ŷ‖² + …  `scale` = 1 / mean ‖y − mean y‖² makes the first term the unexplained variance

y = x for an autoencoder. The gradients land in `.grad` of the weights, whose storage is kept from step to step; any
torch optimiser can take them from there. `Branch` and `backward` are all a dictionary of another shape needs: a
cross-layer transcoder decodes into several layers, sums the residuals' gradients, and calls `backward` a layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.errors import UsageError
from truescope.dictionaries import kernels
from truescope.dictionaries.kernels import Codes

BLOCK_ENTRIES = 1 << 22
"""Pre-activations held at once (16 MiB in float32): they are used up while they are still in the cache."""


@dataclass(frozen=True)
class Weights:
    """The parameters of one dictionary. `centred` says that the encoder reads x − b_dec (autoencoders only).

    d_written is d_out, except in the groups of a cross-layer transcoder, which hold the constant of their own layer.
    """

    W_enc: Float[Tensor, "n_features d_in"]
    b_enc: Float[Tensor, " n_features"]
    W_dec: Float[Tensor, "n_features d_out"]
    b_dec: Float[Tensor, " d_written"]
    W_skip: Float[Tensor, "d_written d_in"] | None = None
    log_threshold: Float[Tensor, " n_features"] | None = None
    centred: bool = False

    def tensors(self) -> list[Tensor]:
        """What an optimiser trains."""
        every = (self.W_enc, self.b_enc, self.W_dec, self.b_dec, self.W_skip, self.log_threshold)
        return [tensor for tensor in every if tensor is not None]


@dataclass(frozen=True)
class Branch:
    """Kept entries on the way back: `codes` hold the values z = f(p), and dL/dp = slopes · dL/dz + extra."""

    codes: Codes
    slopes: Float[Tensor, " kept"]
    inputs: Float[Tensor, "pos d_in"]
    d_output: Float[Tensor, "pos d_out"]
    extra: float | Float[Tensor, " kept"] = 0.0


@dataclass(frozen=True)
class StepLoss:
    """The parts of the loss before their coefficients, and the code of the batch."""

    reconstruction: Float[Tensor, ""]
    auxiliary: Float[Tensor, ""]
    codes: Codes


@dataclass(frozen=True)
class AuxK:
    """Rebuild the residual from dead features: the `k` largest pre-activations among `dead` (ascending) a position."""

    dead: Int[Tensor, " dead"]
    k: int
    coefficient: float = 1 / 32


def gradient(parameter: Tensor) -> Tensor:
    """The storage of a parameter's gradient, made on first use; its old content means nothing."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def pre_activations(weights: Weights, inputs: Float[Tensor, "pos d_in"]) -> Iterator[Float[Tensor, "block n_features"]]:
    """W_enc x + b_enc for one block of positions after the other, each in the storage of the one before."""
    n_features = weights.b_enc.numel()
    rows = max(1, min(inputs.shape[0], BLOCK_ENTRIES // n_features))
    storage = inputs.new_empty(rows, n_features)
    for block in inputs.split(rows):
        yield torch.addmm(weights.b_enc, block, weights.W_enc.T, out=storage[: block.shape[0]])


def backward(weights: Weights, branches: Sequence[Branch], *, tangent: bool = False) -> Float[Tensor, " kept"]:
    """Write the gradients of W_dec, W_enc and b_enc; return dL/dz of the branches' entries, one after the other."""
    codes = kernels.concatenate([branch.codes for branch in branches])
    inputs = torch.cat([branch.inputs for branch in branches])
    d_output = torch.cat([branch.d_output for branch in branches])
    order = kernels.by_feature(codes, weights.b_enc.numel())
    d_values = kernels.decoder_backward(
        codes, order, d_output, weights.W_dec, d_weight=gradient(weights.W_dec), tangent=tangent
    )
    kept = [branch.codes.indices.numel() for branch in branches]
    d_pre = torch.cat(
        [part * branch.slopes + branch.extra for part, branch in zip(d_values.split(kept), branches, strict=True)]
    )
    kernels.encoder_backward(order, d_pre, inputs, d_weight=gradient(weights.W_enc), d_bias=gradient(weights.b_enc))
    return d_values


@torch.no_grad()
def top_k_gradients(
    weights: Weights,
    x: Float[Tensor, "pos d_in"],
    y: Float[Tensor, "pos d_out"],
    k: int,
    *,
    scale: float = 1.0,
    aux: AuxK | None = None,
    tangent: bool = False,
) -> StepLoss:
    """z = ReLU(TopK(p)), and with `aux` + coefficient · ‖e − ê‖² / ‖e − mean e‖², where ê is decoded from `aux`.

    The residual e is held constant in the auxiliary term; its gradient reaches the decoder and the encoder of the
    dead features. Where the residual has no variance the term is zero.
    """
    inputs = x - weights.b_dec if weights.centred else x
    main, dead = _encode_top_k(weights, inputs, k, aux)
    codes = main.with_values(main.values.relu())
    residual = y - _output(weights, codes, x)
    d_output = residual * (-2 * scale / x.shape[0])
    branches = [Branch(codes, (main.values > 0).to(x), inputs, d_output)]
    auxiliary = residual.new_zeros(())
    if aux is not None and dead is not None:
        dead_codes = dead.with_values(dead.values.relu())
        error = residual - kernels.sparse_decode(dead_codes, weights.W_dec)
        variance = (residual - residual.mean(0)).square_().sum()
        weight = torch.where(variance > 0, 1 / variance, 0)
        auxiliary = (error.square().sum() * weight).nan_to_num(nan=0.0)
        d_error = error * (-2 * aux.coefficient * weight)
        branches.append(Branch(dead_codes, (dead.values > 0).to(x), inputs, d_error))
    backward(weights, branches, tangent=tangent)
    _outer_gradients(weights, x, d_output)
    return StepLoss(residual.square().sum() * (scale / x.shape[0]), auxiliary, codes)


@torch.no_grad()
def jump_relu_gradients(
    weights: Weights,
    x: Float[Tensor, "pos d_in"],
    y: Float[Tensor, "pos d_out"],
    *,
    bandwidth: float,
    l0_coefficient: float = 0.0,
    scale: float = 1.0,
    tangent: bool = False,
) -> StepLoss:
    """z = p · H(p − θ), θ = exp(log_threshold); the auxiliary loss is L0, the mean number of active features.

    The step H has no useful derivative, so a rectangle of width ε = `bandwidth` stands in for its jump, and every
    entry within ε/2 of its threshold takes part, active or not: with K = 1[|p − θ| < ε/2] / ε,

        dz/dp = H + θ K,   dz/dθ = −θ K,   dH/dp = K,   dH/dθ = −K

    What is trained is t = log θ, so both derivatives by θ are times dθ/dt = θ once more: dz/dt = −θ² K, dH/dt = −θ K.
    Averaged over many p these are the derivatives of the loss itself: docs/decisions/0013.
    """
    if weights.log_threshold is None:
        raise UsageError(
            "jump_relu_gradients: these weights have no log_threshold",
            why="every feature of a JumpReLU dictionary has a threshold θ = exp(log_threshold)",
            fix="give Weights a log_threshold [n_features], or use top_k_gradients",
        )
    threshold = weights.log_threshold.exp()
    inputs = x - weights.b_dec if weights.centred else x
    floor = threshold - bandwidth / 2
    near = kernels.concatenate([kernels.above(block, floor) for block in pre_activations(weights, inputs)])
    theta = threshold[near.indices]
    active = near.values > theta
    window = ((near.values - theta).abs() < bandwidth / 2).to(x) / bandwidth
    codes = near.with_values(torch.where(active, near.values, 0))
    residual = y - _output(weights, codes, x)
    d_output = residual * (-2 * scale / x.shape[0])
    d_gate = l0_coefficient / x.shape[0]
    branch = Branch(codes, active.to(x) + theta * window, inputs, d_output, extra=d_gate * window)
    d_values = backward(weights, [branch], tangent=tangent)
    d_theta = -window * (theta * d_values + d_gate)
    gradient(weights.log_threshold).zero_().index_add_(0, near.indices, theta * d_theta)
    _outer_gradients(weights, x, d_output)
    return StepLoss(residual.square().sum() * (scale / x.shape[0]), active.to(x).sum() / x.shape[0], codes)


def _encode_top_k(weights: Weights, inputs: Tensor, k: int, aux: AuxK | None) -> tuple[Codes, Codes | None]:
    """The kept pre-activations, and those of the dead features (None where there are none)."""
    use_dead = aux is not None and aux.dead.numel() > 0 and aux.k > 0
    main, dead = [], []
    for block in pre_activations(weights, inputs):
        main.append(kernels.from_top_k(*kernels.top_k(block, k)))
        if aux is not None and use_dead:
            dead.append(kernels.from_top_k(*kernels.top_k(block, min(aux.k, aux.dead.numel()), aux.dead)))
    return kernels.concatenate(main), kernels.concatenate(dead) if use_dead else None


def _output(weights: Weights, codes: Codes, x: Tensor) -> Tensor:
    output = kernels.sparse_decode(codes, weights.W_dec).add_(weights.b_dec)
    return output if weights.W_skip is None else output.addmm_(x, weights.W_skip.T)


def _outer_gradients(weights: Weights, x: Tensor, d_output: Tensor) -> None:
    """The gradients outside the features: of b_dec, also through a centred encoder, and of the skip connection."""
    d_bias = torch.sum(d_output, 0, out=gradient(weights.b_dec))
    if weights.centred:
        d_bias -= gradient(weights.b_enc) @ weights.W_enc
    if weights.W_skip is not None:
        torch.mm(d_output.T, x, out=gradient(weights.W_skip))
