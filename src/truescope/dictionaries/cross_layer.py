"""The gradients of a cross-layer transcoder: all layers at once, because later layers hear earlier features.

    ŷ_l = b_l + Σ_{g ≤ l} W_dec,g[l]ᵀ z_g,   L = Σ_l scale_l · mean ‖y_l − ŷ_l‖² / n_layers + …

With r_l the gradient at ŷ_l, group g gets [r_g, r_{g+1}, …] side by side, as its decoder rows are stored, so one call
of `gradients.backward` a group does the rest. Source: Ameisen et al., "Circuit Tracing", 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from truescope.core.errors import UsageError
from truescope.dictionaries import kernels
from truescope.dictionaries.gradients import AuxK, Branch, Weights, backward, gradient, pre_activations
from truescope.dictionaries.kernels import Codes


@dataclass(frozen=True)
class CrossLayerLoss:
    """The unexplained share of each layer, the mean auxiliary loss, and each group's code."""

    reconstruction: Float[Tensor, " n_layers"]
    auxiliary: Float[Tensor, ""]
    codes: list[Codes]


@dataclass(frozen=True)
class JumpReLU:
    """How thresholds are trained: the width of the window around a threshold, and the weight of the L0 term."""

    bandwidth: float
    l0_coefficient: float


@dataclass(frozen=True)
class _Read:
    """What one group made of its input: codes, slopes of the active entries, the window entries, the dead ones."""

    codes: Codes
    slopes: Tensor
    window: Tensor | None = None
    dead: Codes | None = None


@torch.no_grad()
def cross_layer_gradients(
    groups: Sequence[Weights],
    x: Sequence[Float[Tensor, "pos d_in"]],
    y: Sequence[Float[Tensor, "pos d"]],
    *,
    k: int | None = None,
    jump: JumpReLU | None = None,
    scales: Sequence[float] | None = None,
    aux: Sequence[AuxK | None] | None = None,
    tangent: bool = False,
) -> CrossLayerLoss:
    """Write every gradient into `.grad`. Group g's W_dec is [n_features, (n_layers − g) · d], its ``b_dec`` is b_g [d].

    ``k`` chooses TopK, ``jump`` JumpReLU; ``aux`` has one `AuxK` a group, whose residual is that of all the layers the
    group writes, held constant, as in `gradients.top_k_gradients`.
    """
    n_layers, n_positions = len(groups), x[0].shape[0]
    weigh = [scale / n_layers for scale in (scales or [1.0] * n_layers)]
    reads = [
        _read_top_k(w, v, k, None if aux is None else aux[g]) if k is not None else _read_jump(w, v, jump)
        for g, (w, v) in enumerate(zip(groups, x, strict=True))
    ]
    rebuilt = [w.b_dec.expand_as(target).clone() for w, target in zip(groups, y, strict=True)]
    for g, (weights, read) in enumerate(zip(groups, reads, strict=True)):
        for part, total in zip(_decode(weights, read.codes, n_layers - g), rebuilt[g:], strict=True):
            total += part
        if weights.W_skip is not None:
            rebuilt[g] += x[g] @ weights.W_skip.T
    residuals = [target - output for target, output in zip(y, rebuilt, strict=True)]
    d_outputs = [r * (-2 * scale / n_positions) for r, scale in zip(residuals, weigh, strict=True)]
    auxiliary = residuals[0].new_zeros(())
    for g, (weights, read) in enumerate(zip(groups, reads, strict=True)):
        extra = 0.0
        if jump is not None and read.window is not None:
            extra = (jump.l0_coefficient / n_positions) * read.window
        branches = [Branch(read.codes, read.slopes, x[g], torch.cat(d_outputs[g:], dim=1), extra=extra)]
        if aux is not None and aux[g] is not None and read.dead is not None:
            loss, branch = _auxiliary(weights, read.dead, torch.cat(residuals[g:], dim=1), aux[g], x[g])
            auxiliary += loss / n_layers
            branches.append(branch)
        d_values = backward(weights, branches, tangent=tangent)
        if jump is not None and read.window is not None:
            _threshold_gradient(weights, read, d_values, jump.l0_coefficient / n_positions)
        torch.sum(d_outputs[g], 0, out=gradient(weights.b_dec))
        if weights.W_skip is not None:
            torch.mm(d_outputs[g].T, x[g], out=gradient(weights.W_skip))
    shares = torch.stack([r.square().sum() for r in residuals]) * residuals[0].new_tensor(
        [scale * n_layers / n_positions for scale in weigh]
    )
    return CrossLayerLoss(shares, auxiliary, [read.codes for read in reads])


def _read_top_k(weights: Weights, x: Tensor, k: int, aux: AuxK | None) -> _Read:
    use_dead = aux is not None and aux.k > 0 and aux.dead.numel() > 0
    main, dead = [], []
    for block in pre_activations(weights, x):
        main.append(kernels.from_top_k(*kernels.top_k(block, k)))
        if aux is not None and use_dead:
            dead.append(kernels.from_top_k(*kernels.top_k(block, min(aux.k, aux.dead.numel()), aux.dead)))
    kept = kernels.concatenate(main)
    codes = kept.with_values(kept.values.relu())
    return _Read(codes, (kept.values > 0).to(x), dead=kernels.concatenate(dead) if use_dead else None)


def _read_jump(weights: Weights, x: Tensor, jump: JumpReLU | None) -> _Read:
    """Every entry above the lower edge of its threshold's window; see `gradients.jump_relu_gradients`."""
    if weights.log_threshold is None or jump is None:
        raise UsageError(
            "cross_layer_gradients: neither k nor thresholds are given", fix="give k, or log_threshold and jump"
        )
    threshold = weights.log_threshold.exp()
    floor = threshold - jump.bandwidth / 2
    near = kernels.concatenate([kernels.above(block, floor) for block in pre_activations(weights, x)])
    theta = threshold[near.indices]
    active = near.values > theta
    window = ((near.values - theta).abs() < jump.bandwidth / 2).to(x) / jump.bandwidth
    codes = near.with_values(torch.where(active, near.values, 0))
    return _Read(codes, active.to(x) + theta * window, window=window)


def _threshold_gradient(weights: Weights, read: _Read, d_values: Tensor, d_gate: float) -> None:
    assert weights.log_threshold is not None and read.window is not None
    theta = weights.log_threshold.exp()[read.codes.indices]
    d_theta = -read.window * (theta * d_values + d_gate)
    gradient(weights.log_threshold).zero_().index_add_(0, read.codes.indices, theta * d_theta)


def _decode(weights: Weights, codes: Codes, n_written: int) -> tuple[Tensor, ...]:
    return kernels.sparse_decode(codes, weights.W_dec).chunk(n_written, dim=1)


def _auxiliary(weights: Weights, dead: Codes, residual: Tensor, aux: AuxK | None, x: Tensor) -> tuple[Tensor, Branch]:
    assert aux is not None
    codes = dead.with_values(dead.values.relu())
    error = residual - kernels.sparse_decode(codes, weights.W_dec)
    variance = (residual - residual.mean(0)).square().sum()
    weight = torch.where(variance > 0, 1 / variance, 0)
    branch = Branch(codes, (dead.values > 0).to(x), x, error * (-2 * aux.coefficient * weight))
    return (error.square().sum() * weight).nan_to_num(nan=0.0), branch
