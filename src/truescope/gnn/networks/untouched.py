"""A block after which a model is what it was, bit for bit, whatever the block did to it or however it ended.

Explainers leave things on models: edge masks that became parameters, hooks, gradients, switched modes. The next
explainer then fails or explains another model. Here each module's attributes, hooks, weights, gradients and mode are
noted before and put back after.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn


@contextmanager
def untouched(model: nn.Module) -> Iterator[nn.Module]:
    """The model in evaluation mode; at the end of the block everything about it is put back, random state too."""
    tensors = [_Kept(t) for t in (*model.parameters(), *model.buffers())]
    modules = [(module, _attributes(module)) for module in model.modules()]
    with torch.random.fork_rng(devices=[]):
        try:
            model.eval()
            yield model
        finally:
            for module, kept in modules:
                _put_back(module, kept)
            for tensor in tensors:
                tensor.put_back()


class _Kept:
    """A parameter or buffer as it was."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.value = tensor.detach().clone()
        self.requires_grad = tensor.requires_grad
        self.grad = None if tensor.grad is None else tensor.grad.detach().clone()

    def put_back(self) -> None:
        with torch.no_grad():
            if self.tensor.shape != self.value.shape or not _same_bits(self.tensor, self.value):
                self.tensor.set_(cast(Any, self.value))
        self.tensor.requires_grad_(self.requires_grad)
        self.tensor.grad = self.grad


def _attributes(module: nn.Module) -> dict[str, tuple[Any, Any]]:
    """Each attribute's value, and a copy of its contents where it is a container that could be changed in place."""
    return {name: (value, _contents(value)) for name, value in module.__dict__.items()}


def _contents(value: Any) -> Any:
    # Hooks, parameters and children live in plain containers of the module; deeper ones are the model's own affair.
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list | set) else None


def _put_back(module: nn.Module, kept: dict[str, tuple[Any, Any]]) -> None:
    for name in [name for name in module.__dict__ if name not in kept]:
        del module.__dict__[name]
    for name, (value, contents) in kept.items():
        if isinstance(value, dict | OrderedDict | set):
            value.clear()
            value.update(contents)
        elif isinstance(value, list):
            value[:] = contents
        module.__dict__[name] = value


def _same_bits(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and bool(((one == other) | (one.isnan() & other.isnan())).all())
