"""One training step of a peer, on demand: run by its own interpreter, it imports nothing of ours.

    python training_step_peer.py PEER D N K B THREADS wall|cpu

For each line read, `step` or `auxk` (half of the features dead), it runs one step and prints its seconds.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

import torch


def sae_lens(d: int, n: int, k: int) -> Callable[[torch.Tensor, bool], None]:
    """The body of SAETrainer._train_step."""
    from sae_lens.saes.sae import TrainStepInput
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig

    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=d, d_sae=n, k=k, dtype="float32", device="cpu"))
    optimiser = torch.optim.Adam(sae.parameters(), lr=1e-4)
    dead = torch.arange(n) % 2 == 0
    silent, frequency = torch.zeros(n), torch.zeros(n)

    def step(x: torch.Tensor, auxk: bool) -> None:
        sae.train()
        mask = dead if auxk else torch.zeros_like(dead)
        given = TrainStepInput(
            sae_in=x, coefficients={}, dead_neuron_mask=mask, n_training_steps=1, is_logging_step=False
        )
        output = sae.training_forward_pass(step_input=given)
        with torch.no_grad():
            firing = output.feature_acts.bool().float()
            silent.add_(1)
            silent[firing.sum(-2).bool()] = 0
            frequency.add_(firing.sum(0))
        output.loss.backward()
        torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    return step


def sparsify(d: int, n: int, k: int) -> Callable[[torch.Tensor, bool], None]:
    """The body of Trainer.fit with its default optimiser, which is cheaper than Adam."""
    from schedulefree import ScheduleFreeWrapper
    from sparsify import SparseCoder, SparseCoderConfig
    from sparsify.sign_sgd import SignSGD

    coder = SparseCoder(d, SparseCoderConfig(num_latents=n, k=k))
    optimiser = ScheduleFreeWrapper(SignSGD(coder.parameters(), lr=1e-4), momentum=0.95)
    optimiser.train()
    dead = torch.arange(n) % 2 == 0
    fired, silent = torch.zeros(n, dtype=torch.bool), torch.zeros(n, dtype=torch.long)

    def step(x: torch.Tensor, auxk: bool) -> None:
        coder.set_decoder_norm_to_unit_norm()
        output = coder(x, dead_mask=dead if auxk else None)
        fired[output.latent_indices.flatten()] = True
        (output.fvu + output.auxk_loss / 32).backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimiser.step()
        optimiser.zero_grad()
        silent.add_(x.shape[0])
        silent[fired] = 0
        fired.zero_()

    return step


def main() -> None:
    peer = sys.argv[1]
    d, n, k, batch, threads = map(int, sys.argv[2:7])
    clock = {"wall": time.perf_counter, "cpu": time.process_time}[sys.argv[7]]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x = torch.randn(batch, d)
    with contextlib.redirect_stdout(sys.stderr):
        step = {"sae-lens": sae_lens, "sparsify": sparsify}[peer](d, n, k)
    print("ready", flush=True)
    for line in sys.stdin:
        start = clock()
        step(x, line.strip() == "auxk")
        print(clock() - start, flush=True)


if __name__ == "__main__":
    main()
