"""The cross-layer gradients, and the sparse map inside autograd, against dense autograd in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from truescope.dictionaries.cross_layer import JumpReLU, cross_layer_gradients
from truescope.dictionaries.differentiable import sparse_map
from truescope.dictionaries.gradients import AuxK, Weights

N, D, LAYERS, B, K = 18, 5, 3, 30, 4


def groups(jump: bool = False, skip: bool = True) -> list[Weights]:
    g = torch.Generator().manual_seed(4)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    return [
        Weights(
            draw(N, D),
            draw(N),
            draw(N, D * (LAYERS - layer)),
            draw(D),
            draw(D, D) if skip else None,
            log_threshold=draw(N) * 0.3 if jump else None,
        )
        for layer in range(LAYERS)
    ]


def data() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    g = torch.Generator().manual_seed(5)
    x = [torch.randn(B, D, generator=g, dtype=torch.float64) for _ in range(LAYERS)]
    y = [torch.randn(B, D, generator=g, dtype=torch.float64) for _ in range(LAYERS)]
    return x, y


def copies(weights: list[Weights]) -> list[Weights]:
    def leaf(tensor: torch.Tensor | None) -> Any:
        return None if tensor is None else tensor.clone().requires_grad_()

    return [
        Weights(leaf(w.W_enc), leaf(w.b_enc), leaf(w.W_dec), leaf(w.b_dec), leaf(w.W_skip), leaf(w.log_threshold))
        for w in weights
    ]


def total(weights: list[Weights], codes: list[torch.Tensor], x: list[torch.Tensor]) -> list[torch.Tensor]:
    out = [w.b_dec + (0 if w.W_skip is None else v @ w.W_skip.T) for w, v in zip(weights, x, strict=True)]
    for g, (w, z) in enumerate(zip(weights, codes, strict=True)):
        for at, layer in enumerate(range(g, LAYERS)):
            out[layer] = out[layer] + z @ w.W_dec[:, at * D : (at + 1) * D]
    return out


def top(p: torch.Tensor, k: int, among: torch.Tensor | None = None) -> torch.Tensor:
    seen = p.detach().clone()
    if among is not None:
        hidden = torch.ones(p.shape[1], dtype=torch.bool)
        hidden[among] = False
        seen[:, hidden] = -torch.inf
    return p.relu() * torch.zeros_like(p).scatter_(1, seen.topk(k).indices, 1)


def assert_same(found: list[Weights], dense: list[Weights]) -> None:
    for ours, theirs in zip(found, dense, strict=True):
        for mine, reference in zip(ours.tensors(), theirs.tensors(), strict=True):
            torch.testing.assert_close(mine.grad, reference.grad, rtol=1e-10, atol=1e-12)


def test_top_k_with_aux() -> None:
    found, (x, y) = groups(), data()
    dense = copies(found)
    dead = torch.tensor([1, 2, 5, 9, 17])
    aux = [AuxK(dead, 3, 0.1), None, AuxK(dead[1:], 2, 0.2)]
    scales = [1.0, 0.5, 2.0]
    loss = cross_layer_gradients(found, x, y, k=K, scales=scales, aux=aux)
    pre = [v @ w.W_enc.T + w.b_enc for w, v in zip(dense, x, strict=True)]
    out = total(dense, [top(p, K) for p in pre], x)
    shares = [s * (t - o).square().sum(1).mean() for s, t, o in zip(scales, y, out, strict=True)]
    whole = torch.stack(shares).mean()
    for g, a in enumerate(aux):
        if a is not None:
            e = torch.cat([t - o for t, o in zip(y, out, strict=True)][g:], dim=1).detach()
            error = e - top(pre[g], a.k, a.dead) @ dense[g].W_dec
            whole = whole + a.coefficient * error.square().sum() / (e - e.mean(0)).square().sum()
    whole.backward()
    torch.testing.assert_close(loss.reconstruction, torch.stack(shares).detach())
    assert_same(found, dense)


def test_jump_relu() -> None:
    found, (x, y) = groups(jump=True), data()
    dense = copies(found)
    jump = JumpReLU(bandwidth=0.4, l0_coefficient=0.3)
    cross_layer_gradients(found, x, y, jump=jump)

    codes, sparsity = [], torch.zeros((), dtype=torch.float64)
    for w, v in zip(dense, x, strict=True):
        z, gate = _Step.apply(v @ w.W_enc.T + w.b_enc, w.log_threshold, jump.bandwidth)
        codes.append(z)
        sparsity = sparsity + gate.sum(1).mean()
    out = total(dense, codes, x)
    whole = torch.stack([(t - o).square().sum(1).mean() for t, o in zip(y, out, strict=True)]).mean()
    (whole + jump.l0_coefficient * sparsity).backward()
    assert_same(found, dense)


class _Step(torch.autograd.Function):
    """The code z and the gate H with the pseudo-derivatives that `gradients.jump_relu_gradients` states."""

    @staticmethod
    def forward(ctx, p: torch.Tensor, t: torch.Tensor, width: float) -> tuple[torch.Tensor, torch.Tensor]:
        theta = t.exp()
        window = ((p - theta).abs() < width / 2).to(p) / width
        gate = (p > theta).to(p)
        ctx.save_for_backward(gate, window, theta)
        return p * gate, gate

    @staticmethod
    def backward(ctx, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        gate, window, theta = ctx.saved_tensors
        d_z, d_gate = grads
        d_theta = -window * (theta * d_z + d_gate)
        return d_z * (gate + theta * window) + d_gate * window, (theta * d_theta).sum(0), None


def test_a_tangent_gradient_is_across_its_row() -> None:
    found, (x, y) = groups(), data()
    cross_layer_gradients(found, x, y, k=K, tangent=True)
    for w in found:
        assert w.W_dec.grad is not None and float(w.W_dec.grad.norm()) > 0
        torch.testing.assert_close((w.W_dec * w.W_dec.grad).sum(1), torch.zeros(N, dtype=torch.float64))


@pytest.mark.parametrize("jump", [False, True])
def test_the_sparse_map_has_dense_autograds_gradients(jump: bool) -> None:
    w = groups()[0]
    (x, *_), theta = data()[0], torch.rand(N, dtype=torch.float64) if jump else None
    ours = [t.clone().requires_grad_() for t in (x, w.W_enc, w.b_enc, w.W_dec)]
    theirs = [t.detach().clone().requires_grad_() for t in ours]
    found = sparse_map(*ours, k=None if jump else K, threshold=theta)
    p = theirs[0] @ theirs[1].T + theirs[2]
    z = torch.where(p > theta, p, 0) if theta is not None else top(p, K)
    expected = z @ theirs[3]
    torch.testing.assert_close(found, expected)
    (found.sin().sum()).backward()
    (expected.sin().sum()).backward()
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, reference.grad)
