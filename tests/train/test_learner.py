"""Training finds a dictionary that was planted, and what it hands on is what it trained."""

from __future__ import annotations

import pytest
import torch

from truescope.core import Site
from truescope.dictionaries import fvu
from truescope.train import TrainConfig
from truescope.train.learner import Learner, order

D, N_PLANTED, ACTIVE = 16, 24, 2
LAYERS = 2


def planted(kind: str, n: int = 12_000) -> tuple[dict[Site, torch.Tensor], dict[Site, torch.Tensor]]:
    """Sparse codes of random atoms; what they write is another random map, for a CLT also one layer later."""
    g = torch.Generator().manual_seed(0)
    values: dict[Site, torch.Tensor] = {}
    atoms: dict[Site, torch.Tensor] = {}
    later = torch.zeros(n, D)
    for layer in range(LAYERS):
        features = torch.rand(n, N_PLANTED, generator=g).topk(ACTIVE, dim=1).indices
        z = torch.zeros(n, N_PLANTED).scatter_(1, features, 1 + torch.rand(n, ACTIVE, generator=g))
        read, write = (torch.nn.functional.normalize(torch.randn(N_PLANTED, D, generator=g), dim=1) for _ in range(2))
        values[Site("mlp_in", layer)] = z @ read + 0.5
        values[Site("mlp_out", layer)] = 3 * z @ write + 1 + later
        if kind == "clt":
            later = z @ torch.nn.functional.normalize(torch.randn(N_PLANTED, D, generator=g), dim=1)
        atoms[Site("mlp_out", layer)] = write
    return values, atoms


def trained(config: TrainConfig, values: dict[Site, torch.Tensor], site: Site | None = None) -> Learner:
    n = len(next(iter(values.values())))
    learner = Learner(config, LAYERS, values, site)
    for step in range(config.n_steps):
        epoch, at = divmod(step, n // config.batch)
        rows = order(n, config.seed, epoch)[at * config.batch : (at + 1) * config.batch]
        learner.step({s: v[rows] for s, v in values.items()}, config.rate(step), step)
    return learner


def settings(**more: object) -> TrainConfig:
    base = {"n_features": 48, "k": 4, "tokens": 100_000, "batch": 256, "lr": 0.01, "dead_after": 5000}
    return TrainConfig(**{**base, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["transcoder", "clt"])
def test_a_planted_dictionary_is_recovered(kind: str) -> None:
    values, atoms = planted(kind)
    made = trained(settings(kind=kind), values).dictionary("found", "", {})
    rebuilt = made.reconstruct({s: values[s] for s in made.reads})
    for site, target in atoms.items():
        assert fvu(values[site], rebuilt[site]) < 0.06
        written = next(g for g in made.groups if g.writes[0] == site).decoder(site)
        closest = (torch.nn.functional.normalize(written, dim=1) @ target.T).max(0).values
        assert float((closest > 0.9).float().mean()) > 0.85


def test_an_autoencoder_with_thresholds_recovers_it_too() -> None:
    values, _ = planted("transcoder")
    site = Site("mlp_in", 0)
    config = settings(kind="sae", site="mlp_in.0", activation="jumprelu", bandwidth=0.5, l0_coefficient=1e-3)
    made = trained(config, {site: values[site]}, site).dictionary("found", "", {})
    rebuilt = made.reconstruct({site: values[site]})[site]
    assert made.activation == "jumprelu" and fvu(values[site], rebuilt) < 0.05
    l0 = (made.encode(site, values[site]) > 0).float().sum(1).mean()
    assert ACTIVE <= float(l0) < 16


def test_a_skip_takes_what_is_linear() -> None:
    values, _ = planted("transcoder")
    g = torch.Generator().manual_seed(5)
    for layer in range(LAYERS):
        values[Site("mlp_out", layer)] += values[Site("mlp_in", layer)] @ torch.randn(D, D, generator=g)
    config = settings(kind="transcoder", tokens=30_000, k=2)
    fit = {}
    for skip in (False, True):
        made = trained(TrainConfig(**{**config.record(), "skip": skip}), values).dictionary("found", "", {})
        rebuilt = made.reconstruct({s: values[s] for s in made.reads})
        fit[skip] = sum(fvu(values[s], rebuilt[s]) for s in made.writes)
    assert fit[True] < fit[False] / 2


@pytest.mark.parametrize("kind", ["transcoder", "clt"])
@pytest.mark.parametrize("skip", [False, True])
def test_the_dictionary_is_the_learner_in_the_models_units(kind: str, skip: bool) -> None:
    values, _ = planted(kind, 2000)
    learner = trained(settings(kind=kind, skip=skip, tokens=10_000), values)
    made = learner.dictionary("found", "", {})
    rebuilt = made.reconstruct({s: values[s] for s in made.reads})
    totals = {s: learner.b_dec[s].expand(2000, -1).clone() for s in learner.writes}
    for site in learner.reads:
        for written, part in learner.write(site, values[site]).items():
            totals[written] += part
    for site in learner.writes:
        torch.testing.assert_close(rebuilt[site], totals[site], rtol=1e-4, atol=1e-4)
    for weights in learner.weights:
        torch.testing.assert_close(weights.W_dec.norm(dim=1), torch.ones(48))


def test_aux_k_brings_dead_features_back() -> None:
    values, _ = planted("transcoder")
    dead: dict[float, list[int]] = {0.0: [], 1 / 32: []}
    for coefficient, counts in dead.items():
        learner = Learner(settings(kind="transcoder", dead_after=1000, aux_coefficient=coefficient), LAYERS, values)
        # Half of the features are made too weak to be among the k largest.
        for weights in learner.weights:
            weights.W_enc[:24] *= 0.01
        for step in range(100):
            rows = order(12_000, 1, step)[:256]
            counts.append(sum(learner.step({s: v[rows] for s, v in values.items()}, 0.01, step)["dead"]))
    assert dead[0.0][-1] >= 40 and dead[1 / 32][-1] <= 30
