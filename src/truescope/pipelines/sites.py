"""`describe_sites`: the addresses of a model's activations, with their shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from truescope.core.sites import Site
from truescope.models import Model
from truescope.pipelines.subjects import load_model


def describe_sites(model: str | Path | Model, *, revision: str | None = None) -> dict[str, Any]:
    """Every site of the model by its canonical name, in the order in which a forward pass reaches them, with its shape.

    Raises:
        ModelError: the model cannot be loaded.
    """
    loaded = load_model(model, revision=revision)
    return {
        "model": loaded.name,
        "family": loaded.family.name,
        "n_layers": loaded.n_layers,
        "sites": {str(site): _shape(loaded, site) for site in loaded.sites()},
    }


def _shape(model: Model, site: Site) -> str:
    if site.kind == "attn_pattern":
        return f"[batch, {model.parts.n_heads} heads, query, key]"
    return f"[batch, pos, {model.parts.shape(site, 1, 1)[-1]}]"
