"""The table of families, and models that it does not know."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import OlmoConfig, OPTConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from small_models import VARIANTS, small_hf, small_model, small_tokens
from truescope.core import FamilyError, Intervention, Site
from truescope.models import FAMILIES, Model, family_of


def test_every_family_of_the_house_has_a_table() -> None:
    wanted = {"gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "gemma3"}
    assert set(FAMILIES) == wanted


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_is_described_by_the_family_of_its_type(variant: str) -> None:
    hf = small_hf(variant)
    family = family_of(hf.config, hf)
    assert hf.config.model_type in family.model_types
    assert variant.startswith(family.name)


def test_an_unknown_family_is_an_error_that_says_how_to_describe_it() -> None:
    config = OPTConfig(
        vocab_size=61, hidden_size=16, ffn_dim=24, num_hidden_layers=2, num_attention_heads=2, word_embed_proj_dim=16
    )
    with pytest.raises(FamilyError) as caught:
        Model(AutoModelForCausalLM.from_config(config))
    said = str(caught.value)
    assert "no family table describes model type 'opt'" in said
    assert "model.decoder.layers.N.self_attn.q_proj (Linear) ×2" in said
    assert "family=Family(name=…" in said


def test_a_family_of_ones_own_is_enough() -> None:
    config = OlmoConfig(
        vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=32, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    hf = AutoModelForCausalLM.from_config(config)
    with pytest.raises(FamilyError, match="model type 'olmo'"):
        Model(hf)
    model = Model(hf, family=replace(FAMILIES["llama"], name="olmo"))
    tokens = small_tokens()
    edit = Intervention(Site("mlp_neurons", 1), "scale", 2.0, (-1,))
    assert torch.equal(model.run(tokens, read=model.sites()).logits, hf(**model.inputs(tokens)).logits)
    torch.testing.assert_close(
        model.tail(tokens).run([edit]), model.run(tokens, edit=[edit]).logits[:, -1], atol=1e-5, rtol=1e-4
    )


def test_a_table_that_does_not_fit_names_what_is_missing() -> None:
    with pytest.raises(FamilyError, match=r"no transformer.h, transformer.wte, transformer.wpe, transformer.ln_f"):
        Model(small_hf("llama"), family=FAMILIES["gpt2"])
    with pytest.raises(FamilyError, match=r"'llama' does not fit.*layers.0.mlp.gate_proj|has no model.layers"):
        Model(small_hf("gpt2"), family=FAMILIES["llama"])


def test_sizes(gpt2: Model) -> None:
    assert (gpt2.n_layers, gpt2.d_model, gpt2.n_neurons, gpt2.n_vocab, gpt2.context) == (3, 24, 40, 61, 32)
    qwen3 = small_model("qwen3")
    assert (qwen3.parts.d_attn_z, qwen3.parts.n_heads) == (32, 4)
    assert repr(gpt2) == "Model('small gpt2', gpt2, 3 layers, d_model 24)"
