"""What follows the gradients: Adam equals torch's dense one, atoms have length one, silence is counted in tokens."""

from __future__ import annotations

import torch

from truescope.dictionaries import kernels, optimiser
from truescope.dictionaries.gradients import AuxK, Weights, top_k_gradients


def test_twenty_steps_equal_dense_autograd_with_plain_adam():
    generator = torch.Generator().manual_seed(0)
    atoms = torch.nn.functional.normalize(torch.randn(48, 8, generator=generator, dtype=torch.float64), dim=1)
    zeros = torch.zeros(48, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
    ours = Weights(atoms.clone(), zeros[0].clone(), atoms.clone(), zeros[1].clone())
    dense = [tensor.clone().requires_grad_() for tensor in ours.tensors()]
    fused = optimiser.adam(ours.tensors(), 1e-2)
    plain = torch.optim.Adam(dense, lr=1e-2, eps=6.25e-10, foreach=False)
    for _ in range(20):
        x = torch.randn(16, 8, generator=generator, dtype=torch.float64)
        top_k_gradients(ours, x, x, 3)
        fused.step()
        optimiser.normalise_rows_(ours.W_dec)

        W_enc, b_enc, W_dec, b_dec = dense
        pre = x @ W_enc.T + b_enc
        z = torch.zeros_like(pre).scatter(1, (best := pre.topk(3)).indices, best.values.relu())
        plain.zero_grad()
        (x - z @ W_dec - b_dec).square().sum(1).mean().backward()
        plain.step()
        with torch.no_grad():
            W_dec /= W_dec.norm(dim=1, keepdim=True)
    for found, expected in zip(ours.tensors(), dense, strict=True):
        assert ((found - expected.detach()).norm() / expected.detach().norm()).item() < 1e-9


def test_training_finds_the_atoms_of_known_sparse_data():
    generator = torch.Generator().manual_seed(3)
    truth = torch.eye(8)
    start = torch.nn.functional.normalize(truth + 0.3 * torch.randn(8, 8, generator=generator), dim=1)
    weights = Weights(start.clone(), torch.zeros(8), start.clone(), torch.zeros(8))
    adam = optimiser.adam(weights.tensors(), 1e-2)
    silent = torch.zeros(8, dtype=torch.int64)
    for _ in range(500):
        x = torch.rand(64, 8, generator=generator) * (torch.rand(64, 8, generator=generator) < 0.15)
        aux = AuxK(optimiser.dead_features(silent, 640), 2)
        loss = top_k_gradients(weights, x, x, 3, aux=aux, tangent=True)
        adam.step()
        optimiser.normalise_rows_(weights.W_dec)
        optimiser.count_silence_(silent, loss.codes)
    assert bool((weights.W_dec.diagonal() > 0.99).all())


def test_atoms_have_length_one_and_zero_stays_zero():
    weight = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    optimiser.normalise_rows_(weight)
    torch.testing.assert_close(weight, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


def test_silence_is_counted_in_tokens_and_only_a_positive_value_ends_it():
    silent = torch.tensor([10, 10, 10])
    codes = kernels.from_top_k(torch.tensor([[1.0], [0.0], [2.0]]), torch.tensor([[0], [1], [0]]))
    optimiser.count_silence_(silent, codes)
    assert silent.tolist() == [0, 13, 13]
    assert optimiser.dead_features(silent, 13).tolist() == [1, 2]
