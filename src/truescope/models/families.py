"""Families: for each architecture, one small table that says where in its module tree the canonical sites lie.

A family is data, never code: module paths from the model (`blocks`, `embed`, …), from a block (`attn`, `mlp`, the
norms), from the attention (`o_proj`, `values`) and from the MLP (`up`, `gate`, `down`). A model of another architecture
is described by writing one more `Family` and handing it to `Model(…, family=…)`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import Any, Literal

from torch import nn

from truescope.core.errors import FamilyError, nearest


@dataclass(frozen=True)
class Family:
    """Where the parts of one architecture lie, and which of the few variants of a transformer it is."""

    name: str
    model_types: tuple[str, ...]
    """The values of ``config.model_type`` that this table describes."""
    blocks: str
    """Path of the list of blocks, from the model."""
    embed: str
    final_norm: str
    unembed: str
    attn: str
    """From a block, as are the next five paths."""
    mlp: str
    pre_attn_norm: str
    pre_mlp_norm: str
    o_proj: str
    """From the attention: the projection whose input is attn_z."""
    values: str
    """From the attention: the projection that makes the values (alone, or with queries and keys in one matrix)."""
    up: str
    """From the MLP, as are ``down`` and ``gate``; ``down`` is the projection whose input is mlp_neurons."""
    down: str
    gate: str | None = None
    pos_embed: str | None = None
    """Path of learned position embeddings, from the model; None where positions turn queries and keys (rotary)."""
    attn_out_norm: str | None = None
    """A norm of what attention adds to the stream (Gemma 2 and 3), from the block."""
    mlp_out_norm: str | None = None
    norm: Literal["layer", "rms", "rms_plus_one"] = "rms"
    """LayerNorm; RMSNorm times w; RMSNorm times 1 + w."""
    parallel_flag: str | None = None
    """The field of the configuration that says attention and MLP read the same residual stream (GPT-NeoX)."""
    softcap_field: str | None = None
    """The field of the configuration with c in logits ← c·tanh(logits/c)."""

    def parallel(self, config: Any) -> bool:
        """Whether attention and MLP both read resid_pre, so that there is no resid_mid."""
        return self.parallel_flag is not None and bool(getattr(config, self.parallel_flag, False))

    def final_softcap(self, config: Any) -> float | None:
        """The cap c of logits ← c·tanh(logits/c), or None where the logits are the unembedding's output."""
        return getattr(config, self.softcap_field, None) if self.softcap_field else None

    def block_paths(self) -> tuple[str, ...]:
        """Every path this table expects inside a block, written from the block."""
        inside = [self.attn, self.mlp, self.pre_attn_norm, self.pre_mlp_norm, self.attn_out_norm, self.mlp_out_norm]
        attn = [f"{self.attn}.{path}" for path in (self.o_proj, self.values)]
        mlp = [f"{self.mlp}.{path}" for path in (self.up, self.gate, self.down) if path]
        return (*(path for path in inside if path), *attn, *mlp)

    def model_paths(self) -> tuple[str, ...]:
        """Every path this table expects outside the blocks, written from the model."""
        return tuple(p for p in (self.blocks, self.embed, self.pos_embed, self.final_norm, self.unembed) if p)


def _llama(name: str, **changes: Any) -> Family:
    """The layout that Llama set and most later families kept."""
    paths: dict[str, Any] = {
        "blocks": "model.layers",
        "embed": "model.embed_tokens",
        "final_norm": "model.norm",
        "unembed": "lm_head",
        "attn": "self_attn",
        "mlp": "mlp",
        "pre_attn_norm": "input_layernorm",
        "pre_mlp_norm": "post_attention_layernorm",
        "o_proj": "o_proj",
        "values": "v_proj",
        "up": "up_proj",
        "gate": "gate_proj",
        "down": "down_proj",
    }
    return Family(name=name, model_types=(name,), **(paths | changes))


