"""The type against its equations written out with dense matrices, and its refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from random_dictionaries import EVERY, D, K, N, random_dictionary

from truescope import core
from truescope.core import DictionaryError, Site
from truescope.dictionaries import Dictionary, Group, Normalisation, layer_sites


def values_for(dictionary: Dictionary, n_positions: int = 11) -> dict[Site, torch.Tensor]:
    g = torch.Generator().manual_seed(3)
    return {site: torch.randn(n_positions, D, generator=g, dtype=torch.float64) for site in dictionary.reads}


def normalised(group: Group, x: torch.Tensor) -> torch.Tensor:
    mean, scale = group.normalisation.mean, group.normalisation.scale
    if mean is not None and scale is not None:
        return (x - mean) / scale
    if group.normalisation.kind == "token":
        return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0)
    return x


def dense_code(dictionary: Dictionary, group: Group, x: torch.Tensor) -> torch.Tensor:
    p = normalised(group, x) @ group.W_enc.T + group.b_enc
    if group.threshold is not None:
        return torch.where(p > group.threshold, p, 0)
    kept = torch.zeros_like(p).scatter_(1, p.topk(K).indices, 1)
    return p.relu() * kept


@pytest.mark.parametrize("parts", EVERY, ids=lambda p: "-".join(map(str, p.values())))
def test_codes_and_reconstructions_are_the_equations(parts: dict[str, Any]) -> None:
    dictionary = random_dictionary(**parts)
    values = values_for(dictionary)
    expected = {site: bias.expand(11, -1).clone() for site, bias in dictionary.b_dec.items()}
    for group in dictionary.groups:
        x = values[group.reads]
        z = dense_code(dictionary, group, x)
        torch.testing.assert_close(dictionary.encode(group.reads, x), z)
        # Any leading shape will do.
        assert dictionary.encode(group.reads, x[None, :, None]).shape == (1, 11, 1, N)
        for i, site in enumerate(group.writes):
            part = z @ group.W_dec[:, i * D : (i + 1) * D]
            torch.testing.assert_close(dictionary.decode(group.reads, z)[site], part)
            expected[site] += part
        if group.W_skip is not None:
            expected[group.writes[0]] += x @ group.W_skip.T
    rebuilt = dictionary.reconstruct(values)
    assert set(rebuilt) == set(expected)
    for site in expected:
        torch.testing.assert_close(rebuilt[site], expected[site])


@pytest.mark.parametrize("kind", ["none", "affine", "token"])
def test_an_encoder_held_at_a_prompt_gives_its_pre_activations(kind: str) -> None:
    dictionary = random_dictionary(normalisation=kind)
    (site, *_), x = dictionary.reads, values_for(dictionary)[dictionary.reads[0]]
    position, index = torch.tensor([0, 4, 10, 10]), torch.tensor([3, 0, 19, 3])
    vectors, constants = dictionary.encoder(site, x, position, index)
    held = (vectors * x[position]).sum(1) + constants
    torch.testing.assert_close(held, dictionary.pre_activations(site, x)[position, index])


def test_reads_and_writes_of_each_kind() -> None:
    assert layer_sites("transcoder", range(2)) == [
        (Site("mlp_in", 0), (Site("mlp_out", 0),)),
        (Site("mlp_in", 1), (Site("mlp_out", 1),)),
    ]
    assert layer_sites("clt", range(2))[0] == (Site("mlp_in", 0), (Site("mlp_out", 0), Site("mlp_out", 1)))
    assert layer_sites("sae", range(2), Site("attn_out", 1)) == [(Site("attn_out", 1), (Site("attn_out", 1),))]
    clt = random_dictionary("clt")
    assert clt.writes == tuple(Site("mlp_out", layer) for layer in range(3))
    assert clt.group(Site("mlp_in", 2)).writes == (Site("mlp_out", 2),)


def test_it_is_what_the_rooms_below_expect() -> None:
    assert isinstance(random_dictionary(), core.Dictionary)


def test_another_model_is_refused_with_the_way_out() -> None:
    dictionary = replace(random_dictionary(model_hash="a" * 64), info={"model": "stories"})
    dictionary.check_model("a" * 64)
    with pytest.raises(DictionaryError) as caught:
        dictionary.check_model("b" * 64, "'gpt2'")
    assert "another model than 'gpt2'" in caught.value.what
    assert "stories" in caught.value.fix and "truescope train" in caught.value.fix


def test_sites_it_does_not_read_or_write_are_answered_with_the_nearest() -> None:
    dictionary = random_dictionary()
    with pytest.raises(DictionaryError, match=r"did you mean mlp_in\.2"):
        dictionary.encode(Site("mlp_in", 22), torch.zeros(1, D))
    with pytest.raises(DictionaryError, match=r"do not write mlp_out\.1"):
        dictionary.groups[0].decoder(Site("mlp_out", 1))


def test_parts_that_do_not_fit_are_refused() -> None:
    whole = random_dictionary()
    group = whole.groups[0]
    broken = [
        {"k": 0},
        {"k": N + 1},
        {"kind": "transcodr"},
        {"activation": "jumprelu"},
        {"groups": ()},
        {"groups": (replace(group, threshold=group.b_enc), *whole.groups[1:])},
        {"groups": whole.groups[1:]},
    ]
    for change in broken:
        with pytest.raises(DictionaryError):
            replace(whole, **change)
    with pytest.raises(DictionaryError, match="did you mean transcoder"):
        replace(whole, kind="transcodr")
    with pytest.raises(DictionaryError, match="k is 21, of 20 features"):
        replace(whole, k=21)
    with pytest.raises(DictionaryError, match="mean and scale belong to affine"):
        Normalisation("token", scale=2.0)
    with pytest.raises(DictionaryError, match="only an sae"):
        layer_sites("sae", range(2))
