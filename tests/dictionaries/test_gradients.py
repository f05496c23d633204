"""The gradients of a training step against dense autograd in float64."""

from __future__ import annotations

import math
from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch.utils._python_dispatch import TorchDispatchMode

from truescope.core.errors import UsageError
from truescope.dictionaries import gradients, kernels
from truescope.dictionaries.gradients import AuxK, Branch, Weights


def make(n_features=24, d_in=6, d_out=6, *, skip=False, seed=0, dtype=torch.float64, shift=0.0, **extra) -> Weights:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    W_skip = draw(d_out, d_in) if skip else None
    return Weights(
        draw(n_features, d_in), draw(n_features) + shift, draw(n_features, d_out), draw(d_out), W_skip, **extra
    )


def batch(n_positions=40, d_in=6, d_out=6, dtype=torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(n_positions, d_in, generator=generator, dtype=torch.float64)
    y = torch.randn(n_positions, d_out, generator=generator, dtype=torch.float64)
    return x.to(dtype), y.to(dtype)


def as_dense(weights: Weights) -> Weights:
    """A float64 copy that autograd differentiates."""
    fields = {
        name: value.detach().double().clone().requires_grad_()
        for name, value in vars(weights).items()
        if isinstance(value, torch.Tensor)
    }
    return replace(weights, **fields)


def dense_output(w: Weights, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    output = z @ w.W_dec + w.b_dec
    return output if w.W_skip is None else output + x @ w.W_skip.T


def dense_pre(w: Weights, x: torch.Tensor) -> torch.Tensor:
    return (x - w.b_dec if w.centred else x) @ w.W_enc.T + w.b_enc


def only_top(pre: torch.Tensor, k: int, columns: torch.Tensor | None = None) -> torch.Tensor:
    masked = pre.detach().clone()
    if columns is not None:
        masked[:] = -torch.inf
        masked[:, columns] = pre.detach()[:, columns]
    kept = torch.zeros_like(pre).scatter_(1, masked.topk(k).indices, 1)
    return pre.relu() * kept


def dense_top_k_loss(w: Weights, x, y, k, scale, aux: AuxK | None) -> torch.Tensor:
    """The definition, written with B × n matrices."""
    x, y = x.double(), y.double()
    pre = dense_pre(w, x)
    residual = y - dense_output(w, only_top(pre, k), x)
    loss = scale * residual.square().sum(1).mean()
    if aux is not None and aux.dead.numel():
        e = residual.detach()
        rebuilt = only_top(pre, min(aux.k, aux.dead.numel()), aux.dead) @ w.W_dec
        auxiliary = (e - rebuilt).square().sum() / (e - e.mean(0)).square().sum()
        loss = loss + aux.coefficient * auxiliary.nan_to_num()
    return loss


def assert_same_gradients(found: Weights, dense: Weights, bound: float) -> None:
    for ours, reference in zip(found.tensors(), dense.tensors(), strict=True):
        expected = torch.zeros_like(reference) if reference.grad is None else reference.grad
        assert ours.grad is not None
        error = float((ours.grad.double() - expected).norm())
        assert error <= bound * float(expected.norm()) + 1e-14


def check(weights: Weights, x, y, k, aux=None, bound=1e-12, scale=0.7) -> None:
    dense = as_dense(weights)
    expected = dense_top_k_loss(dense, x, y, k, scale, aux)
    expected.backward()
    found = gradients.top_k_gradients(weights, x, y, k, scale=scale, aux=aux)
    total = found.reconstruction + (0 if aux is None else aux.coefficient) * found.auxiliary
    assert float(total) == pytest.approx(expected.item(), rel=max(bound, 1e-9))
    assert_same_gradients(weights, dense, bound)


DEAD = torch.arange(1, 24, 2)


@pytest.mark.parametrize("aux", [None, AuxK(DEAD, 5), AuxK(DEAD, 500), AuxK(DEAD[:0], 5), AuxK(torch.arange(24), 5)])
@pytest.mark.parametrize("k", [1, 4, 24])
@pytest.mark.parametrize("shift", [0.0, -4.0], ids=["", "few-positive"])
def test_autoencoder(k, aux, shift):
    x, _ = batch()
    check(make(shift=shift), x, x, k, aux)


@pytest.mark.parametrize("aux", [None, AuxK(DEAD, 5, coefficient=1.0)])
@pytest.mark.parametrize("kind", ["centred", "transcoder", "skip"])
def test_other_shapes(kind, aux):
    d_out = 6 if kind == "centred" else 9
    x, y = batch(d_out=d_out)
    weights = make(d_out=d_out, skip=kind == "skip", centred=kind == "centred")
    check(weights, x, x if kind == "centred" else y, 4, aux)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_shape(data):
    n_features, d, n_positions = (data.draw(st.integers(1, top)) for top in (30, 8, 12))
    dead = torch.tensor(data.draw(st.lists(st.integers(0, n_features - 1), unique=True).map(sorted)), dtype=torch.int64)
    x, y = batch(n_positions, d, d)
    aux = AuxK(dead, data.draw(st.integers(1, 9)))
    if n_positions == 1:  # one position has no variance: the definition's 0 / 0
        aux = None
    check(make(n_features, d, d), x, y, data.draw(st.integers(1, n_features)), aux)


@pytest.mark.parametrize("path", ["compiled", "plain"])
def test_float32_is_within_a_millionth_of_float64(path, monkeypatch):
    if path == "plain":
        monkeypatch.setattr(kernels, "_use_compiled", lambda tensor: False)
    x, y = batch(64, 32, 32, torch.float32)
    aux = AuxK(torch.arange(0, 256, 2), 16)
    check(make(256, 32, 32, dtype=torch.float32), x, y, 8, aux, bound=1e-6)


def test_blocks_of_positions_change_nothing_and_no_batch_by_feature_buffer_is_made(monkeypatch):
    monkeypatch.setattr(gradients, "BLOCK_ENTRIES", 3 * 500)
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            nonlocal largest
            result = function(*arguments, **(keywords or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.numel())
            return result

    x, _ = batch(64)
    aux = AuxK(torch.arange(0, 500, 2), 3)
    with Watch():
        gradients.top_k_gradients(make(500), x, x, 4, aux=aux)
    assert largest <= 500 * 6 < 64 * 500
    check(make(500), x, x, 4, aux)


def test_auxk_trains_the_encoder_of_the_dead():
    x, _ = batch()
    weights = make()
    gradients.top_k_gradients(weights, x, x, 1)
    fired = gradients.gradient(weights.W_enc).norm(dim=1) > 0
    dead = (~fired).nonzero().squeeze(1)
    assert dead.numel() > 3
    gradients.top_k_gradients(weights, x, x, 1, aux=AuxK(dead, 4))
    assert bool((gradients.gradient(weights.W_enc)[dead].norm(dim=1) > 0).any())


def test_auxk_without_variance_in_the_residual_is_zero():
    x, _ = batch(1)
    weights = make()
    found = gradients.top_k_gradients(weights, x, x, 2, aux=AuxK(DEAD, 4))
    assert float(found.auxiliary) == 0
    assert all(tensor.grad is not None and tensor.grad.isfinite().all() for tensor in weights.tensors())


def test_gradient_storage_is_kept():
    x, _ = batch()
    weights = make()
    gradients.top_k_gradients(weights, x, x, 2)
    before = [gradients.gradient(tensor).data_ptr() for tensor in weights.tensors()]
    gradients.top_k_gradients(weights, 2 * x, 2 * x, 2)
    assert before == [gradients.gradient(tensor).data_ptr() for tensor in weights.tensors()]
    check(weights, x, x, 2)


class Step(torch.autograd.Function):
    """H(p − θ) with the rectangle in place of its derivative, in p and in t = log θ."""

    @staticmethod
    def forward(ctx, p, t, width):
        ctx.save_for_backward(p, t)
        ctx.width = width
        return (p > t.exp()).to(p)

    @staticmethod
    def backward(ctx, *arriving):
        p, t = ctx.saved_tensors
        rectangle = ((p - t.exp()).abs() < ctx.width / 2).to(p) / ctx.width
        return arriving[0] * rectangle, -(arriving[0] * rectangle * t.exp()).sum(0), None


class JumpReLU(torch.autograd.Function):
    """p · H(p − θ) with dz/dp = H + θ K and dz/dt = θ · dz/dθ = −θ² K."""

    @staticmethod
    def forward(ctx, p, t, width):
        ctx.save_for_backward(p, t)
        ctx.width = width
        return p * (p > t.exp())

    @staticmethod
    def backward(ctx, *arriving):
        p, t = ctx.saved_tensors
        theta = t.exp()
        jump = theta * ((p - theta).abs() < ctx.width / 2) / ctx.width
        return arriving[0] * ((p > theta) + jump), -(arriving[0] * jump * theta).sum(0), None


@pytest.mark.parametrize("path", ["compiled", "plain"])
@pytest.mark.parametrize("kind", ["centred", "transcoder", "skip", "none-active"])
@pytest.mark.parametrize("width", [0.001, 2.0])
def test_jump_relu(kind, width, path, monkeypatch):
    if path == "plain":
        monkeypatch.setattr(kernels, "_use_compiled", lambda tensor: False)
    x, y = batch()
    log_threshold = torch.linspace(-2, 1, 24, dtype=torch.float64) + 9 * (kind == "none-active")
    weights = make(skip=kind == "skip", centred=kind == "centred", log_threshold=log_threshold)
    dense = as_dense(weights)
    assert dense.log_threshold is not None
    pre = dense_pre(dense, x)
    z = JumpReLU.apply(pre, dense.log_threshold, width)
    l0 = Step.apply(pre, dense.log_threshold, width).sum(1).mean()
    loss = 0.7 * (y - dense_output(dense, z, x)).square().sum(1).mean()
    (loss + 0.3 * l0).backward()
    found = gradients.jump_relu_gradients(weights, x, y, bandwidth=width, l0_coefficient=0.3, scale=0.7)
    assert float(found.reconstruction) == pytest.approx(loss.item(), rel=1e-12)
    assert float(found.auxiliary) == l0.item()
    torch.testing.assert_close(found.codes.dense(24), z.detach())
    assert_same_gradients(weights, dense, 1e-12)


def test_jump_relu_thresholds_feel_both_halves_of_the_window():
    """One feature with θ = 1, ε = 0.5: dL/dt = −(θ²/ε) dL/dz within 0.25 of θ, below it and above it."""
    one = torch.ones(1, 1, dtype=torch.float64)
    for pre, expected in ((0.7, 0.0), (0.8, -2.0), (1.2, -2.0), (1.3, 0.0)):
        zero = torch.zeros(1, dtype=torch.float64)
        weights = Weights(one.clone(), zero.clone(), one.clone(), zero.clone(), log_threshold=zero.clone())
        z = pre if pre > 1 else 0.0
        target = torch.tensor([[z - 0.5]], dtype=torch.float64)  # dL/dz = 2 (ŷ − y) = 1
        gradients.jump_relu_gradients(weights, pre * one, target, bandwidth=0.5)
        assert weights.log_threshold is not None and weights.log_threshold.grad is not None
        assert float(weights.log_threshold.grad) == pytest.approx(expected)


@pytest.mark.parametrize("theta", [0.3, 0.8, 1.7])
def test_jump_relu_thresholds_follow_the_slope_of_the_loss_itself(theta):
    """Over densely spread p the mean loss is smooth in t = log θ; its finite difference is what the window gives."""
    p = (torch.arange(200_000, dtype=torch.float64)[:, None] + 0.5) / 100_000  # 0 to 2
    y, one = 0.4 + 0.5 * p, torch.ones(1, 1, dtype=torch.float64)

    def loss(t):
        zero = torch.zeros(1, dtype=torch.float64)
        weights = Weights(
            one.clone(), zero.clone(), one.clone(), zero.clone(), log_threshold=torch.tensor([t], dtype=torch.float64)
        )
        found = gradients.jump_relu_gradients(weights, p, y, bandwidth=0.01, l0_coefficient=0.3)
        return float(found.reconstruction + 0.3 * found.auxiliary), float(weights.log_threshold.grad)

    t, step = math.log(theta), 1e-3
    slope = (loss(t + step)[0] - loss(t - step)[0]) / (2 * step)
    assert loss(t)[1] == pytest.approx(slope, rel=0.01, abs=2e-4)


def test_jump_relu_without_thresholds_says_so():
    x, _ = batch()
    with pytest.raises(UsageError, match="no log_threshold"):
        gradients.jump_relu_gradients(make(), x, x, bandwidth=0.1)


def test_cross_layer_transcoder():
    """Features of layer l write to layers l, …, L−1 through one decoder row of [(L − l) · d]."""
    n_layers, d, k = 3, 5, 4
    x, y = (torch.randn(n_layers, 30, d, generator=torch.Generator().manual_seed(s)).double() for s in (1, 2))
    layers = [make(20, d, (n_layers - layer) * d, seed=layer) for layer in range(n_layers)]
    dense = [as_dense(layer) for layer in layers]
    output = torch.zeros(n_layers, 30, d, dtype=torch.float64)
    for layer, w in enumerate(dense):
        written = only_top(dense_pre(w, x[layer]), k) @ w.W_dec
        output = output + torch.cat([output[:layer] * 0, written.view(30, -1, d).transpose(0, 1)])
    (y - output).square().sum().backward()

    d_output = -2 * (y - output.detach())
    for layer, w in enumerate(layers):
        block = torch.cat(list(gradients.pre_activations(w, x[layer])))
        pre = kernels.from_top_k(*kernels.top_k(block, k))
        arriving = d_output[layer:].transpose(0, 1).reshape(30, -1)
        codes = pre.with_values(pre.values.relu())
        gradients.backward(w, [Branch(codes, (pre.values > 0).double(), x[layer], arriving)])
        for name in ("W_enc", "b_enc", "W_dec"):
            torch.testing.assert_close(getattr(w, name).grad, getattr(dense[layer], name).grad, rtol=1e-12, atol=1e-12)
