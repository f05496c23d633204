"""GNNExplainer, all nodes in one optimisation.

    min over m_F, m_E   −log p(c | x ∘ σ(m_F), arcs · σ(m_E))
                        + 0.005 Σ σ(m_E) + mean H(σ(m_E)) + mean σ(m_F) + 0.1 mean H(σ(m_F))

with one feature mask m_F a target. The losses of different targets share nothing and Adam works entry by entry, so that
summing them gives each target exactly what it would get alone. Arcs that cannot reach a target only feel their
regulariser: their masks depend on nothing but their start, and are read off a curve (`_Masks.arc_scores`).
Ying et al. (2019), arXiv:1903.03894.

Two versions. ``published``: PyTorch Geometric of June 2022, which the published benchmark ran: arcs are averaged over
the two-hop subgraph, and every feature is masked. ``current``: PyTorch Geometric 2.3 and later, which regularises and
keeps only entries whose first gradient is not zero; it so learns for free which features the model never uses.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch_geometric.utils import k_hop_subgraph

from truescope.core.errors import UsageError, nearest
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.explainers.relevance import held_note
from truescope.gnn.networks.subject import Subject
from truescope.gnn.networks.trees import Trees

Version = Literal["published", "current"]
VERSIONS: tuple[str, ...] = get_args(Version)
"""Which GNNExplainer: as the benchmark ran it, or as PyTorch Geometric has it now."""
N_FOLLOWED = 33
"""How many starts of a target are followed for the arcs that only feel their regulariser."""
_ARCS_KEPT = 20_000_000


def gnn_explainer(
    subject: Subject,
    nodes: Any = None,
    *,
    epochs: int = 100,
    lr: float = 0.01,
    n_hops: int = 2,
    version: Version | str = "current",
    output: Literal["logits", "probabilities"] | None = None,
    seed: int = 0,
    batch: int | None = None,
) -> Attributions:
    """The masks of every node, optimised together; ``seed`` draws where they start, node by node.

    ``output`` says what the model puts out; where it is not named, rows that sum to one are taken for probabilities.

    Raises:
        UsageError: no such version, or fewer than one epoch.
        ModelError: the model has no chain.
    """
    if version not in VERSIONS:
        raise UsageError(f"there is no version {version!r}", fix=nearest(version, VERSIONS))
    if epochs < 1:
        raise UsageError(f"{epochs} epochs", fix="give one or more")
    chosen = chosen_nodes(nodes, subject.n_nodes)
    chain = subject.chain("gnn_explainer", hold=True)
    if output is None:
        output = "probabilities" if are_probabilities(subject.outputs) else "logits"
    size = batch or max(1, _ARCS_KEPT // (8 * max(subject.n_arcs, 1)))
    generator = torch.Generator().manual_seed(seed)
    features, arcs = [], []
    for start in range(0, len(chosen), size):
        part = chosen[start : start + size]
        trees = Trees(chain, subject.x, subject.edge_index, part)
        job = _Masks(subject, trees, part, version, n_hops, generator)
        job.optimise(epochs, lr, output, torch.from_numpy(subject.classes(part)))
        features.append(job.feature_scores())
        if len(chosen) * subject.n_arcs <= _ARCS_KEPT:
            arcs.append(job.arc_scores(subject.n_arcs))
    facts = {"version": version, "epochs": epochs, "lr": lr, "seed": seed}
    return Attributions(
        "gnn_explainer",
        chosen,
        subject.classes(chosen),
        np.concatenate(features),
        arcs=np.concatenate(arcs) if arcs else None,
        notes=held_note(chain),
        facts=facts,
    )


def are_probabilities(outputs: Float[Tensor, "n_nodes n_classes"]) -> bool:
    """Whether every row is a distribution."""
    return bool((outputs >= 0).all()) and bool((outputs.sum(1) - 1).abs().max() < 1e-4)


class _Masks:
    """The two masks of a batch of targets, and their optimisation."""

    def __init__(
        self,
        subject: Subject,
        trees: Trees,
        nodes: Int[np.ndarray, " n_targets"],
        version: str,
        n_hops: int,
        generator: torch.Generator,
    ) -> None:
        self.trees, self.version = trees, version
        start_features, start_arcs, n_arcs = self._starts(subject, nodes, n_hops, generator)
        self.features = start_features.to(subject.x.dtype).requires_grad_()
        self.arcs = start_arcs[trees.entry_target, trees.entry_arc].to(subject.x.dtype).requires_grad_()
        self.n_arcs = n_arcs.to(subject.x.dtype)
        self.start_arcs, self.n_inside, self.epochs, self.lr = start_arcs, self.n_arcs, 0, 0.0
        self.used_features = torch.ones_like(self.features, dtype=torch.bool)
        self.used_arcs = torch.ones_like(self.arcs, dtype=torch.bool)

    def _starts(
        self, subject: Subject, nodes: np.ndarray, n_hops: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where the masks start: drawn for each node in turn, features first, then the arcs of its subgraph."""
        features = torch.empty(len(nodes), subject.n_features)
        arcs = torch.full((len(nodes), subject.n_arcs), torch.nan)  # NaN: outside the target's subgraph
        counts = torch.zeros(len(nodes))
        for place, node in enumerate(nodes):
            if self.version == "published":
                kept, _, _, inside = k_hop_subgraph(int(node), n_hops, subject.edge_index, num_nodes=subject.n_nodes)
                n_nodes = len(kept)
            else:
                inside, n_nodes = torch.ones(subject.n_arcs, dtype=torch.bool), subject.n_nodes
            counts[place] = n_inside = int(inside.sum())
            features[place] = torch.randn(1, subject.n_features, generator=generator)[0] * 0.1
            spread = math.sqrt(2.0) * math.sqrt(2.0 / (2 * n_nodes))
            arcs[place, inside] = torch.randn(n_inside, generator=generator) * spread
        return features, arcs, counts

    def optimise(self, epochs: int, lr: float, output: str, classes: Int[Tensor, " n_targets"]) -> None:
        """Run Adam; in the current version the first gradient decides which entries count at all."""
        self.epochs, self.lr = epochs, lr
        optimiser = torch.optim.Adam([self.features, self.arcs], lr=lr, fused=True)
        for epoch in range(epochs):
            out = self.trees.outputs(self.features.sigmoid(), self.arcs.sigmoid())
            log_p = out.log_softmax(1) if output == "logits" else out.clamp(min=torch.finfo(out.dtype).tiny).log()
            loss = -log_p[torch.arange(len(classes)), classes].sum()
            if epoch == 0 and self.version == "current":
                self._note_used(loss)
            found = torch.autograd.grad(loss, [self.features, self.arcs], allow_unused=True, materialize_grads=True)
            steepness = self._regulariser_gradient()
            self.features.grad, self.arcs.grad = (g + r for g, r in zip(found, steepness, strict=True))
            optimiser.step()

    def _note_used(self, loss: Tensor) -> None:
        by_feature, by_arc = torch.autograd.grad(
            loss, [self.features, self.arcs], retain_graph=True, allow_unused=True, materialize_grads=True
        )
        self.used_features, self.used_arcs = by_feature != 0, by_arc != 0
        counted = torch.zeros_like(self.n_arcs)
        self.n_arcs = counted.index_add_(0, self.trees.entry_target, self.used_arcs.to(counted.dtype))

    @torch.no_grad()
    def _regulariser_gradient(self) -> tuple[Tensor, Tensor]:
        """The regularisers' gradient by both masks: H(σ(m)) has the slope −m σ(m) (1 − σ(m))."""
        n_features = self.used_features.sum(1, keepdim=True).clamp(min=1)
        per_arc = self.n_arcs.clamp(min=1)[self.trees.entry_target]
        by_feature = _slope(self.features) * (1 - 0.1 * self.features) / n_features * self.used_features
        by_arc = _slope(self.arcs) * (0.005 - self.arcs / per_arc) * self.used_arcs
        return by_feature, by_arc

    def feature_scores(self) -> Float[np.ndarray, "n_targets n_features"]:
        """σ(m_F), zero where it never counted."""
        return (self.features.detach().sigmoid() * self.used_features).numpy()

    def arc_scores(self, n_arcs: int) -> Float[np.ndarray, "n_targets n_arcs"]:
        """σ(m_E); arcs that cannot reach the target get 0, in the published version what their regulariser leaves."""
        scores = torch.zeros(self.trees.n_targets, n_arcs, dtype=self.arcs.dtype)
        if self.version == "published":
            scores = torch.from_numpy(self._only_regularised()).to(self.arcs.dtype)
        scores[self.trees.entry_target, self.trees.entry_arc] = self.arcs.detach().sigmoid() * self.used_arcs
        return scores.numpy()

    def _only_regularised(self) -> Float[np.ndarray, "n_targets n_arcs"]:
        """What every arc of a target's subgraph would end with if it only felt its regulariser.

        A start below 0.005 n, for n arcs, falls and one above it rises. Where all starts of a target are on one side
        the end is a smooth function of the start, so that a few are followed through the optimisation and the others
        are interpolated between them; else (in small subgraphs) all are followed.
        """
        starts = self.start_arcs.double().numpy()
        followed, counts = [], self.n_inside.double().numpy()
        for mine, n in zip(starts, counts, strict=True):
            known = np.unique(mine[~np.isnan(mine)])
            apart = len(known) > N_FOLLOWED and not known[0] < 0.005 * n < known[-1]
            followed.append(np.linspace(known[0], known[-1], N_FOLLOWED) if apart else known)
        mask = torch.from_numpy(np.concatenate(followed)).requires_grad_()
        per_arc = torch.from_numpy(np.repeat(counts, [len(points) for points in followed])).clamp(min=1)
        optimiser = torch.optim.Adam([mask], lr=self.lr, fused=True)
        for _ in range(self.epochs):
            with torch.no_grad():
                mask.grad = _slope(mask) * (0.005 - mask / per_arc)
            optimiser.step()
        ends = np.split(mask.detach().sigmoid().numpy(), np.cumsum([len(points) for points in followed])[:-1])
        found = [
            np.nan_to_num(np.interp(mine, points, end)) if len(points) else np.zeros_like(mine)
            for mine, points, end in zip(starts, followed, ends, strict=True)
        ]
        return np.stack(found)


def _slope(mask: Tensor) -> Tensor:
    """σ′(m)."""
    m = mask.sigmoid()
    return m * (1 - m)
