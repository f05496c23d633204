"""What is harvested is what the model computes on each document alone, whatever stood beside it in the batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from small_models import N_VOCAB, small_model
from truescope.activations import Window, harvest, needed_bytes
from truescope.core import ModelError, Site, SiteError, UsageError

SITES = [Site("mlp_in", 0), Site("mlp_out", 2), Site("mlp_neurons", 1)]


def some_windows() -> list[Window]:
    g = torch.Generator().manual_seed(0)
    lengths = [5, 17, 3, 30, 1, 17]
    return [Window(torch.randint(0, N_VOCAB, (n,), generator=g), 1, i // 2) for i, n in enumerate(lengths)]


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("on_disk", [False, True])
def test_values_are_those_of_each_document_alone(family: str, on_disk: bool, tmp_path: Path) -> None:
    model, windows = small_model(family), some_windows()
    told: list[tuple[int, int]] = []
    data = harvest(
        model,
        windows,
        SITES,
        folder=tmp_path / "here" if on_disk else None,
        batch_tokens=64,
        progress=lambda done, total: told.append((done, total)),
    )
    assert data.n_tokens == sum(len(w.ids) - 1 for w in windows) and told[-1] == (data.n_tokens, data.n_tokens)
    start = 0
    for window in windows:
        end = start + len(window.ids) - 1
        alone = model.run(window.ids, read=SITES)
        for site in SITES:
            torch.testing.assert_close(data.values[site][start:end], alone.sites[site][0, 1:], rtol=1e-4, atol=1e-5)
        assert bool((data.document[start:end] == window.document).all())
        start = end
    index = torch.tensor([3, 0, 40])
    assert torch.equal(data.rows(index)[SITES[0]], data.values[SITES[0]][index])
    assert torch.equal(torch.cat([b[SITES[1]] for b in data.in_batches(7)]), data.values[SITES[1]])
    assert needed_bytes(model, windows, SITES) == sum(v.numel() * 4 for v in data.values.values())


def test_nan_is_named_with_its_site_and_document() -> None:
    model = small_model("gpt2")
    weight = dict(model.mlp(2).named_parameters())["c_proj.weight"]
    # Large enough to overflow where neurons add up, small enough to be a number.
    with torch.no_grad():
        weight.fill_(3e38)
    with pytest.raises(ModelError, match=r"activations at mlp_out\.2 are NaN or infinite in document \d"):
        harvest(model, some_windows(), SITES)


def test_what_does_not_fit_is_said_before_anything_runs(tmp_path: Path) -> None:
    model, windows = small_model("gpt2"), some_windows()
    with pytest.raises(UsageError, match=r"need 0\.0 GB of memory") as caught:
        harvest(model, windows, SITES, max_bytes=100)
    assert "give a folder" in caught.value.fix
    many = [Window(windows[3].ids, 1, 0)] * 2
    harvest(model, many, SITES, folder=tmp_path, max_bytes=100)
    with pytest.raises(SiteError, match="mlp_in"):
        harvest(model, windows, [Site("mlp_in", 9)])
