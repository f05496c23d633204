"""Small random models of every family, every bias and every norm weight random too, so that nothing is zero by luck."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma3Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from truescope.models import Model

N_VOCAB = 61
_SHAPE: dict[str, Any] = {
    "vocab_size": N_VOCAB,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
    "pad_token_id": None,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
# Two query heads share one key-value head.
_GROUPED = {**_SHAPE, "num_key_value_heads": 2}
# Heads of another width than d_model / n_heads, and a window shorter than the test prompts.
_GEMMA = {
    **_GROUPED,
    "pad_token_id": 0,
    "head_dim": 8,
    "sliding_window": 4,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "final_logit_softcapping": 5.0,
    "attn_logit_softcapping": 3.0,
    "query_pre_attn_scalar": 8,
}


def _config(variant: str) -> Any:
    match variant:
        case "gpt2":
            return GPT2Config(
                vocab_size=N_VOCAB, n_embd=24, n_layer=3, n_head=4, n_inner=40, n_positions=32, bos_token_id=0,
                eos_token_id=1,
            )  # fmt: skip
        case "gpt2_upcast":
            config = _config("gpt2")
            config.reorder_and_upcast_attn = config.scale_attn_by_inverse_layer_idx = True
            return config
        case "gpt_neox":
            # Four of six dimensions of a head turn with the position.
            rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.67}
            return GPTNeoXConfig(**_SHAPE, use_parallel_residual=True, rope_parameters=rope)
        case "gpt_neox_sequential":
            return GPTNeoXConfig(**_SHAPE, use_parallel_residual=False)
        case "llama":
            return LlamaConfig(**_GROUPED, attention_bias=True, mlp_bias=True)
        case "llama_tied":
            return LlamaConfig(**_GROUPED, tie_word_embeddings=True)
        case "mistral":
            return MistralConfig(**_GROUPED, sliding_window=4)
        case "qwen2":
            return Qwen2Config(**_GROUPED)
        case "qwen3":
            return Qwen3Config(**_GROUPED, head_dim=8)
        case "gemma2":
            return Gemma2Config(**_GEMMA)
        case "gemma3_text":
            return Gemma3TextConfig(**_GEMMA)
        case "gemma3":
            vision = {
                "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
                "image_size": 8, "patch_size": 4,
            }  # fmt: skip
            return Gemma3Config(text_config=dict(_GEMMA), vision_config=vision, mm_tokens_per_image=4)
    raise ValueError(variant)


VARIANTS = (
    "gpt2", "gpt2_upcast", "gpt_neox", "gpt_neox_sequential", "llama", "llama_tied", "mistral", "qwen2", "qwen3",
    "gemma2", "gemma3_text", "gemma3",
)  # fmt: skip
"""Every family, with the variants that change where a site lies or how attention is computed."""


def small_hf(variant: str, seed: int = 0, attn_implementation: str | None = None) -> PreTrainedModel:
    """A random Hugging Face model of three layers, d_model 24, 40 neurons, 61 tokens."""
    torch.manual_seed(seed)
    options = {"attn_implementation": attn_implementation} if attn_implementation else {}
    hf = AutoModelForCausalLM.from_config(_config(variant), **options)
    with torch.no_grad():
        for name, parameter in hf.named_parameters():
            if "norm" in name or ".ln_" in name:
                parameter.add_(torch.randn_like(parameter) * 0.3)
            elif name.endswith("bias"):
                parameter.copy_(torch.randn_like(parameter) * 0.3)
            else:
                parameter.copy_(torch.randn_like(parameter) * 0.25)
    return hf.eval()


def small_model(family_name: str, seed: int = 0) -> Model:
    """`small_hf` as a `Model`."""
    return Model(small_hf(family_name, seed), name=f"small {family_name}")


def small_tokens(batch: int = 2, pos: int = 7, seed: int = 0) -> torch.Tensor:
    """Random token ids, [batch, pos]; longer than the small models' sliding windows."""
    return torch.randint(2, N_VOCAB, (batch, pos), generator=torch.Generator().manual_seed(seed))
