"""Evidence against the real model: effects against edits, examples and density against plain readings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PretrainedConfig,
)

from truescope.core.errors import UsageError
from truescope.core.features import Example, Feature
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.explain import (
    UnitSet,
    direct_effects,
    domain_evidence,
    focus_tokens,
    last_activations,
    operand_plot,
    text_evidence,
    token_activations,
    token_effects,
    unit_name,
)
from truescope.models import Model

_ROTARY = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 31,
    "max_position_embeddings": 32,
    "tie_word_embeddings": False,
}
CONFIGS: dict[str, PretrainedConfig] = {
    "gpt2": GPT2Config(n_embd=24, n_layer=2, n_head=2, vocab_size=31, n_positions=32, activation_function="relu"),
    "gpt_neox": GPTNeoXConfig(**_ROTARY),
    "llama": LlamaConfig(**_ROTARY),
    "gemma2": Gemma2Config(**_ROTARY, head_dim=12),
    "gemma3": Gemma3TextConfig(**_ROTARY, head_dim=12),
}


def small(name: str) -> Model:
    torch.manual_seed(0)
    hf = AutoModelForCausalLM.from_config(CONFIGS[name])
    with torch.no_grad():
        for parameter in hf.parameters():  # gains of one and biases of zero would hide mistakes
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return Model(hf)


@pytest.mark.parametrize("name", CONFIGS)
def test_direct_effects_are_what_an_edit_adds(name: str):
    model = small(name)
    tokens = torch.tensor([3, 1, 4])
    features = [Feature(0, 5), Feature(1, 7), Feature(1, 0)]
    got = direct_effects(UnitSet(model), features)
    for row, feature in zip(got, features, strict=True):
        # All neurons but one silenced: what is written beside the bias is the one column, through the post-norm if any.
        site, out = Site("mlp_neurons", feature.layer), Site("mlp_out", feature.layer)
        silent = Intervention(site, "ablate_zero")
        one = Intervention(site, "set", 1e3, units=(feature.index,))
        base = model.run(tokens, read=[out], edit=[silent]).sites[out][0, -1]
        written = model.run(tokens, read=[out], edit=[silent, one]).sites[out][0, -1] - base
        with torch.no_grad():
            norm, unembed = model.parts.final_norm, model.parts.unembed
            shift = unembed(norm(written * 1e3)) - unembed(norm(torch.zeros_like(written)))
        shift = shift - shift.mean()
        # Equal up to the norms' positive denominators.
        assert torch.nn.functional.cosine_similarity(row, shift, dim=0) > 1 - 1e-4
        assert row.mean().abs() < 1e-5


def test_direct_effect_of_a_last_layer_neuron_has_the_size_that_the_logits_show():
    model = small("gpt2")
    tokens, feature = torch.tensor([3, 1, 4]), Feature(1, 7)
    resid, site = Site("resid_post", 1), Site("mlp_neurons", 1)
    step = 1e-3
    base = model.run(tokens, read=[resid])
    moved = model.run(tokens, read=[resid], edit=[Intervention(site, "add", step, units=(7,))])
    with torch.no_grad():
        gain, bias = map(model.parts.final_norm.get_parameter, ("weight", "bias"))
        centred = [r.sites[resid][0, -1] - r.sites[resid][0, -1].mean() for r in (base, moved)]
        scale = centred[0].pow(2).mean().add(model.config.layer_norm_epsilon).sqrt()
        frozen = [model.parts.unembed(gain * c / scale + bias) for c in centred]
    shift = (frozen[1] - frozen[0]) / step
    torch.testing.assert_close(
        direct_effects(UnitSet(model), [feature])[0] / scale, shift - shift.mean(), rtol=2e-2, atol=2e-3
    )


def test_promoted_and_suppressed_tokens_are_the_ends_of_the_effects():
    model = small("llama")
    features = [Feature(0, 1), Feature(1, 2)]
    effects = direct_effects(UnitSet(model), features)
    for row, (promoted, suppressed) in zip(
        effects, token_effects(UnitSet(model), features, n_tokens=3, batch=1), strict=True
    ):
        order = row.argsort(descending=True).tolist()
        assert [token for token, _ in promoted] == [f"#{i}" for i in order[:3]]
        assert [token for token, _ in suppressed] == [f"#{i}" for i in order[:-4:-1]]
        assert promoted[0][1] == pytest.approx(float(row.max()), rel=1e-5)
        assert suppressed[0][1] == pytest.approx(float(row.min()), rel=1e-5)


@pytest.fixture(scope="module")
def grid() -> tuple[Model, torch.Tensor, np.ndarray, np.ndarray]:
    """A random model over prompts [30, a, 29, b] for a and b below 20: a part of the operands' domain."""
    model = small("gpt2")
    first, second = (g.ravel() for g in np.meshgrid(np.arange(20), np.arange(20), indexing="ij"))
    tokens = torch.stack([torch.full((400,), 30), torch.tensor(first), torch.full((400,), 29), torch.tensor(second)], 1)
    return model, tokens, first, second


def test_last_activations_are_the_plain_reading(grid):
    model, tokens, *_ = grid
    got = last_activations(model, tokens, batch=130)
    units = UnitSet(model).every()
    assert got.shape == (400, 2 * 96) and len(units) == 192
    run = model.run(tokens[7], read=["mlp_neurons.0", "mlp_neurons.1"])
    both = torch.cat([run.sites[Site("mlp_neurons", layer)][0, -1] for layer in (0, 1)])
    np.testing.assert_allclose(got[7], both.numpy(), rtol=1e-4, atol=1e-5)


