"""From graph networks to dictionaries: sparse features of a hidden layer, shown and named; `bridge_claims` judges them.

    h = what one module puts out    z = TopK(W_enc h̃ + b_enc)    suppressed: h − z_j W_dec,j everywhere, then the rest

Half of the nodes (the *naming* half) train the dictionary and name its features; what is claimed of a feature is
measured on the other half. The nodes share one graph: the halves are other nodes, not another graph.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch_geometric.nn import MessagePassing

from truescope.core.errors import ModelError, UsageError, nearest
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, fvu, pca_fvu
from truescope.gnn.networks import Subject
from truescope.statistics import split_half
from truescope.train import Learner, TrainConfig
from truescope.train.loop import batch_index

HIDDEN = Site("resid_post", 0)
"""Where a dictionary of a graph network reads and writes: what leaves its hidden layer."""

LEAST_DENSITY = 0.01
"""A feature that is active at fewer of the naming nodes than this is not named."""


@dataclass(frozen=True, eq=False)
class HiddenLayer:
    """A model on one graph, cut where the module of that name puts out a row a node: read it, or put another in.

    Raises:
        UsageError: the model has no such module (the nearest are named).
        ModelError: the module does not run exactly once, or puts out something else than a row a node.
    """

    subject: Subject
    module: str

    def __post_init__(self) -> None:
        known = [name for name, _ in self.subject.model.named_modules() if name]
        if self.module not in known:
            fix = nearest(self.module, known) or f"one of {', '.join(known[:12])}"
            raise UsageError(f"the model has no module {self.module!r}", fix=fix)

    @classmethod
    def first(cls, subject: Subject) -> HiddenLayer:
        """Cut at what the first message-passing layer puts out. Raises ModelError where there is none, or only one."""
        layers = [name for name, one in subject.model.named_modules() if isinstance(one, MessagePassing) and name]
        if len(layers) < 2:
            raise ModelError(
                "the model has no two message-passing layers to cut between", fix="name a module with --layer"
            )
        return cls(subject, layers[0])

    def read(self) -> Float[Tensor, "n_nodes d_hidden"]:
        """What the module puts out."""
        seen: list[Any] = []
        self._run(lambda _, __, out: seen.append(out))
        if len(seen) != 1:
            raise ModelError(f"the module {self.module} runs {len(seen)} times", fix="name one that runs once: --layer")
        out = seen[0]
        if not isinstance(out, Tensor) or out.dim() != 2 or len(out) != self.subject.n_nodes:
            raise ModelError(f"the module {self.module} does not put out one row a node", fix="name another: --layer")
        return out.detach().clone()

    def logits_from(self, hidden: Float[Tensor, "n_nodes d_hidden"]) -> Float[Tensor, "n_nodes n_classes"]:
        """Everything after the module, live, with ``hidden`` in place of what it puts out."""
        return self._run(lambda _, __, ___: hidden)

    def _run(self, hook: Any) -> Float[Tensor, "n_nodes n_classes"]:
        with self.subject.running() as run, torch.no_grad():
            handle = run.model.get_submodule(self.module).register_forward_hook(hook)
            try:
                return run(self.subject.x)
            finally:
                handle.remove()


def train_node_dictionary(
    hidden: Float[Tensor, "n_naming d_hidden"], *, n_features: int, k: int, tokens: int = 300_000, seed: int = 0
) -> Dictionary:
    """A TopK autoencoder of hidden activations, one row a node.

    Raises:
        UsageError: sizes that cannot be.
    """
    batch = min(256, len(hidden))
    # A graph has few nodes: a feature that was silent for three rounds of them is revived.
    config = TrainConfig(
        kind="sae",
        site=str(HIDDEN),
        n_features=n_features,
        k=k,
        tokens=tokens,
        batch=batch,
        dead_after=3 * len(hidden),
        closed_loop=0.0,
        seed=seed,
    )
    learner = Learner(config, 1, {HIDDEN: hidden}, HIDDEN)
    for step in range(config.n_steps):
        rows = hidden[batch_index(len(hidden), batch, seed, step)]
        learner.step({HIDDEN: rows}, config.rate(step), step)
    return learner.dictionary("hidden layer", "", {"config": config.record(), "n_nodes": len(hidden)})


@dataclass(frozen=True)
class NodeFeature:
    """One feature as the naming half shows it.

    ``share`` is how much of its activation falls on nodes of the class ``label``, ``lift`` that over the class's share
    of nodes; ``columns`` are the input columns that its activation correlates with most (column, Pearson's r), and
    ``nodes`` where it is most active (node, activation).
    """

    index: int
    density: float
    label: int
    share: float
    lift: float
    columns: tuple[tuple[int, float], ...]
    nodes: tuple[tuple[int, float], ...]

    def record(self) -> dict[str, Any]:
        """A plain object."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class NodeDictionary:
    """A dictionary of a network's hidden layer on one graph, with the half of the nodes that it was made from."""

    layer: HiddenLayer
    y: Int[Tensor, " n_nodes"]
    hidden: Float[Tensor, "n_nodes d_hidden"]
    dictionary: Dictionary
    naming: Int[np.ndarray, " n_naming"]
    held: Int[np.ndarray, " n_held"]

    @classmethod
    def of(
        cls,
        layer: HiddenLayer,
        y: Int[Tensor, " n_nodes"],
        *,
        n_features: int = 64,
        k: int = 2,
        seed: int = 0,
    ) -> NodeDictionary:
        """Halve the nodes by the seed and train on the first half. Raises UsageError where sizes cannot be."""
        naming, held = (np.sort(half) for half in split_half(len(y), seed))
        hidden = layer.read()
        dictionary = train_node_dictionary(hidden[torch.from_numpy(naming)], n_features=n_features, k=k, seed=seed)
        return cls(layer, y, hidden, dictionary, naming, held)

    @cached_property
    def activations(self) -> Float[Tensor, "n_nodes n_features"]:
        """z at every node."""
        return self.dictionary.encode(HIDDEN, self.hidden)

    @cached_property
    def logits(self) -> Float[Tensor, "n_nodes n_classes"]:
        """What the network says with nothing taken away."""
        return self.layer.logits_from(self.hidden)

    def quality(self) -> dict[str, float]:
        """FVU and L0 on the held-out nodes, and the FVU of as many principal components as features are kept."""
        held, made = self.hidden[torch.from_numpy(self.held)], self.hidden[torch.from_numpy(self.naming)]
        rebuilt = self.dictionary.reconstruct({HIDDEN: held})[HIDDEN]
        active = self.activations > 0
        return {
            "fvu": fvu(held, rebuilt),
            "pca_fvu": pca_fvu(made, held, [self.dictionary.k or 0])[0],
            "l0": float(active[torch.from_numpy(self.held)].sum(1).double().mean()),
            "dead": int((~active.any(0)).sum()),
        }

    def features(self, n_shown: int = 5) -> list[NodeFeature]:
        """Every feature that is dense enough to be named, the one most bound to a class first."""
        naming = torch.from_numpy(self.naming)
        z, x, y = self.activations[naming].double(), self.layer.subject.x[naming].double(), self.y[naming]
        of_class = torch.nn.functional.one_hot(y).double()
        share = z.T @ of_class / z.sum(0).clamp(min=1e-12)[:, None]
        lift = share / of_class.mean(0).clamp(min=1e-12)
        density = (z > 0).double().mean(0)
        r = torch.nan_to_num(_standard(z).T @ _standard(x) / len(z))
        found = []
        for j in torch.nonzero(density >= LEAST_DENSITY).flatten().tolist():
            label = int(lift[j].argmax())
            columns, nodes = r[j].topk(min(n_shown, r.shape[1])), z[:, j].topk(min(n_shown, len(z)))
            found.append(
                NodeFeature(
                    j,
                    float(density[j]),
                    label,
                    float(share[j, label]),
                    float(lift[j, label]),
                    tuple(zip(columns.indices.tolist(), columns.values.tolist(), strict=True)),
                    tuple(zip(naming[nodes.indices].tolist(), nodes.values.tolist(), strict=True)),
                )
            )
        return sorted(found, key=lambda one: (-one.share, one.index))

    def without(
        self, activation: Float[Tensor, " n_nodes"], direction: Float[Tensor, " d_hidden"]
    ) -> Float[Tensor, "n_nodes n_classes"]:
        """The logits when ``activation`` times ``direction`` is taken from the hidden layer of every node."""
        return self.layer.logits_from(self.hidden - activation[:, None] * direction)

    def effects(self, after: Float[Tensor, "n_nodes n_classes"], label: int) -> Float[np.ndarray, " n_nodes"]:
        """How much more the logit of ``label`` fell than those of the other classes: drop − max(0, their mean drop).

        Above 0 only where the logit fell, and fell more than the others did.
        """
        drop = (self.logits - after).double()
        others = (drop.sum(1) - drop[:, label]) / (drop.shape[1] - 1)
        return (drop[:, label] - others.clamp(min=0)).numpy()

    def cases(self, index: int) -> Int[np.ndarray, " n_cases"]:
        """The held-out nodes at which the feature is active. Raises UsageError where there are fewer than two."""
        nodes = self.held[self.activations[torch.from_numpy(self.held), index].numpy() > 0]
        if len(nodes) < 2:
            raise UsageError(f"feature {index} is active at {len(nodes)} of the held-out nodes", fix="choose another")
        return nodes


def _standard(values: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    return (values - values.mean(0)) / values.std(0, correction=0)
