"""Patterns: switched once and said once, read, edited, frozen; state for each model and each thread."""

from __future__ import annotations

import threading

import pytest
import torch
from transformers import AutoModelForCausalLM

from small_models import VARIANTS, small_hf, small_model, small_tokens
from truescope.core import Intervention, Site
from truescope.models import AttentionStep, Model, attention_steps

TOKENS = small_tokens()


def test_the_switch_to_eager_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    model = Model(small_hf("llama"), name="mine")
    model.run(TOKENS, read=["attn_z.0"])
    assert capsys.readouterr().err == ""
    model.run(TOKENS, read=["attn_pattern.1"])
    said = capsys.readouterr().err
    assert said.startswith("mine: attention is eager from now on, not sdpa, because attn_pattern.1 is read")
    assert said.count("\n") == 1
    model.run(TOKENS, edit=[Intervention(Site("attn_pattern", 0), "scale", 2.0)])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("side", ["none", "left", "right"])
def test_switched_attention_has_the_familys_own_masks(variant: str, side: str) -> None:
    """Bit for bit the eager attention of transformers: causal, windowed and padded as the family does it."""
    mask = torch.ones_like(TOKENS)
    if side != "none":
        mask[:, slice(0, 2) if side == "left" else slice(-2, None)] = 0
    real = mask[0].bool()
    own = Model(small_hf(variant, attn_implementation="eager"))
    switched = small_model(variant)
    switched.use_eager("the test asks")
    assert switched.hf.config._attn_implementation != own.hf.config._attn_implementation
    with torch.no_grad():
        wanted = own.hf(**own.inputs(TOKENS, mask)).logits
    run = switched.run(TOKENS, read=["attn_pattern.0"], mask=mask)
    assert torch.equal(run.logits[:, real], wanted[:, real])
    pattern = run.sites[Site("attn_pattern", 0)][:, :, real]
    assert pattern[..., ~real].count_nonzero() == 0
    assert pattern[..., real].triu(1).count_nonzero() == 0


def test_a_model_that_is_eager_already_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Model(small_hf("llama", attn_implementation="eager")).run(TOKENS, read=["attn_pattern.1"])
    assert capsys.readouterr() == ("", "")


def test_another_model_of_the_same_configuration_keeps_its_attention() -> None:
    first = small_hf("qwen2")
    second = AutoModelForCausalLM.from_config(first.config).eval()
    second.config = first.config
    for part in second.modules():
        if hasattr(part, "config"):
            part.config = first.config
    second.load_state_dict(first.state_dict())
    with torch.no_grad():
        before = second(input_ids=TOKENS).logits
    model = Model(first)
    model.run(TOKENS, read=["attn_pattern.0"])
    assert model.hf.config._attn_implementation == "truescope"
    assert second.config._attn_implementation == "sdpa"
    with torch.no_grad():
        assert torch.equal(second(input_ids=TOKENS).logits, before)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_frozen_pattern_is_a_constant_of_the_backward_pass(variant: str) -> None:
    """With patterns frozen, attn_z is linear in the values: its gradient is that of a model whose pattern is set."""
    model = small_model(variant, seed=1)
    pattern = model.run(TOKENS, read=["attn_pattern.1"]).sites[Site("attn_pattern", 1)]
    leaf = model.run(TOKENS, read=["resid_pre.1"]).sites[Site("resid_pre", 1)]

    def gradient(step: AttentionStep | None) -> torch.Tensor:
        x = leaf.clone().requires_grad_()
        z: list[torch.Tensor] = []
        entry = model.block(1).register_forward_pre_hook(
            lambda m, args, kwargs: ((x, *args[1:]), kwargs), with_kwargs=True
        )
        leave = model.parts.o_proj(1).register_forward_pre_hook(lambda m, args: z.append(args[0]))
        with entry, leave, attention_steps({model.attention(1): step} if step else {}):
            model.hf(**model.inputs(TOKENS))
        weight = torch.linspace(-1, 1, z[0].shape[-1])
        return torch.autograd.grad((z[0] * weight).sum(), x)[0]

    frozen = gradient(AttentionStep(freeze=True))
    torch.testing.assert_close(frozen, gradient(AttentionStep(edit=lambda _: pattern)), atol=1e-5, rtol=1e-4)
    assert (frozen - gradient(None)).abs().max() > 1e-3


def test_steps_are_seen_in_their_own_thread_only() -> None:
    model = small_model("llama", seed=2)
    model.use_eager("the test asks")
    plain = model.run(TOKENS).logits
    seen: list[torch.Tensor] = []
    with attention_steps({model.attention(0): AttentionStep(edit=torch.zeros_like)}):
        thread = threading.Thread(target=lambda: seen.append(model.run(TOKENS).logits))
        thread.start()
        thread.join()
        here = model.run(TOKENS).logits
    assert torch.equal(seen[0], plain)
    assert not torch.equal(here, plain)
    assert torch.equal(model.run(TOKENS).logits, plain)


def test_two_threads_share_a_model() -> None:
    model = small_model("gpt2", seed=2)
    edits = [[Intervention(Site("mlp_out", 1), "add", float(i))] for i in range(8)]
    wanted = [model.run(TOKENS, edit=edit).logits for edit in edits]
    got: dict[int, torch.Tensor] = {}
    threads = [
        threading.Thread(target=lambda i=i: got.update({i: model.run(TOKENS, edit=edits[i]).logits})) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(got[i], wanted[i]) for i in range(8))
