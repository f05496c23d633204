"""Sites cut off from what made them, and MLPs that pass values on because their gates are held.

With u = W_in x + b_in an MLP's up-projection and a its neurons, both at the prompt, the gate of neuron i is m_i = a_i /
u_i: act(u_i) / u_i in a plain MLP, act(g_i) in a gated one (0 where u_i = 0). Held, it makes the MLP linear,

    mlp_out = W_out (m ⊙ (W_in x + b_in)) + b_out

with no constant but its own biases, which are sources. For relu m is the derivative too; see
docs/decisions/0018-autoencoders-in-graphs.md for why the derivative of other activations is not taken.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from truescope.core.errors import FamilyError, SiteError, nearest
from truescope.core.sites import Site
from truescope.models.frozen.leaves import READ, REPLACED, Stage, silent
from truescope.models.parts import Parts
from truescope.models.places import on_input, on_output, on_site, output_of

CUT_KINDS = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
"""The sites that can be cut: the residual stream, and what is added to it."""


def check_cut(parts: Parts, site: Site) -> None:
    """See that a site can be cut.

    Raises:
        SiteError: the model has not this site, or it is neither in the residual stream nor added to it.
    """
    if site.kind not in CUT_KINDS:
        raise SiteError(
            f"{site} cannot be cut in a frozen forward",
            why=f"the sites that can are {', '.join(CUT_KINDS)}",
            fix=nearest(site.kind, CUT_KINDS),
        )
    parts.check(site)


def cut(stack: ExitStack, parts: Parts, stage: Stage, site: Site) -> None:
    """Let gradients from above end at a leaf with the site's value, and those of what reads the site enter below it."""
    layer = int(site.layer or 0)

    def replace(x: torch.Tensor) -> torch.Tensor:
        stage.entries[READ] = x
        return stage.leaf(REPLACED, layer, x)

    if site.kind != "resid_mid":
        on_site(stack, parts, site, replace)
        return
    residual: list[torch.Tensor] = []

    def keep(x: torch.Tensor) -> torch.Tensor:
        residual.append(x)
        return x

    def replace_sum(attn_out: torch.Tensor) -> torch.Tensor:
        # The block adds the residual by itself, so that its gradient is taken away here.
        before = residual.pop()
        leaf = replace(before + attn_out)
        return attn_out.detach() + silent(leaf) - silent(before)

    on_input(stack, parts.block(layer), keep)
    on_output(stack, output_of(parts, Site("attn_out", layer)), replace_sum)


def hold_gates(stack: ExitStack, parts: Parts, stage: Stage, layer: int) -> None:
    """Make an MLP the linear map of its input that its gates on the prompt make it."""
    up: list[torch.Tensor] = []

    def keep(module: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        up.append(stage.with_bias("mlp_in_bias", layer, module, output))
        return up[0]

    def gated(neurons: torch.Tensor) -> torch.Tensor:
        u = up.pop()
        if u.shape != neurons.shape:
            raise FamilyError(
                f"the MLP of layer {layer} is not what its family table says",
                why=f"the up-projection makes {u.shape[-1]} numbers, the down-projection gets {neurons.shape[-1]}",
                fix="describe the model with a Family whose up and down are the right ones",
            )
        gate = torch.where(u == 0, 0.0, neurons / torch.where(u == 0, 1.0, u)).detach()
        if not torch.allclose(gate * u.detach(), neurons.detach(), rtol=1e-4, atol=1e-6):
            raise FamilyError(
                f"the MLP of layer {layer} cannot be held as a linear map",
                why="its activation is not 0 where its input is",
                fix="trace with neurons or transcoders, which stand in for MLPs",
            )
        return neurons.detach() + silent(gate * u)

    stack.callback(parts.up(layer).register_forward_hook(keep).remove)
    on_input(stack, parts.down(layer), gated)
    on_output(stack, parts.down(layer), lambda out: stage.with_bias("mlp_out_bias", layer, parts.down(layer), out))
