"""The sparse kernels against dense float64 algebra, compiled and plain, on awkward shapes."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from truescope.core.errors import UsageError
from truescope.dictionaries import kernels

BOTH = pytest.mark.parametrize("path", ["compiled", "plain"])


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch):
    """Choose the path that the kernels take."""

    def choose(path: str) -> None:
        if path == "plain":
            monkeypatch.setattr(kernels, "_use_compiled", lambda tensor: False)

    return choose


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.double() - expected.detach().double()).norm() / expected.detach().double().norm())


def random_codes(n_positions: int, n_features: int, seed: int = 0, dtype: torch.dtype = torch.float64):
    """Ragged codes: some positions keep nothing, some features are never kept."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(n_positions, n_features, generator=generator, dtype=dtype)
    matrix[torch.rand(matrix.shape, generator=generator) < 0.7] = 0
    matrix[0] = 0
    matrix[:, 1] = 0
    positions, indices = matrix.nonzero(as_tuple=True)
    offsets = torch.zeros(n_positions + 1, dtype=torch.int64)
    offsets[1:] = torch.bincount(positions, minlength=n_positions).cumsum(0)
    return kernels.Codes(offsets, indices, matrix[positions, indices]), matrix


@settings(max_examples=150, deadline=None)
@given(data=st.data(), dtype=st.sampled_from([torch.float32, torch.float64]), seed=st.integers(0, 10**6))
def test_top_k_keeps_exactly_the_largest_and_the_lowest_columns_of_ties(data, dtype, seed):
    n_positions, n_features = data.draw(st.integers(0, 5)), data.draw(st.integers(1, 150))
    levels = data.draw(st.sampled_from([1, 2, 5, 10**6]))
    generator = torch.Generator().manual_seed(seed)
    pre = torch.randint(-levels, levels + 1, (n_positions, n_features), generator=generator).to(dtype) / 7
    columns = None
    if data.draw(st.booleans()):
        n_columns = data.draw(st.integers(1, n_features))
        columns = torch.randperm(n_features, generator=generator)[:n_columns].sort().values
    candidates = pre if columns is None else pre[:, columns]
    k = data.draw(st.integers(1, candidates.shape[1]))
    values, indices = kernels.top_k(pre, k, columns)
    best = candidates.sort(dim=1, descending=True, stable=True).indices[:, :k].sort(dim=1).values
    assert torch.equal(indices, best if columns is None else columns[best])
    assert torch.equal(values, pre.gather(1, indices))


@pytest.mark.parametrize("shape", [(40, 2048, 32), (9, 16384, 32), (5, 1000, 256)])
def test_top_k_agrees_with_torch_at_real_sizes(shape, use):
    n_positions, n_features, k = shape
    pre = torch.randn(n_positions, n_features, generator=torch.Generator().manual_seed(1))
    dead = torch.arange(0, n_features, 2)
    compiled, compiled_dead = kernels.top_k(pre, k), kernels.top_k(pre, k, dead)
    use("plain")
    plain, plain_dead = kernels.top_k(pre, k), kernels.top_k(pre, k, dead)
    for found, expected in zip((*compiled, *compiled_dead), (*plain, *plain_dead), strict=True):
        assert torch.equal(found, expected)


def test_top_k_orders_extreme_values_and_shows_what_is_not_a_number():
    tiny, huge = 1e-42, 3e38
    pre = torch.tensor([[-huge, -tiny, tiny, huge, -float("inf"), float("inf"), 1.0, -1.0]])
    assert kernels.top_k(pre, 4)[1].tolist() == [[2, 3, 5, 6]]
    assert kernels.top_k(pre, 7)[1].tolist() == [[0, 1, 2, 3, 5, 6, 7]]
    assert kernels.top_k(torch.full((1, 300), float("nan")), 3)[0].isnan().all()


@pytest.mark.parametrize("k", [0, 9])
def test_top_k_says_which_k_is_possible(k):
    with pytest.raises(UsageError, match=f"k is {k}, of 8 columns"):
        kernels.top_k(torch.zeros(2, 8), k)


