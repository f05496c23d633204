"""Graphs on autoencoders close, on every family and at every site, and their edges are what ablation says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from frozen_by_hand import FrozenByHand, Nudge
from whole import whole

from small_models import VARIANTS, small_model, small_tokens
from truescope.core.errors import DictionaryError, SiteError
from truescope.core.graphs import NodeKind
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, Group, Normalisation
from truescope.models import Model
from truescope.trace import AutoencoderReplacement, direct_effects
from truescope.trace.patching import live_effects

N = 40


def random_autoencoders(
    model: Model, sites: list[Site], *, activation: str = "topk", normalisation: str = "affine"
) -> Dictionary:
    """Random weights of the right shapes: nothing is learned, so the error is large and must be accounted for."""
    torch.manual_seed(0)
    d = model.d_model
    norm = Normalisation.fit(normalisation, torch.randn(50, d) * 2 + 1)
    groups = tuple(
        Group(
            site,
            (site,),
            W_enc=torch.randn(N, d),
            b_enc=torch.randn(N) * 0.3,
            W_dec=torch.randn(N, d) * 0.2,
            normalisation=norm,
            threshold=torch.rand(N) * 0.5 if activation == "jumprelu" else None,
        )
        for site in sites
    )
    k = 6 if activation == "topk" else None
    return Dictionary(
        "random", "sae", activation, groups, {s: torch.randn(d) for s in sites}, k=k, model_hash=model.hash
    )


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", ["mlp_out", "resid_post", "attn_out", "resid_mid", "resid_pre"])
def test_every_family_closes_at_every_site(variant: str, kind: str) -> None:
    model, tokens = small_model(variant), small_tokens(1)[0]
    if kind == "resid_mid" and model.parts.parallel:
        pytest.skip("attention and MLP are parallel: there is no middle")
    sites = [Site(kind, layer) for layer in range(model.n_layers)]
    found = whole(model, tokens, AutoencoderReplacement(model, random_autoencoders(model, sites)))
    assert found.explorer.closure_gap <= 1e-5
    assert np.abs(found.edges[:, found.columns("error")]).max() > 0.01


@pytest.mark.parametrize("activation", ["topk", "jumprelu"])
@pytest.mark.parametrize("normalisation", ["none", "token"])
def test_normalisations_are_held_like_norms(activation: str, normalisation: str) -> None:
    model, tokens = small_model("gemma2"), small_tokens(1)[0]
    sites = [Site("mlp_out", 0), Site("resid_mid", 2)]
    dictionary = random_autoencoders(model, sites, activation=activation, normalisation=normalisation)
    found = whole(model, tokens, AutoencoderReplacement(model, dictionary))
    assert found.explorer.closure_gap <= 1e-5


@pytest.mark.parametrize("variant", ["gpt2", "gpt_neox", "llama", "gemma2"])
def test_an_edge_is_what_ablating_its_source_takes_away(variant: str) -> None:
    model, tokens = small_model(variant), small_tokens(1)[0]
    # Of different kinds, and one layer without.
    cuts = {0: "mlp_out", 2: "resid_post"}
    dictionary = random_autoencoders(model, [Site(kind, layer) for layer, kind in cuts.items()], normalisation="none")
    found = whole(model, tokens, AutoencoderReplacement(model, dictionary))
    by_hand = FrozenByHand(model, tokens, cuts)
    before, sources = by_hand.original, found.sources
    nudges = [(int(found.columns("token", position=p)[0]), Nudge(-1, p, -model.parts.embed(tokens)[p])) for p in (0, 4)]
    for layer, kind in cuts.items():
        units, group = sources.units[layer], dictionary.group(Site(kind, layer))
        # At the last position, where the answer reads; from layer 0 heads carry also what stands before.
        for row in (len(units.index) - 2, 3)[: 2 - (layer == 2)]:
            vector = -group.W_dec[int(units.index[row])] * float(units.activation[row])
            nudges.append((sources.unit_start[layer] + row, Nudge(layer, int(units.position[row]), vector)))
    for column, nudge in nudges:
        after = by_hand.after(nudge)
        units = []
        for layer, kind, a, b in zip(cuts, cuts.values(), after.h, before.h, strict=True):
            rows = torch.from_numpy(sources.units[layer].index).long()
            change = (b - a)[torch.from_numpy(sources.units[layer].position).long()]
            units.append((change * dictionary.group(Site(kind, layer)).W_enc[rows].double()).sum(1))
        wanted = torch.cat([*units, (before.logits - after.logits)[torch.from_numpy(found.logits)]]).numpy()
        assert np.abs(wanted).max() > 1e-3
        np.testing.assert_allclose(found.edges[:, column], wanted, rtol=1e-3, atol=2e-5 * max(1, np.abs(wanted).max()))


def test_nothing_gets_past_a_cut_of_the_stream() -> None:
    model, tokens = small_model("llama"), small_tokens(1)[0]
    dictionary = random_autoencoders(model, [Site("mlp_out", 0), Site("resid_mid", 1)])
    effects = direct_effects(model, tokens, replacement=AutoencoderReplacement(model, dictionary))
    logits = effects.weight[effects.n_units :]
    layer = np.array([node.layer for node in effects.sources])
    above = [i for i, node in enumerate(effects.sources) if node.constant == "mlp_in_bias" and node.layer == 1]
    # The MLP of layer 1 comes after its cut, what is before does not reach the answer.
    assert np.abs(logits[:, above]).max() > 0
    assert not effects.reachable[effects.n_units :, layer < 1].any() and not logits[:, layer < 1].any()
    middle = [i for i, node in enumerate(effects.targets) if node.kind is NodeKind.UNIT and node.layer == 1]
    assert np.abs(effects.weight[np.ix_(middle, layer == 0)]).max() > 0


def test_held_gates_make_an_mlp_linear_without_a_rest() -> None:
    """Without autoencoders nothing stands in for the MLPs, and the answer is made of tokens and constants alone."""
    model, tokens = small_model("gpt2"), small_tokens(1)[0]
    dictionary = random_autoencoders(model, [Site("attn_out", 2)])
    found = whole(model, tokens, AutoencoderReplacement(model, dictionary))
    assert found.explorer.closure_gap <= 1e-5
    kinds = {str(kind) for kind in found.sources.kind[np.abs(found.edges[-1]) > 0]}
    assert kinds == {"unit", "error", "token", "constant"}
    names = set(found.sources.name[found.sources.kind == "constant"])
    assert {"mlp_in_bias", "mlp_out_bias", "decoder_bias", "encoder_bias"} <= names


def test_what_cannot_be_units_is_said() -> None:
    model = small_model("gpt2")
    with pytest.raises(DictionaryError, match="two sites in layer 1"):
        AutoencoderReplacement(model, random_autoencoders(model, [Site("mlp_out", 1), Site("attn_out", 1)]))
    with pytest.raises(DictionaryError, match="cannot be the units"):
        AutoencoderReplacement(model, random_autoencoders(model, [Site("mlp_in", 1)]))
    whole_thing = random_autoencoders(model, [Site("mlp_out", 1)])
    skipping = replace(whole_thing.groups[0], W_skip=torch.eye(model.d_model))
    with pytest.raises(DictionaryError, match="cannot be the units"):
        AutoencoderReplacement(model, replace(whole_thing, groups=(skipping,)))
    with pytest.raises(DictionaryError, match="belongs to another model"):
        AutoencoderReplacement(small_model("llama"), random_autoencoders(model, [Site("mlp_out", 1)]))
    with pytest.raises(SiteError, match="both read resid_pre"):
        neox = small_model("gpt_neox")
        AutoencoderReplacement(neox, random_autoencoders(neox, [Site("resid_mid", 1)]))


def test_live_effects_of_features_are_ablations_of_the_model() -> None:
    model, tokens = small_model("llama"), small_tokens(1)[0]
    sites = [Site("resid_post", 0), Site("mlp_out", 1)]
    dictionary = random_autoencoders(model, sites, activation="jumprelu")
    effects = direct_effects(model, tokens, replacement=AutoencoderReplacement(model, dictionary))
    live = live_effects(effects)
    unit = effects.sources[2]
    delta = torch.zeros(len(tokens), model.d_model)
    delta[unit.position] = -unit.activation * dictionary.groups[0].W_dec[unit.index]
    edited = model.run(tokens, read=sites, edit=[Intervention(sites[0], "add", delta)])
    clean = model.run(tokens, read=sites)
    row = next(i for i, node in enumerate(effects.targets) if node.layer == 1 and node.position == len(tokens) - 1)
    at = effects.targets[row]
    before, after = (dictionary.pre_activations(sites[1], run.sites[sites[1]][0])[at.position, at.index]
                     for run in (clean, edited))  # fmt: skip
    assert live[row, 2] == pytest.approx(float(before - after), rel=1e-3, abs=1e-5) and live[row, 2] != 0
    # What the site itself loses is no effect on the features that read it.
    same = [i for i, node in enumerate(effects.targets) if node.kind is NodeKind.UNIT and node.layer == 0]
    assert not live[same, 2].any()