_GEMMA: dict[str, Any] = {
    "pre_mlp_norm": "pre_feedforward_layernorm",
    "attn_out_norm": "post_attention_layernorm",
    "mlp_out_norm": "post_feedforward_layernorm",
    "norm": "rms_plus_one",
    "softcap_field": "final_logit_softcapping",
}

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            name="gpt2",
            model_types=("gpt2",),
            blocks="transformer.h",
            embed="transformer.wte",
            pos_embed="transformer.wpe",
            final_norm="transformer.ln_f",
            unembed="lm_head",
            attn="attn",
            mlp="mlp",
            pre_attn_norm="ln_1",
            pre_mlp_norm="ln_2",
            o_proj="c_proj",
            values="c_attn",
            up="c_fc",
            down="c_proj",
            norm="layer",
        ),
        Family(
            name="gpt_neox",
            model_types=("gpt_neox",),
            blocks="gpt_neox.layers",
            embed="gpt_neox.embed_in",
            final_norm="gpt_neox.final_layer_norm",
            unembed="lm_head",
            attn="attention",
            mlp="mlp",
            pre_attn_norm="input_layernorm",
            pre_mlp_norm="post_attention_layernorm",
            o_proj="dense",
            values="query_key_value",
            up="dense_h_to_4h",
            down="dense_4h_to_h",
            norm="layer",
            parallel_flag="use_parallel_residual",
        ),
        _llama("llama"),
        _llama("mistral"),
        _llama("qwen2"),
        _llama("qwen3"),
        _llama("gemma2", **_GEMMA),
        _llama("gemma3_text", **_GEMMA),
        # The model with a vision tower; it leaves its logits uncapped.
        _llama(
            "gemma3",
            **(_GEMMA | {"softcap_field": None}),
            blocks="model.language_model.layers",
            embed="model.language_model.embed_tokens",
            final_norm="model.language_model.norm",
        ),
    )
}
"""The families by name."""


def text_config(config: Any) -> Any:
    """The part of a configuration that describes the language model (multimodal ones nest it)."""
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def family_of(config: Any, module: nn.Module) -> Family:
    """The family that describes ``module``, by ``config.model_type``.

    Raises:
        FamilyError: no table describes this type, or the table's paths are not in the module.
    """
    model_type = str(getattr(config, "model_type", ""))
    for family in FAMILIES.values():
        if model_type in family.model_types:
            check_family(family, module)
            return family
    known = [model_type for family in FAMILIES.values() for model_type in family.model_types]
    raise FamilyError(
        f"no family table describes model type {model_type!r}",
        why=f"the known types are {', '.join(known)}\nmodules found:\n{describe_modules(module)}",
        fix=_how_to_describe(nearest(model_type, known)),
    )


def check_family(family: Family, module: nn.Module) -> None:
    """See that every path of the table is in the module.

    Raises:
        FamilyError: some paths are not there; they are named beside the paths that were found.
    """
    present = {name for name, _ in module.named_modules()}
    missing = [path for path in family.model_paths() if path not in present]
    first = f"{family.blocks}.0"
    if first in present:
        missing += [f"{first}.{path}" for path in family.block_paths() if f"{first}.{path}" not in present]
    elif family.blocks in present:
        missing.append(first)
    if missing:
        near = nearest(missing[0], present)
        raise FamilyError(
            f"the family table {family.name!r} does not fit this model: it has no {', '.join(missing)}",
            why=f"modules found:\n{describe_modules(module)}",
            fix=_how_to_describe(near),
        )


def describe_modules(module: nn.Module, limit: int = 60) -> str:
    """The module paths of a model, one a line, the repeated blocks written once as ``path.N``."""
    lines: Counter[str] = Counter()
    for name, child in module.named_modules():
        if name:
            path = ".".join("N" if part.isdigit() else part for part in name.split("."))
            lines[f"  {path} ({type(child).__name__})"] += 1
    listed = [line if n == 1 else f"{line} ×{n}" for line, n in lines.items()]
    rest = len(listed) - limit
    return "\n".join([*listed[:limit], f"  … and {rest} more"] if rest > 0 else listed)


def _how_to_describe(near: str) -> str:
    required = [field.name for field in fields(Family)]
    return (
        (f"{near} " if near else "")
        + "describe the model with a table of its paths: Model(module, tokenizer, family=Family("
        + ", ".join(f"{name}=…" for name in required)
        + ")); truescope.models.FAMILIES has examples"
    )