def test_results_do_not_depend_on_the_number_of_threads():
    pre = torch.randn(33, 500, generator=torch.Generator().manual_seed(2))
    inputs = torch.randn(33, 6, generator=torch.Generator().manual_seed(3))

    def all_of_it() -> list[torch.Tensor]:
        values, indices = kernels.top_k(pre, 7)
        codes = kernels.from_top_k(values, indices)
        order = kernels.by_feature(codes, 500)
        weight, bias, decoder = torch.empty(500, 6), torch.empty(500), torch.empty(500, 6)
        d_values = kernels.decoder_backward(codes, order, inputs, torch.ones(500, 6), d_weight=decoder)
        kernels.encoder_backward(order, codes.values, inputs, d_weight=weight, d_bias=bias)
        return [values, indices, d_values, decoder, weight, bias]

    alone = all_of_it()
    torch.set_num_threads(3)
    try:
        together = all_of_it()
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_above_keeps_what_is_larger_than_its_floor():
    pre = torch.tensor([[1.0, 0.5, -1.0], [0.0, 0.0, 0.0], [2.0, 0.6, 0.3]])
    codes = kernels.above(pre, torch.tensor([1.0, 0.4, 0.2]))
    assert codes.offsets.tolist() == [0, 1, 1, 4]
    assert torch.equal(codes.dense(3), torch.tensor([[0, 0.5, 0], [0, 0, 0], [2.0, 0.6, 0.3]]))


def test_concatenated_codes_are_the_codes_one_below_the_other():
    (upper, top), (lower, bottom) = random_codes(3, 8, 0), random_codes(4, 8, 1)
    assert torch.equal(kernels.concatenate([upper, lower]).dense(8), torch.cat([top, bottom]))


@settings(max_examples=30, deadline=None)
@given(n_positions=st.integers(1, 9), n_features=st.integers(2, 40), d_out=st.integers(1, 9))
def test_decode_is_the_dense_product(n_positions, n_features, d_out):
    codes, matrix = random_codes(n_positions, n_features, n_features)
    weight = torch.randn(n_features, d_out, dtype=torch.float64)
    torch.testing.assert_close(kernels.sparse_decode(codes, weight), matrix @ weight)


def test_decode_of_nothing_is_zero():
    codes, _ = random_codes(1, 4)
    assert torch.equal(kernels.sparse_decode(codes, torch.ones(4, 3).double()), torch.zeros(1, 3).double())


@BOTH
def test_entries_are_ordered_by_feature_then_position(path, use):
    use(path)
    codes, matrix = random_codes(7, 11)
    order = kernels.by_feature(codes, 11)
    assert torch.equal(codes.indices[order.entries], order.features)
    assert torch.equal(codes.positions[order.entries], order.positions)
    rebuilt = torch.zeros(11, 7).double().index_put_((order.features, order.positions), codes.values[order.entries])
    assert torch.equal(rebuilt, matrix.T)
    assert bool((order.positions.diff()[order.features.diff() == 0] > 0).all())


@BOTH
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_gradients_are_those_of_the_dense_products(path, dtype, bound, use):
    use(path)
    codes, matrix = random_codes(50, 30, dtype=dtype)
    z = matrix.double().requires_grad_()
    weight, d_output = torch.randn(30, 17, dtype=dtype), torch.randn(50, 17, dtype=dtype)
    dense = weight.double().requires_grad_()
    (z @ dense).backward(d_output.double())
    assert z.grad is not None and dense.grad is not None
    order = kernels.by_feature(codes, 30)
    d_weight = torch.full_like(weight, float("nan"))
    d_values = kernels.decoder_backward(codes, order, d_output, weight, d_weight=d_weight)
    assert relative(d_values, z.grad[codes.positions, codes.indices]) < bound
    assert relative(d_weight, dense.grad) < bound
    kernels.decoder_backward(codes, order, d_output, weight, d_weight=d_weight, tangent=True)
    unit = dense.detach() / dense.detach().norm(dim=1, keepdim=True)
    assert relative(d_weight, dense.grad - (dense.grad * unit).sum(1, keepdim=True) * unit) < bound
    d_bias = torch.full((30,), float("nan"), dtype=dtype)
    d_weight.fill_(float("nan"))
    kernels.encoder_backward(order, codes.values, d_output, d_weight=d_weight, d_bias=d_bias)
    assert relative(d_weight, matrix.double().T @ d_output.double()) < bound
    assert relative(d_bias, matrix.double().sum(0)) < bound


@BOTH
def test_an_atom_of_zeros_has_no_direction_to_leave_out(path, use):
    use(path)
    codes, _ = random_codes(6, 5)
    d_weight = torch.empty(5, 3, dtype=torch.float64)
    order, weight = kernels.by_feature(codes, 5), torch.zeros(5, 3, dtype=torch.float64)
    kernels.decoder_backward(codes, order, torch.ones(6, 3).double(), weight, d_weight=d_weight, tangent=True)
    assert d_weight.isfinite().all()
