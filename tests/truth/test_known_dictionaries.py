"""Exact dictionaries reconstruct, spoilt ones do not; a cross-layer transcoder that is exact hides a hop."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import Float

from truescope.core.errors import UsageError
from truescope.core.sites import Site
from truescope.models import Model
from truescope.truth import (
    Compiled,
    KnownFeatures,
    collapse,
    compile_program,
    exact_autoencoder,
    exact_transcoders,
    inputs,
    named_programs,
    random_like,
    random_program,
    randomised,
    rotated,
    shuffled,
)
from truescope.truth.compiled.weights import Norms

VARIANTS: tuple[Norms, ...] = ("identity", "balanced")
CHAINS = ["two_hop_in_place", "boolean_chain", "boolean_redundant_or"]


def _values(compiled: Compiled, kinds: tuple[str, ...]) -> dict[Site, Float[torch.Tensor, "n d_model"]]:
    """What stands at some sites, at all positions of up to 200 inputs."""
    every = list(inputs(compiled.program))[:200]
    model = Model(compiled.model, compiled.tokenizer)
    sites = [Site(kind, layer) for kind in kinds for layer in range(model.n_layers)]
    run = model.run(torch.stack([compiled.token_ids(prompt) for prompt in every]), read=sites)
    return {site: value.flatten(0, 1) for site, value in run.sites.items()}


def _error(features: KnownFeatures, values: dict[Site, torch.Tensor]) -> float:
    (site,) = features.writes
    return float((features.decode(features.encode(values[features.reads]), site) - values[site]).abs().max())


@pytest.mark.parametrize("norms", VARIANTS)
@pytest.mark.parametrize("name", [*named_programs(), "random"])
def test_exact_dictionaries_reconstruct_exactly(name: str, norms: Norms) -> None:
    program = random_program(3) if name == "random" else named_programs()[name]
    compiled = compile_program(program, norms)
    values = _values(compiled, ("mlp_in", "mlp_out", "resid_mid", "resid_post"))
    for transcoder in exact_transcoders(compiled):
        assert _error(transcoder, values) < 2e-4
    for layer in range(compiled.layout.n_layers):
        for kind in ("resid_mid", "resid_post", "mlp_out"):
            assert _error(exact_autoencoder(compiled, Site(kind, layer)), values) < 1e-3


def test_the_features_of_an_exact_autoencoder_are_the_variables() -> None:
    compiled = compile_program(named_programs()["two_hop"])
    features = exact_autoencoder(compiled, Site("resid_post", 0))
    model = Model(compiled.model, compiled.tokenizer)
    tokens = compiled.token_ids(("<bos>", "Dallas", "capital"))
    value = model.run(tokens, read=[features.reads]).sites[features.reads][0]
    active = [features.labels[i] for i in features.encode(value[1]).nonzero().flatten().tolist()]
    assert {"tokens:Dallas", "position:1", "one", "state:Texas"} <= set(active)
    assert not [label for label in active if label.startswith("state:") and label != "state:Texas"]


def test_spoilt_dictionaries_do_not_reconstruct() -> None:
    compiled = compile_program(named_programs()["modular_addition"])
    values = _values(compiled, ("mlp_in", "mlp_out"))
    (exact,) = exact_transcoders(compiled)
    for spoil in (rotated, shuffled, random_like):
        spoilt = spoil(exact, 0)
        assert _error(spoilt, values) > 0.3, spoil.__name__
        assert torch.equal(spoilt.W_dec, spoil(exact, 0).W_dec)
        assert not torch.equal(spoilt.W_dec, spoil(exact, 1).W_dec)
    # Rotated: the decoders span the same space.
    both = torch.cat([exact.W_dec, rotated(exact, 0).W_dec])
    assert torch.linalg.matrix_rank(both) == torch.linalg.matrix_rank(exact.W_dec)
    # Shuffled: the same features are active, on the same inputs.
    read = values[exact.reads]
    assert torch.equal(shuffled(exact, 0).encode(read), exact.encode(read))


def test_a_randomised_model_has_the_same_entries_and_another_mechanism() -> None:
    compiled = compile_program(named_programs()["modular_addition"], "balanced")
    other = randomised(compiled, 0)
    for name, weight in compiled.model.named_parameters():
        assert torch.equal(weight.flatten().sort().values, other.get_parameter(name).flatten().sort().values)
    every = torch.stack([compiled.token_ids(prompt) for prompt in inputs(compiled.program)])
    same = other(every).logits.argmax(-1) == compiled.model(every).logits.argmax(-1)
    assert float(same[:, 1:].float().mean()) < 0.5


@pytest.mark.parametrize("norms", VARIANTS)
@pytest.mark.parametrize("name", CHAINS)
def test_both_dictionaries_of_a_chain_are_exact_on_all_inputs(name: str, norms: Norms) -> None:
    compiled = compile_program(named_programs()[name], norms)
    found = collapse(compiled)
    values = _values(compiled, ("mlp_in", "mlp_out"))
    n_active = []
    for groups in (found.per_layer, found.cross_layer):
        codes = {group.reads: group.encode(values[group.reads]) for group in groups}
        n_active.append(sum(int((code > 0).sum()) for code in codes.values()))
        for layer in range(compiled.layout.n_layers):
            site = Site("mlp_out", layer)
            written = sum(group.decode(codes[group.reads], site) for group in groups if site in group.writes)
            assert float((written - values[site]).abs().max()) < 1e-4
    assert n_active[1] < n_active[0], "the collapsed one must be the sparser"


def test_the_collapsed_chain_has_no_second_hop() -> None:
    compiled = compile_program(named_programs()["two_hop_in_place"])
    found = collapse(compiled)
    assert found.roots == ("city", "tokens") and found.hops == (("state", "capital"),)
    later = [label for group in found.cross_layer[1:] for label in group.labels]
    assert later and all("decoy" in label for label in later)
    dallas = found.cross_layer[0].labels.index("city=Dallas, tokens=?")
    written = found.cross_layer[0].W_dec[dallas].unflatten(0, (2, -1))
    names = [[compiled.directions.names[i] for i in row.nonzero().flatten().tolist()] for row in written]
    assert names == [["state:Texas"], ["capital:Austin"]]


def test_what_is_no_chain_is_refused() -> None:
    for name in ("two_hop", "histogram", "copy_last"):
        with pytest.raises(UsageError, match="collapse"):
            collapse(compile_program(named_programs()[name]))
    with pytest.raises(UsageError, match="no variables are told"):
        exact_autoencoder(compile_program(named_programs()["copy_last"]), Site("mlp_in", 0))
