"""One attention function for every family: the family's own eager attention, with the pattern in reach.

A model that was switched by `switch_to_eager` calls `_attend` for each of its attention modules. Without a step for
that module the call is the family's eager attention, bit for bit. With one, inside `attention_steps`, the pattern
(the attention weights after the softmax, [batch, heads, queries, keys]) can be read, edited, or frozen:

    with attention_steps({model.attention(l): AttentionStep(freeze=True) for l in range(model.n_layers)}):
        logits = model.hf(**model.inputs(tokens)).logits      # gradients flow through the values only

transformers keeps one registry of attention functions for the whole process, so the function here holds no state: the
steps live in a context variable, keyed by module, and are gone when the `with` ends. The function is registered in the
registry of masks too (as eager); a function that is not would silently get no causal mask.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

from truescope.core.errors import ModelError

IMPLEMENTATION = "truescope"


@dataclass(frozen=True)
class AttentionStep:
    """What happens to one attention module's pattern: first frozen, then edited, then read."""

    watch: Callable[[torch.Tensor, torch.Tensor, float], None] | None = None
    """Told the queries [batch, heads, queries, d_head], the keys (fewer heads, where grouped) and the factor of q·k."""
    freeze: bool = False
    """Cut queries and keys off the gradient, so that the pattern is a constant of the backward pass."""
    edit: Callable[[torch.Tensor], torch.Tensor] | None = None
    """The pattern to use in place of the one given, [batch, heads, queries, keys]; returning the same is no edit."""
    read: Callable[[torch.Tensor], None] | None = None


_STEPS: ContextVar[Mapping[nn.Module, AttentionStep] | None] = ContextVar("truescope_attention_steps", default=None)


@contextmanager
def attention_steps(steps: Mapping[nn.Module, AttentionStep]) -> Iterator[None]:
    """Apply ``steps`` (by attention module) to every forward pass inside the block, in this thread only.

    Blocks nest: the inner one's step for a module stands in place of the outer one's.
    """
    token = _STEPS.set({**(_STEPS.get() or {}), **steps})
    try:
        yield
    finally:
        _STEPS.reset(token)


def attention_implementation(module: PreTrainedModel) -> str:
    """The attention that ``module`` runs with: "sdpa", "eager", …; "truescope" once it was switched."""
    return str(module.config._attn_implementation)


def switch_to_eager(module: PreTrainedModel) -> bool:
    """Make ``module`` attend through this file; returns whether that changes what it computes (it was not eager).

    Raises:
        ModelError: the architecture does not take its attention from transformers' registry.
    """
    before = attention_implementation(module)
    if before == IMPLEMENTATION:
        return False
    _own_config(module)
    if module._can_set_attn_implementation():
        module.set_attn_implementation(IMPLEMENTATION)
    if attention_implementation(module) != IMPLEMENTATION:
        raise ModelError(
            f"the attention patterns of {type(module).__name__} are out of reach",
            why="its attention modules do not take their function from transformers' AttentionInterface",
            fix="read attn_z or attn_out instead",
        )
    return before != "eager"


def _own_config(module: PreTrainedModel) -> None:
    """Give the model its own copy of its configurations: another model made from the same one stays as it is."""
    copies: dict[int, Any] = {}
    for part in module.modules():
        config = getattr(part, "config", None)
        if config is not None and hasattr(config, "_attn_implementation"):
            if id(config) not in copies:
                copies[id(config)] = copy.copy(config)
            part.config = copies[id(config)]
    for config in copies.values():
        for key in config.sub_configs:
            nested = getattr(config, key, None)
            if id(nested) in copies:
                setattr(config, key, copies[id(nested)])


def _attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    step = (_STEPS.get() or {}).get(module)
    if step is None:
        return _eager(module, query, key, value, attention_mask, **kwargs)
    if step.watch is not None:
        step.watch(query, key, float(kwargs.get("scaling") or query.shape[-1] ** -0.5))
    if step.freeze:
        query, key = query.detach(), key.detach()
    output, pattern = _eager(module, query, key, value, attention_mask, **kwargs)
    if step.edit is not None:
        edited = step.edit(pattern)
        if edited is not pattern:
            pattern, output = edited, mix(edited, value)
    if step.read is not None:
        step.read(pattern)
    return output, pattern


def _eager(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    # GPT-2 has a second eager path, which its module takes only when the implementation is called "eager".
    if getattr(module, "reorder_and_upcast_attn", False):
        upcast: Any = module._upcast_and_reordered_attn
        return upcast(query, key, value, attention_mask)
    family = sys.modules[type(module).__module__]
    eager = getattr(family, "eager_attention_forward", None)
    if eager is None:
        raise ModelError(
            f"the attention patterns of {type(module).__name__} are out of reach",
            why=f"{family.__name__} has no eager_attention_forward",
            fix="read attn_z or attn_out instead",
        )
    return eager(module, query, key, value, attention_mask, **kwargs)


def mix(pattern: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """What each head reads: z[batch, queries, heads, d_head] = Σₖ pattern[…, q, k]·value[…, k, :].

    ``pattern`` is [batch, heads, queries, keys]; ``value`` is [batch, kv_heads, keys, d_head], each of its heads shared
    by heads / kv_heads neighbouring ones (grouped queries).
    """
    groups = pattern.shape[1] // value.shape[1]
    if groups > 1:
        value = value.repeat_interleave(groups, dim=1)
    return torch.matmul(pattern, value).transpose(1, 2).contiguous()


AttentionInterface.register(IMPLEMENTATION, _attend)
AttentionMaskInterface.register(IMPLEMENTATION, eager_mask)