def test_domain_evidence_says_what_the_activations_say(grid):
    model, tokens, first, second = grid
    values = last_activations(model, tokens)
    units = UnitSet(model).every()
    dead = units[0]
    values[:, 0] = 0.0
    alive = max(range(1, len(units)), key=lambda i: values[:, i].max())
    dependence = {"magnitude": np.arange(len(units)) / len(units)}
    found = domain_evidence(
        model,
        tokens,
        values,
        units,
        features=[dead, units[alive]],
        operands=(first, second),
        dependence=dependence,
        n_examples=3,
        n_tokens=2,
    )
    silent, evidence = found
    assert silent.examples == () and silent.density == 0 and silent.name.startswith("never active → #")
    z = values[:, alive]
    best = int(z.argmax())
    assert evidence.n == 400 and evidence.density == pytest.approx((z != 0).mean())
    assert [e.activations[-1] for e in evidence.examples] == pytest.approx(sorted(z.tolist())[:-4:-1], rel=1e-4)
    assert evidence.examples[0].tokens == ("#30", f"#{first[best]}", "#29", f"#{second[best]}")
    assert evidence.examples[0].focus == 3
    # Only the positions at which the prompts differ are in the name: never the template, never a meaning.
    promoted = [token for token, _ in evidence.promoted]
    assert evidence.name == f"#{first[best]} · #{second[best]} → {promoted[0]}, {promoted[1]}"
    assert evidence.operand_plot[first[5]][second[5]] == pytest.approx(z[5], abs=1e-3 * float(z.max()))
    assert evidence.operand_plot[99][99] is None
    assert evidence.dependence == {"magnitude": alive / len(units)}


def test_operand_plot_has_the_first_operand_in_rows():
    first, second = (g.ravel() for g in np.meshgrid(np.arange(100), np.arange(100), indexing="ij"))
    plot = operand_plot(first + second / 1000.0, (first, second), significant=6)
    assert plot[36][59] == pytest.approx(36.059) and plot[59][36] == pytest.approx(59.036)
    assert operand_plot(np.zeros(10_000), (first, second))[5][5] == 0.0


def test_token_activations_read_every_position_once_for_prompts_of_all_lengths():
    model = small("llama")
    prompts = [torch.tensor([1, 2, 3]), torch.tensor([4, 5]), torch.tensor([6, 7, 8])]
    wanted = [(0, Feature(0, 3)), (1, Feature(1, 4)), (2, Feature(0, 3)), (0, Feature(1, 1))]
    got = token_activations(UnitSet(model), prompts, wanted, batch=2)
    assert set(got) == set(wanted)
    for (prompt, feature), values in got.items():
        site = Site("mlp_neurons", feature.layer)
        alone = model.run(prompts[prompt], read=[site]).sites[site][0, :, feature.index]
        np.testing.assert_allclose(values, alone.numpy(), rtol=1e-4, atol=1e-6)


def test_text_evidence_of_a_real_model(stories260k: Path):
    model = Model.from_pretrained(stories260k)
    texts = [
        model.tokens(text)
        for text in (
            "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.",
            "The dog ran after the ball. The dog was very happy and barked.",
            "Tom and his mom went to the store to buy some milk.",
        )
    ]
    features = [Feature(4, 10), Feature(0, 3)]
    found = text_evidence(model, texts, features, n_examples=2, window=4)
    for evidence in found:
        site = Site("mlp_neurons", evidence.feature.layer)
        z = [model.run(t, read=[site]).sites[site][0, 1:, evidence.feature.index].numpy() for t in texts]
        assert evidence.n == sum(len(t) - 1 for t in texts)
        assert evidence.density == pytest.approx(np.mean(np.concatenate(z) != 0))
        largest = sorted((float(values.max()) for values in z), reverse=True)
        shown = [example.activations[example.focus] for example in evidence.examples]
        assert shown == pytest.approx(largest[:2], rel=1e-4)
        strongest = int(np.argmax([values.max() for values in z]))
        focus = model.token_strings(texts[strongest])[1 + int(z[strongest].argmax())]
        assert evidence.examples[0].tokens[evidence.examples[0].focus] == focus
        assert len(evidence.examples[0].tokens) <= 9 and "→" in evidence.name
        assert evidence.name.startswith(focus.strip() or "␣")


def test_names_are_tokens_and_nothing_else():
    examples = [Example((" a", " dog"), (0.0, 2.0), 1), Example((" dog",), (1.5,), 0), Example(("\n",), (1.0,), 0)]
    assert focus_tokens(examples, n=2) == [" dog", "\n"]
    assert unit_name([" dog", "\n"], [" barked", " ran", " sat"]) == "dog, ⏎ → barked, ran"
    assert unit_name(["36", "59"], ["95", "85"], separator=" · ") == "36 · 59 → 95, 85"


def test_bad_features_and_texts_are_refused(grid):
    model, tokens, *_ = grid
    with pytest.raises(UsageError, match="no neuron 2/0"):
        direct_effects(UnitSet(model), [Feature(2, 0)])
    with pytest.raises(UsageError, match="one column for each unit"):
        domain_evidence(model, tokens, np.zeros((400, 1)), UnitSet(model).every())
    with pytest.raises(UsageError, match="at least one text"):
        text_evidence(model, [], [Feature(0, 0)])
