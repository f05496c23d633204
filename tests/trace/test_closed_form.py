"""A one-layer model small enough to write every edge down."""

from __future__ import annotations

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from whole import whole

from truescope.models import Model

_EPS = 1e-6


def _hand_built() -> tuple[Model, dict[str, np.ndarray]]:
    """Uniform attention (no queries, no keys) that copies what it reads; three gated neurons; no biases."""
    config = LlamaConfig(
        vocab_size=5, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1,
        intermediate_size=3, max_position_embeddings=8, rms_norm_eps=_EPS, pad_token_id=None,
    )  # fmt: skip
    hf = LlamaForCausalLM(config)
    rng = np.random.default_rng(0)
    shapes = {"embed": (5, 4), "gate": (3, 4), "up": (3, 4), "down": (4, 3), "unembed": (5, 4)}
    weights = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    block = hf.get_submodule("model.layers.0")
    named = dict(block.named_parameters())
    with torch.no_grad():
        for name, parameter in (
            ("embed", hf.model.embed_tokens.weight), ("gate", named["mlp.gate_proj.weight"]),
            ("up", named["mlp.up_proj.weight"]), ("down", named["mlp.down_proj.weight"]),
            ("unembed", hf.lm_head.weight),
        ):  # fmt: skip
            parameter.copy_(torch.from_numpy(weights[name]))
        named["self_attn.q_proj.weight"].zero_()
        named["self_attn.k_proj.weight"].zero_()
        named["self_attn.v_proj.weight"].copy_(torch.eye(4))
        named["self_attn.o_proj.weight"].copy_(torch.eye(4))
    return Model(hf, name="by hand"), weights


def _rms(x: np.ndarray) -> np.ndarray:
    return np.sqrt((x**2).mean(-1, keepdims=True) + _EPS)


def test_every_edge_is_the_one_on_paper() -> None:
    model, w = _hand_built()
    tokens = [1, 4, 2]
    found = whole(model, torch.tensor(tokens))

    x = w["embed"][tokens]
    normed = x / _rms(x)
    mid = x + np.stack([normed[: c + 1].mean(0) for c in range(3)])
    mlp_in = mid / _rms(mid)
    gate = mlp_in @ w["gate"].T
    silu = gate / (1 + np.exp(-gate))
    a = silu * (mlp_in @ w["up"].T)
    last = mid[2] + w["down"] @ a[2]
    unembed = (w["unembed"] - w["unembed"].mean(0)) / _rms(last)

    edges = np.zeros_like(found.edges, dtype=float)
    # What token c puts into the middle of the block at position q: itself, and its share of the uniform attention.
    mixed = np.array([[(q == c) * x[c] + (c <= q) * normed[c] / (q + 1) for c in range(3)] for q in range(3)])
    for q in range(3):
        for i in range(3):
            row = int(found.columns("unit", layer=0, position=q, index=i)[0])
            edges[row, found.columns("token")] = silu[q, i] * (mixed[q] / _rms(mid)[q]) @ w["up"][i]
    for row, logit in enumerate(found.logits, start=9):
        edges[row, found.columns("token")] = mixed[2] @ unembed[logit]
        for i in range(3):
            edges[row, found.columns("unit", layer=0, position=2, index=i)] = a[2, i] * (
                unembed[logit] @ w["down"][:, i]
            )
    np.testing.assert_allclose(found.edges, edges, rtol=1e-4, atol=1e-6)
    assert np.count_nonzero(edges) > 20
