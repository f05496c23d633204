"""FVU, PCA and densities against closed forms."""

from __future__ import annotations

import pytest
import torch
from random_dictionaries import D, N, random_dictionary

from truescope.core import UsageError
from truescope.dictionaries import fvu, measure, pca_fvu


def test_fvu_closed_forms() -> None:
    y = torch.randn(500, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 5
    assert fvu(y, y) == 0
    assert fvu(y, y.mean(0).expand_as(y)) == pytest.approx(1)
    # Half of every deviation is missed: a quarter of the variance.
    assert fvu(y, y.mean(0) + (y - y.mean(0)) / 2) == pytest.approx(0.25)
    # A mean far from zero does not make it smaller.
    assert fvu(y + 1000, y.mean(0) + 1000 + (y - y.mean(0)) / 2) == pytest.approx(0.25)


def test_measuring_in_batches_is_measuring_at_once() -> None:
    dictionary = random_dictionary("clt")
    g = torch.Generator().manual_seed(1)
    sites = [*dictionary.reads, *dictionary.writes]
    values = {site: torch.randn(50, D, generator=g, dtype=torch.float64) for site in sites}
    found = measure(dictionary, [{s: v[i : i + 13] for s, v in values.items()} for i in range(0, 50, 13)])
    rebuilt = dictionary.reconstruct(values)
    assert found.n_tokens == 50
    for site in dictionary.writes:
        assert found.fvu[site] == pytest.approx(fvu(values[site], rebuilt[site]), rel=1e-9)
    for site in dictionary.reads:
        z = dictionary.encode(site, values[site])
        assert found.l0[site] == pytest.approx(float((z > 0).sum()) / 50)
        torch.testing.assert_close(found.density[site], (z > 0).float().mean(0))
        assert found.dead[site] == N - int((z > 0).any(0).sum())


def test_measuring_nothing_is_said() -> None:
    with pytest.raises(UsageError, match="no tokens"):
        measure(random_dictionary(), [])


def test_pca_is_what_the_singular_values_leave() -> None:
    g = torch.Generator().manual_seed(2)
    y = torch.randn(400, 5, generator=g, dtype=torch.float64) @ torch.randn(5, 5, generator=g, dtype=torch.float64) + 3
    s = torch.linalg.svdvals(y - y.mean(0)).square()
    expected = [float(s[r:].sum() / s.sum()) for r in range(6)]
    assert pca_fvu(y, y, range(6)) == pytest.approx(expected, abs=1e-9)
    # On other data it cannot be better than their own components.
    z = torch.randn(400, 5, generator=g, dtype=torch.float64)
    assert pca_fvu(y, z, [2])[0] >= pca_fvu(z, z, [2])[0]
