"""`describe_sites`: the addresses of a model's activations, with their shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from truescope.pipelines.subjects import load_model


def describe_sites(model: str | Path, *, revision: str | None = None) -> dict[str, Any]:
    """Each kind of site, its shape, and the layers that have it."""
    loaded = load_model(model, revision=revision)
    shapes = {"attn_pattern": "[batch, heads, query, key]", "logits": f"[batch, pos, {loaded.n_vocab}]"}
    shapes |= {"mlp_neurons": f"[batch, pos, {loaded.n_neurons}]"}
    sites: dict[str, str] = {}
    for site in loaded.sites():
        name = site.kind if site.layer is None else f"{site.kind}.0 … {site.kind}.{loaded.n_layers - 1}"
        if site.kind == "attn_z":
            continue
        sites[name] = shapes.get(site.kind, f"[batch, pos, {loaded.d_model}]")
    return {"model": loaded.name, "family": loaded.family.name, "n_layers": loaded.n_layers, "sites": sites}
