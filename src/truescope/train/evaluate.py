"""What a dictionary is worth on text it never saw, beside two yardsticks: linear compression, and the model's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from truescope.activations import Activations, Window, batches
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, measure, pca_fvu
from truescope.models import Model
from truescope.train.closed_loop import ce_delta


@dataclass(frozen=True)
class Evaluation:
    """Lists run over the sites that are written (``fvu``, ``pca_fvu``) or read (``l0``, ``dead``, ``density``).

    ``ce_delta`` is the loss with every MLP replaced at once, closed loop without error terms, minus the model's, in
    nats a token; special tokens that come first keep the model's own MLPs. ``ce_delta_everywhere`` replaces there too.
    ``pca_fvu`` is the FVU of as many principal components of the training outputs as features are kept.
    """

    n_tokens: int
    n_documents: int
    fvu: list[float]
    pca_fvu: list[float]
    pca_rank: int
    l0: list[float]
    dead: list[int]
    density: list[Float[Tensor, " n_features"]]
    ce: float
    ce_delta: float
    ce_delta_everywhere: float

    def record(self) -> dict[str, Any]:
        """A plain object; densities are left out."""
        return {name: value for name, value in vars(self).items() if name != "density"}


def evaluate(
    model: Model,
    dictionary: Dictionary,
    held: Activations,
    windows: Sequence[Window],
    train_outputs: dict[Site, Tensor],
    rank: int,
) -> Evaluation:
    """Evaluate on ``held``, the activations of the held-out ``windows``; PCA is fitted on ``train_outputs``.

    Raises:
        DictionaryError: the dictionary belongs to another model.
    """
    dictionary.check_model(model.hash, model.name)
    found = measure(dictionary, held.in_batches())
    together = list(batches(windows))
    delta, ce, _ = ce_delta(model, dictionary, together)
    everywhere, _, _ = ce_delta(model, dictionary, together, everywhere=True)
    return Evaluation(
        n_tokens=held.n_tokens,
        n_documents=len({window.document for window in windows}),
        fvu=[found.fvu[site] for site in dictionary.writes],
        pca_fvu=[pca_fvu(train_outputs[site], held.values[site], [rank])[0] for site in dictionary.writes],
        pca_rank=rank,
        l0=[found.l0[site] for site in dictionary.reads],
        dead=[found.dead[site] for site in dictionary.reads],
        density=[found.density[site] for site in dictionary.reads],
        ce=ce,
        ce_delta=delta,
        ce_delta_everywhere=everywhere,
    )
