"""What the model would answer if a dictionary stood in its MLPs' place: the dictionary's own prediction of an edit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int

from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary
from truescope.models import Model


@torch.no_grad()
def replaced_logits(
    model: Model, dictionary: Dictionary, tokens: Int[torch.Tensor, "batch pos"], edit: Sequence[Intervention]
) -> Float[torch.Tensor, "batch pos vocab"]:
    """The logits under ``edit`` with every MLP's output y_l + Σ over groups g ≤ l of dec_g→l(z′_g) − dec_g→l(z_g).

    y and z are the unedited run's, z′ what the features become; so errors are held, and without an edit the logits are
    the model's own. Attention and norms are live. One forward pass a layer. ``edit`` is made after the outputs are set.
    Source: Ameisen et al., "Circuit Tracing", 2025 (iterative patching).

    Raises:
        SiteError, InterventionError, DictionaryError: before the model runs.
    """
    reads, writes = dictionary.reads, dictionary.writes
    clean = model.run(tokens, read=[*reads, *writes]).sites
    before = {site: dictionary.decode(site, dictionary.encode(site, clean[site])) for site in reads}
    outputs = {site: clean[site].clone() for site in writes}
    for site in sorted(reads):
        x = model.run(tokens, read=[site], edit=[*_set(outputs, site), *edit]).sites[site]
        for written, after in dictionary.decode(site, dictionary.encode(site, x)).items():
            outputs[written] += (after - before[site][written]).to(outputs[written])
    return model.run(tokens, edit=[*_set(outputs, None), *edit]).logits


def _set(outputs: dict[Site, torch.Tensor], before: Site | None) -> list[Intervention]:
    """Edits that set the outputs, of the layers below a site where one is given."""
    chosen = [s for s in outputs if before is None or int(s.layer or 0) < int(before.layer or 0)]
    return [Intervention(site, "set", outputs[site]) for site in chosen]
