"""GPT-2s whose neurons are linear or relu units, for tests of what patching and graphs say."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from truescope.models import Model


def gpt2(activation: str) -> GPT2LMHeadModel:
    """Two layers of 4 heads and 24 neurons, d_model 16, every weight random."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=61, n_embd=16, n_layer=2, n_head=4, n_inner=24, n_positions=16, activation_function=activation,
        bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    hf = GPT2LMHeadModel(config).double()
    with torch.no_grad():
        for parameter in hf.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return hf


def relu_model() -> Model:
    """Everything live: norms, attention, relu."""
    return Model(gpt2("relu"), name="relu")


def linear_model() -> Model:
    """A GPT-2 that is a linear map of its embeddings: no norms, linear neurons, attention without queries and keys."""
    hf = gpt2("linear")
    with torch.no_grad():
        hf.transformer.ln_f = nn.Identity()
        block: Any
        for block in hf.transformer.h:
            block.ln_1, block.ln_2 = nn.Identity(), nn.Identity()
            block.attn.c_attn.weight[:, :32] = 0
            block.attn.c_attn.bias[:32] = 0
    return Model(hf, name="linear")
