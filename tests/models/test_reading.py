"""Reading changes nothing, and what is read obeys the equations of a transformer."""

from __future__ import annotations

import pytest
import torch
from equations import broken, n_hooks

from small_models import VARIANTS, small_hf, small_model, small_tokens
from truescope.core import PromptError, Site, SiteError
from truescope.models import Model


@pytest.mark.parametrize("variant", VARIANTS)
def test_reading_leaves_the_logits_bit_equal(variant: str) -> None:
    tokens = small_tokens()
    plain, eager = small_hf(variant), small_hf(variant, attn_implementation="eager")
    with torch.no_grad():
        default_logits = plain(input_ids=tokens, use_cache=False).logits
        eager_logits = eager(input_ids=tokens, use_cache=False).logits
    model = Model(plain)
    without_patterns = [site for site in model.sites() if site.kind != "attn_pattern"]
    assert torch.equal(model.run(tokens, read=without_patterns).logits, default_logits)
    everything = model.run(tokens, read=model.sites())
    assert torch.equal(everything.logits, eager_logits)
    assert set(everything.sites) == set(model.sites())
    assert n_hooks(model) == 0


def test_values_obey_the_equations_of_a_transformer(model: Model) -> None:
    values = model.run(small_tokens(), read=model.sites()).sites
    assert broken(model, values) == []


def test_shapes_are_batch_pos_units(model: Model) -> None:
    values = model.run(small_tokens(3, 6), read=model.sites()).sites
    assert {str(s): tuple(x.shape) for s, x in values.items()} == {
        str(s): model.parts.shape(s, 3, 6) for s in model.sites()
    }
    assert model.run(small_tokens(1, 6)[0]).logits.shape == (1, 6, model.n_vocab)


def test_patterns_are_causal_distributions(model: Model) -> None:
    patterns = model.run(small_tokens(), read=["attn_pattern.0", "attn_pattern.1"]).sites
    for x in patterns.values():
        torch.testing.assert_close(x.sum(-1), torch.ones(x.shape[:-1]))
        assert float(x.triu(1).abs().max()) == 0
    beyond_the_window = float(patterns[Site("attn_pattern", 0)].tril(-4).abs().max())
    assert (beyond_the_window == 0) == (model.family.name in ("mistral", "gemma2", "gemma3", "gemma3_text"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_residual_stream_is_what_transformers_reports(variant: str) -> None:
    # transformers leaves hooks of its own on a model that was asked for its hidden states.
    model, tokens = small_model(variant), small_tokens()
    with torch.no_grad():
        states = model.hf(**model.inputs(tokens), output_hidden_states=True).hidden_states
    read = [f"resid_pre.{layer}" for layer in range(model.n_layers)]
    values = model.run(tokens, read=read).sites
    for layer in range(model.n_layers):
        assert torch.equal(values[Site("resid_pre", layer)], states[layer])


def test_later_tokens_do_not_reach_earlier_ones(model: Model) -> None:
    tokens = small_tokens()
    model.use_eager("the test asks")
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 50
    a, b = model.run(tokens).logits, model.run(changed).logits
    assert torch.equal(a[:, :-1], b[:, :-1])
    assert not torch.equal(a[:, -1], b[:, -1])


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_does_not_change_a_prompt(model: Model, side: str) -> None:
    tokens = small_tokens(1, 6)
    padding = torch.zeros(1, 3, dtype=torch.long)
    ones = torch.ones_like(tokens)
    order = slice(None, None, -1 if side == "right" else 1)
    padded = torch.cat([padding, tokens][order], dim=1)
    mask = torch.cat([padding, ones][order], dim=1)
    real = slice(3, None) if side == "left" else slice(0, 6)
    torch.testing.assert_close(
        model.run(padded, mask=mask).logits[:, real], model.run(tokens).logits, atol=2e-5, rtol=1e-4
    )


def test_names_of_other_projects_are_read() -> None:
    gpt2, gemma, neox = (small_model(name) for name in ("gpt2", "gemma2", "gpt_neox"))
    assert gpt2.site("transformer.h.2.mlp") == Site("mlp_out", 2)
    assert gpt2.site("transformer.h.1") == Site("resid_post", 1)
    assert gpt2.site("transformer.h.0.attn") == Site("attn_out", 0)
    assert gpt2.site("transformer.ln_f") == Site("final_norm")
    assert gpt2.site("transformer.wpe") == Site("pos_embed")
    assert gpt2.site("lm_head") == Site("logits")
    assert gpt2.site("blocks.2.hook_resid_pre") == Site("resid_pre", 2)
    assert gpt2.site("resid_mid.0") == Site("resid_mid", 0)
    assert gemma.site("model.layers.1.post_feedforward_layernorm") == Site("mlp_out", 1)
    assert neox.site("gpt_neox.layers.2") == Site("resid_post", 2)


@pytest.mark.parametrize(
    ("variant", "name", "said"),
    [
        ("gpt2", "resid_post.3", "layers are 0 to 2"),
        ("gpt2", "resid_pst.1", "resid_post"),
        ("gpt2", "transformer.h.1.ml", "transformer.h.1.mlp"),
        ("gpt2", "transformer.h.9", "transformer.h"),
        ("llama", "pos_embed", "rotary"),
        ("gpt_neox", "resid_mid.0", "both read resid_pre"),
        ("gemma2", "model.layers.0.mlp", "post_feedforward_layernorm"),
    ],
)
def test_a_site_that_is_not_there_is_an_error_that_helps(variant: str, name: str, said: str) -> None:
    model = small_model(variant)
    with pytest.raises(SiteError, match=said):
        model.run(small_tokens(), read=[name])


def test_sequential_neox_has_a_middle() -> None:
    assert Site("resid_mid", 0) in small_model("gpt_neox_sequential").sites()


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (torch.zeros(1, 0, dtype=torch.long), "empty"),
        (torch.zeros(1, 33, dtype=torch.long), "33 tokens, the model's context 32"),
        (torch.tensor([[1, 61]]), "token id 61"),
        (torch.tensor([[-1, 6]]), "token id -1"),
    ],
)
def test_tokens_that_cannot_be_run(gpt2: Model, tokens: torch.Tensor, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        gpt2.run(tokens)
