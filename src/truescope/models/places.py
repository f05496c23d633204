"""Where a site lies in a model's modules: the input or the output of one of them, as a hook sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import nn

from truescope.core.sites import Site
from truescope.models.parts import Parts

Operation = Callable[[torch.Tensor], torch.Tensor]


def output_of(parts: Parts, site: Site) -> nn.Module | None:
    """The module whose output is a site's value; None where a model has no position embeddings."""
    layer = int(site.layer or 0)
    if site.kind == "attn_out":
        return parts.attn_out_norm(layer) or parts.attention(layer)
    if site.kind == "mlp_out":
        return parts.mlp_out_norm(layer) or parts.mlp(layer)
    found = {"embed": parts.embed, "pos_embed": parts.pos_embed, "final_norm": parts.final_norm}
    return found[site.kind] if site.kind in found else parts.block(layer)


def on_site(stack: ExitStack, parts: Parts, site: Site, change: Operation) -> None:
    """Hook ``change`` to a site that is one module's input or output: not resid_mid, attn_pattern or logits."""
    inputs = {"resid_pre": parts.block, "attn_z": parts.o_proj, "mlp_in": parts.mlp, "mlp_neurons": parts.down}
    if site.kind in inputs:
        on_input(stack, inputs[site.kind](int(site.layer or 0)), change)
    else:
        on_output(stack, output_of(parts, site), change)


def on_input(stack: ExitStack, module: nn.Module, change: Operation) -> None:
    """Let ``change`` make a module's first input, until the stack ends."""
    stack.callback(module.register_forward_pre_hook(partial(_enter, change), with_kwargs=True).remove)


def on_output(stack: ExitStack, module: nn.Module | None, change: Operation) -> None:
    """Let ``change`` make a module's (first) output, until the stack ends."""
    assert module is not None
    stack.callback(module.register_forward_hook(partial(_leave, change)).remove)


def _enter(change: Operation, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    x = args[0] if args else kwargs["hidden_states"]
    new = change(x)
    if new is x:
        return None
    return ((new, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": new})


def _leave(change: Operation, module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    x = output[0] if isinstance(output, tuple) else output
    new = change(x)
    if new is x:
        return None
    return (new, *output[1:]) if isinstance(output, tuple) else new
