"""Graphs on the features of a dictionary close too: every kind, activation and normalisation, on every family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from whole import whole

from small_models import VARIANTS, small_model, small_tokens
from truescope.core.errors import DictionaryError
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, Group, Normalisation, layer_sites
from truescope.models import Model
from truescope.trace import DictionaryReplacement, NeuronReplacement, trace_graph
from truescope.trace.record import record

N = 40


def random_dictionary(
    model: Model, kind: str, *, activation: str = "topk", normalisation: str = "affine", skip: bool = False
) -> Dictionary:
    """Random weights of the right shapes: nothing is learned, so the error is large and must be accounted for."""
    torch.manual_seed(0)
    d = model.d_model
    norm = Normalisation.fit(normalisation, torch.randn(50, d) * 2 + 1)
    groups = []
    for reads, writes in layer_sites(kind, range(model.n_layers)):
        groups.append(
            Group(
                reads,
                writes,
                W_enc=torch.randn(N, d),
                b_enc=torch.randn(N) * 0.3,
                W_dec=torch.randn(N, d * len(writes)) * 0.2,
                normalisation=norm,
                threshold=torch.rand(N) * 0.5 if activation == "jumprelu" else None,
                W_skip=torch.randn(d, d) * 0.1 if skip else None,
            )
        )
    biases = {Site("mlp_out", layer): torch.randn(d) for layer in range(model.n_layers)}
    k = 6 if activation == "topk" else None
    return Dictionary("random", kind, activation, tuple(groups), biases, k=k, model_hash=model.hash)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("kind", "skip"), [("transcoder", False), ("transcoder", True), ("clt", False)])
def test_every_family_closes_on_features(variant: str, kind: str, skip: bool) -> None:
    model, tokens = small_model(variant), small_tokens(1)[0]
    graph = trace_graph(
        model, tokens, replacement=DictionaryReplacement(model, random_dictionary(model, kind, skip=skip))
    ).graph
    assert graph.closure_gap <= 1e-5
    assert graph.dictionary == "random" and graph.replacement[1] < 1


@pytest.mark.parametrize("activation", ["topk", "jumprelu"])
@pytest.mark.parametrize("normalisation", ["none", "affine", "token"])
@pytest.mark.parametrize("kind", ["transcoder", "clt"])
def test_normalisations_are_held_like_norms(kind: str, activation: str, normalisation: str) -> None:
    model, tokens = small_model("gemma2"), small_tokens(1)[0]
    dictionary = random_dictionary(model, kind, activation=activation, normalisation=normalisation)
    found = whole(model, tokens, DictionaryReplacement(model, dictionary))
    assert found.explorer.closure_gap <= 1e-5
    assert np.abs(found.edges[:, found.columns("error")]).max() > 0.01


def test_active_features_are_the_dictionarys_code() -> None:
    model, tokens = small_model("llama"), small_tokens(1)[0]
    dictionary = random_dictionary(model, "clt")
    run = record(model, tokens)
    local = DictionaryReplacement(model, dictionary).local(run)
    for layer in range(model.n_layers):
        units = local.units(layer)
        code = torch.zeros(run.n_pos, N)
        code[units.position.astype(np.int64), units.index.astype(np.int64)] = torch.from_numpy(units.activation)
        torch.testing.assert_close(code, dictionary.encode(Site("mlp_in", layer), run.mlp_in[layer]))


def test_neurons_as_a_transcoder_give_the_neurons_graph() -> None:
    # A ReLU layer is a TopK dictionary that keeps everything.
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=20, n_positions=8, n_embd=24, n_layer=2, n_head=2, activation_function="relu")
    model, tokens = Model(GPT2LMHeadModel(config)), torch.tensor([3, 1, 4, 1, 5])
    groups = tuple(
        Group(
            Site("mlp_in", layer),
            (Site("mlp_out", layer),),
            W_enc=model.mlp(layer).get_parameter("c_fc.weight").T.contiguous(),
            b_enc=model.mlp(layer).get_parameter("c_fc.bias"),
            W_dec=model.mlp(layer).get_parameter("c_proj.weight"),
        )
        for layer in range(model.n_layers)
    )
    biases = {Site("mlp_out", layer): model.mlp(layer).get_parameter("c_proj.bias") for layer in range(model.n_layers)}
    dictionary = Dictionary("copy", "transcoder", "topk", groups, biases, k=model.n_neurons, model_hash=model.hash)
    ours = whole(model, tokens, DictionaryReplacement(model, dictionary))
    theirs = whole(model, tokens, NeuronReplacement(model))
    np.testing.assert_allclose(ours.edges[:, ours.columns("unit")], theirs.edges[:, theirs.columns("unit")], atol=1e-4)
    assert np.abs(ours.edges[:, ours.columns("error")]).max() < 1e-4


def test_only_dictionaries_of_this_models_mlps_stand_in_for_them() -> None:
    model, other = small_model("gpt2"), small_model("llama")
    with pytest.raises(DictionaryError, match="belongs to another model"):
        DictionaryReplacement(other, random_dictionary(model, "clt"))
    group = Group(
        Site("resid_post", 0), (Site("resid_post", 0),), torch.randn(N, 24), torch.zeros(N), torch.randn(N, 24)
    )
    sae = Dictionary("sae", "sae", "topk", (group,), {Site("resid_post", 0): torch.zeros(24)}, k=3)
    with pytest.raises(DictionaryError, match="cannot stand in"):
        DictionaryReplacement(model, sae)
