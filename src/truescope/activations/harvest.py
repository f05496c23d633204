"""`harvest`: a model run over windows of text, the values of chosen sites kept as float32, in memory or on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.activations.windows import Window, batches
from truescope.core.errors import ModelError, StoreError, UsageError
from truescope.core.sites import Site
from truescope.models import Model

MAX_BYTES = 4 << 30
"""What `harvest` keeps in memory at most, unless told otherwise."""


@dataclass(frozen=True)
class Activations:
    """Harvested values: for each site [n_tokens, d] float32, in the order of the windows, and each one's document."""

    values: Mapping[Site, Float[Tensor, "n_tokens d"]]
    document: Int[Tensor, " n_tokens"]

    @property
    def n_tokens(self) -> int:
        """How many tokens were harvested."""
        return len(self.document)

    def rows(self, index: Int[Tensor, " n"]) -> dict[Site, Float[Tensor, "n d"]]:
        """The values of some tokens."""
        return {site: value.index_select(0, index) for site, value in self.values.items()}

    def in_batches(self, size: int = 8192) -> Iterator[dict[Site, Float[Tensor, "n d"]]]:
        """All tokens in order."""
        for start in range(0, self.n_tokens, size):
            yield {site: value[start : start + size] for site, value in self.values.items()}


def needed_bytes(model: Model, windows: Sequence[Window], sites: Sequence[Site]) -> int:
    """The size of what `harvest` would keep."""
    n_tokens = sum(window.n_harvested for window in windows)
    return 4 * n_tokens * sum(model.parts.shape(model.site(site), 1, 1)[-1] for site in sites)


def harvest(
    model: Model,
    windows: Sequence[Window],
    sites: Sequence[Site],
    *,
    folder: Path | None = None,
    max_bytes: int = MAX_BYTES,
    batch_tokens: int = 8192,
    progress: Callable[[int, int], None] | None = None,
) -> Activations:
    """Run ``model`` over ``windows`` and keep ``sites`` at every token but the special ones that come first.

    With a ``folder`` the values lie in memory-mapped .npy files there, else in memory.

    Raises:
        SiteError: a site that the model has not.
        UsageError: more than ``max_bytes`` of memory, or than the disk has free, would be needed; it says how much.
        ModelError: an activation is NaN or infinite; the site and the document are named.
    """
    sites = [model.site(site) for site in sites]
    n_tokens = sum(window.n_harvested for window in windows)
    needed = needed_bytes(model, windows, sites)
    _check_room(needed, folder, max_bytes)
    widths = {site: model.parts.shape(site, 1, 1)[-1] for site in sites}
    values = {site: _storage(folder, site, n_tokens, width) for site, width in widths.items()}
    starts = np.cumsum([0, *(window.n_harvested for window in windows)])
    done = 0
    for batch in batches(windows, batch_tokens):
        run = model.run(batch.tokens, read=sites, mask=batch.mask)
        for site in sites:
            found = run.sites[site].to("cpu", torch.float32)
            for row, n in enumerate(batch.windows):
                kept = found[row][batch.harvested[row]]
                if not bool(torch.isfinite(kept).all()):
                    raise ModelError(
                        f"activations at {site} are NaN or infinite in document {windows[n].document + 1}",
                        why="the model itself overflows there",
                        fix="load it in float32, or leave that document out",
                    )
                values[site][int(starts[n]) : int(starts[n + 1])] = kept
        done += sum(windows[n].n_harvested for n in batch.windows)
        if progress is not None:
            progress(done, n_tokens)
    documents = np.repeat([window.document for window in windows], [window.n_harvested for window in windows])
    return Activations(values, torch.from_numpy(documents))


def _storage(folder: Path | None, site: Site, n_tokens: int, width: int) -> Tensor:
    if folder is None:
        return torch.empty(n_tokens, width)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{site}.npy"
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_tokens, width))
        # Blocks are reserved now: a disk that fills up later would kill the process in the middle of an assignment.
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise StoreError(
            f"cannot write activations to {folder}", why=str(error), fix="free some space, or name another store"
        ) from error
    return torch.from_numpy(array)


def _check_room(needed: int, folder: Path | None, max_bytes: int) -> None:
    if folder is None and needed > max_bytes:
        raise UsageError(
            f"the activations need {needed / 1e9:.1f} GB of memory",
            why=f"the bound is {max_bytes / 1e9:.1f} GB",
            fix="give a folder to keep them on disk, a larger max_bytes, or less text",
        )
    if folder is not None:
        place = next(parent for parent in [folder, *folder.absolute().parents] if parent.exists())
        free = shutil.disk_usage(place).free
        if needed > free:
            raise UsageError(
                f"the activations need {needed / 1e9:.1f} GB in {folder}",
                why=f"the disk has {free / 1e9:.1f} GB free",
                fix="free some space, name another store with TRUESCOPE_HOME, or give less text",
            )
