"""A transformer written out by hand: what each site must be, given the sites before it."""

from __future__ import annotations

import torch

from truescope.core import Site
from truescope.models import Model


def expected(model: Model, site: Site, values: dict[Site, torch.Tensor]) -> torch.Tensor | None:
    """The value of ``site`` that follows from the values of the sites before it; None where nothing is before it."""
    parts, layer = model.parts, site.layer or 0
    last = model.n_layers - 1

    def at(kind: str, of: int = layer) -> torch.Tensor:
        return values[Site(kind, of)]

    match site.kind:
        case "resid_pre" if layer > 0:
            return at("resid_post", layer - 1)
        case "resid_pre":
            start = values[Site("embed")]
            return start + values[Site("pos_embed")] if parts.pos_embed is not None else start
        case "attn_z":
            v = _values(model, layer, at("resid_pre"))
            return torch.einsum("bhqk,bkhd->bqhd", at("attn_pattern"), v).flatten(2)
        case "attn_out":
            out = parts.o_proj(layer)(at("attn_z"))
            norm = parts.attn_out_norm(layer)
            return out if norm is None else norm(out)
        case "resid_mid":
            return at("resid_pre") + at("attn_out")
        case "mlp_in":
            return parts.pre_mlp_norm(layer)(at("resid_pre" if parts.parallel else "resid_mid"))
        case "mlp_neurons":
            return _neurons(model, layer, at("mlp_in"))
        case "mlp_out":
            out = parts.down(layer)(at("mlp_neurons"))
            norm = parts.mlp_out_norm(layer)
            return out if norm is None else norm(out)
        case "resid_post" if parts.parallel:
            return at("resid_pre") + at("attn_out") + at("mlp_out")
        case "resid_post":
            return at("resid_mid") + at("mlp_out")
        case "final_norm":
            return parts.final_norm(values[Site("resid_post", last)])
        case "logits":
            logits = values[Site("final_norm")] @ parts.unembed.weight.T
            cap = parts.final_softcap
            return logits if cap is None else cap * torch.tanh(logits / cap)
    return None


def _values(model: Model, layer: int, resid: torch.Tensor) -> torch.Tensor:
    """v[batch, pos, heads, d_head], key-value heads repeated for the heads that share them."""
    made = model.parts.values(layer)(model.parts.pre_attn_norm(layer)(resid))
    heads, d_head = model.parts.n_heads, model.parts.d_attn_z // model.parts.n_heads
    if model.family.name == "gpt2":
        return made[..., 2 * model.d_model :].unflatten(-1, (heads, d_head))
    if model.family.name == "gpt_neox":
        return made.unflatten(-1, (heads, 3 * d_head))[..., 2 * d_head :]
    v = made.unflatten(-1, (-1, d_head))
    return v.repeat_interleave(heads // v.shape[2], dim=2)


def _neurons(model: Model, layer: int, mlp_in: torch.Tensor) -> torch.Tensor:
    up, gate = model.parts.up(layer)(mlp_in), model.parts.gate(layer)
    name = model.family.name
    if name == "gpt2":
        return torch.nn.functional.gelu(up, approximate="tanh")
    if gate is None:
        return torch.nn.functional.gelu(up)
    opened = gate(mlp_in)
    if name.startswith("gemma"):
        return torch.nn.functional.gelu(opened, approximate="tanh") * up
    return torch.nn.functional.silu(opened) * up


def broken(model: Model, values: dict[Site, torch.Tensor], tolerance: float = 2e-5) -> list[Site]:
    """The sites whose value does not follow from the sites before them."""
    wrong = []
    for site, value in values.items():
        hand = expected(model, site, values)
        if hand is not None and not torch.allclose(hand, value, atol=tolerance * float(1 + value.abs().max()), rtol=0):
            wrong.append(site)
    return wrong


def one_layer(model: Model) -> list[Site]:
    """The sites of the middle layer and those of no layer: one of each kind that the model has."""
    return [site for site in model.sites() if site.layer in (None, 1)]


def n_hooks(model: Model) -> int:
    """How many hooks hang on the model's modules."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.hf.modules())
