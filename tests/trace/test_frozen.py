"""The frozen forward: the model's values, bit for bit, and a backward pass that is linear."""

from __future__ import annotations

import pytest
import torch

from small_models import VARIANTS, small_model, small_tokens
from truescope.core.sites import Site
from truescope.models.frozen import freeze, linear_norm


@pytest.mark.parametrize("variant", VARIANTS)
def test_values_do_not_change(variant: str) -> None:
    model, tokens = small_model(variant), small_tokens(1)[0]
    model.use_eager("a test compares with the frozen run")
    sites = ["final_norm", *(f"{kind}.{layer}" for layer in range(3) for kind in ("mlp_in", "resid_post"))]
    plain, frozen = model.run(tokens, read=sites), freeze(model, tokens)
    assert torch.equal(frozen.logits, plain.logits)
    for name in sites:
        site = Site.parse(name)
        assert torch.equal(frozen.value(site), plain.sites[site][0]), name


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_values_do_not_change_under_padding(variant: str, side: str) -> None:
    model, tokens = small_model(variant), small_tokens(1)[0]
    model.use_eager("a test compares with the frozen run")
    mask = torch.ones(1, 7, dtype=torch.long)
    mask[0, : 2 if side == "left" else 7] = 0
    mask[0, 2:5] = 1
    if side == "right":
        mask[0, :2] = 1
    kept = mask[0].bool()
    frozen, plain = freeze(model, tokens, mask=mask), model.run(tokens, mask=mask)
    assert torch.equal(frozen.logits[0, kept], plain.logits[0, kept])
    # A token under the mask reaches no token beside it.
    last = int(kept.nonzero().max())
    grad = torch.zeros(1, 7, 24)
    grad[0, last] = torch.randn(24, generator=torch.Generator().manual_seed(0))
    pulled = frozen.pull(3, {Site("final_norm"): grad})
    for stage in (2, 1, 0, -1):
        assert pulled.below is not None
        pulled = frozen.pull(stage, {Site("resid_post", stage) if stage >= 0 else Site("resid_pre", 0): pulled.below})
    token = next(grads for leaf, grads in pulled.leaves if leaf.name == "token")[0]
    assert token[~kept].abs().max() == 0
    assert token[last].abs().max() > 0


def test_hooks_are_gone_and_the_model_is_as_it_was() -> None:
    model, tokens = small_model("llama"), small_tokens(1)[0]
    model.use_eager("a test compares with the frozen run")
    before, weights = model.run(tokens).logits, model.hash
    freeze(model, tokens)
    model._hash = ""
    assert torch.equal(model.run(tokens).logits, before)
    assert model.hash == weights
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.hf.modules())


def test_constants_are_leaves_of_their_own() -> None:
    names = {leaf.name for leaf in freeze(small_model("gpt2"), small_tokens(1)[0]).leaves}
    assert names == {
        "token", "pos_embed", "pre_attn_norm_bias", "attn_value_bias", "attn_out_bias", "pre_mlp_norm_bias", "replaced",
        "final_norm_bias",
    }  # fmt: skip


@pytest.mark.parametrize("variant, kind", [("gpt2", "layer"), ("llama", "rms"), ("gemma2", "rms_plus_one")])
def test_a_held_norm_is_linear(variant: str, kind: str) -> None:
    norm = small_model(variant).parts.final_norm
    generator = torch.Generator().manual_seed(0)
    x, direction = (torch.randn(5, 24, generator=generator).double() for _ in range(2))
    norm = norm.double()
    bias = getattr(norm, "bias", None)
    real = norm(x) if bias is None else norm(x) - bias
    assert torch.allclose(linear_norm(norm, x, kind).double(), real.double(), atol=1e-6)

    def along(step: float) -> torch.Tensor:
        """The norm with x's denominator, at x + step·direction, by hand."""
        moved = x + step * direction
        centred = moved - moved.mean(-1, keepdim=True) if kind == "layer" else moved
        spread = x - x.mean(-1, keepdim=True) if kind == "layer" else x
        eps = getattr(norm, "variance_epsilon", getattr(norm, "eps", 0.0))
        weight = torch.as_tensor(norm.weight) + (kind == "rms_plus_one")
        return centred / (spread.square().mean(-1, keepdim=True) + eps).sqrt() * weight

    _, slope = torch.autograd.functional.jvp(lambda y: linear_norm(norm, y, kind), x, direction)
    assert torch.allclose(torch.as_tensor(slope), along(1.0) - along(0.0), atol=1e-8)
