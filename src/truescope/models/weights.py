"""What a model's weights are: their hash, and whether they are numbers at all."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from truescope.core.errors import ModelError


def weights_hash(module: nn.Module) -> str:
    """SHA-256, in hex, over every tensor of the state dict in the order of names: name, dtype, shape, bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        dtype = str(tensor.dtype).removeprefix("torch.")
        digest.update(f"{name}\0{dtype}\0{list(tensor.shape)}\0".encode())
        digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()


def check_finite(module: nn.Module, name: str) -> None:
    """See that no weight is NaN or infinite.

    Raises:
        ModelError: some are; the first tensors are named with how many of their entries are not finite.
    """
    bad: list[str] = []
    for path, tensor in module.named_parameters():
        if tensor.is_floating_point() and not tensor.is_meta:
            n_bad = int((~torch.isfinite(tensor)).sum())
            if n_bad:
                bad.append(f"{path} ({n_bad} of {tensor.numel()} entries)")
    if bad:
        raise ModelError(
            f"the weights of {name!r} are not all finite: {bad[0]}",
            why=f"NaN or infinity in {len(bad)} tensors: {', '.join(bad[:5])}{', …' if len(bad) > 5 else ''}",
            fix="fetch or export the checkpoint again; a training run that diverged leaves such weights",
        )
