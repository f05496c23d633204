"""`Subject`: a model on one graph, as every explainer sees it; its model is never left changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from truescope.core.errors import GraphError, ModelError, TruescopeError, UsageError
from truescope.core.wording import counted
from truescope.gnn.networks.chain import Chain
from truescope.gnn.networks.unroll import NoChain, unroll
from truescope.gnn.networks.untouched import untouched


class Subject:
    """A PyG node classifier called as ``model(x, edge_index, **arguments)`` → [n_nodes, n_classes] (or [n_nodes]).

    ``arguments`` are whatever else it takes (edge_weight, edge_attr, a second input). What is explained is the output
    as it stands: logits where the model puts out logits.

    Raises:
        GraphError: a graph without nodes, arcs that name absent nodes, features that are not finite.
        ModelError: the model cannot be run on the graph, or its output is not one row a node.
        UsageError: feature names that do not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        x: Float[Tensor, "n_nodes n_features"],
        edge_index: Int[Tensor, "2 n_arcs"],
        *,
        arguments: Mapping[str, Any] | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        check_graph(x, edge_index)
        if feature_names is not None and len(feature_names) != x.shape[1]:
            raise UsageError(
                f"{counted(len(feature_names), 'name')} for {counted(x.shape[1], 'feature')}",
                fix="one name a feature, or none at all",
            )
        self.model = model
        self.x = x.detach()
        self.edge_index = edge_index
        self.arguments = dict(arguments or {})
        self.feature_names = list(feature_names) if feature_names is not None else _numbered(x.shape[1])
        with self.running() as run, torch.no_grad():
            self.outputs: Tensor = run(self.x)

    @property
    def n_nodes(self) -> int:
        """How many nodes the graph has."""
        return self.x.shape[0]

    @property
    def n_features(self) -> int:
        """How many features a node has."""
        return self.x.shape[1]

    @property
    def n_arcs(self) -> int:
        """How many arcs the graph has."""
        return self.edge_index.shape[1]

    @property
    def constant(self) -> bool:
        """Whether every node gets the same output: then there is nothing to explain, and every score should be 0."""
        return bool((self.outputs == self.outputs[:1]).all())

    def classes(self, nodes: Int[np.ndarray, " n_targets"]) -> Int[np.ndarray, " n_targets"]:
        """The class the model gives each node: what is explained unless another is named."""
        return self.outputs[torch.from_numpy(nodes)].argmax(1).numpy()

    @cached_property
    def unrolled(self) -> Chain | NoChain:
        """The model as a chain of steps whose output was checked against its own, or why it has none."""
        with untouched(self.model):
            return unroll(self.model, self.x, self.edge_index, self.arguments, self.outputs)

    @cached_property
    def held(self) -> Chain | NoChain:
        """The model as a chain, with attention and cuts of messages held at their values here where it needs that."""
        if isinstance(self.unrolled, Chain):
            return self.unrolled
        with untouched(self.model):
            return unroll(self.model, self.x, self.edge_index, self.arguments, self.outputs, hold=True)

    def chain(self, wanted_by: str, *, hold: bool = False) -> Chain:
        """The model as a chain, with ``hold`` that of `held`.

        Raises:
            ModelError: it has none; who wanted it is named.
        """
        found = self.held if hold else self.unrolled
        if isinstance(found, NoChain):
            raise ModelError(f"{wanted_by} needs to know the model's steps", why=found.why, fix=found.fix)
        return found

    @contextmanager
    def running(self) -> Iterator[_Run]:
        """A block in which the model can be called with other features or masked arcs, and is put back at the end."""
        with untouched(self.model) as model:
            for parameter in model.parameters():
                parameter.requires_grad_(False)
            yield _Run(self, model)


class _Run:
    """Calls the model: with ``x`` in place of its features, each message times ``arc_mask``."""

    def __init__(self, subject: Subject, model: nn.Module) -> None:
        self.subject = subject
        self.model = model

    def __call__(
        self, x: Float[Tensor, "n_nodes n_features"], arc_mask: Float[Tensor, " n_arcs"] | None = None
    ) -> Float[Tensor, "n_nodes n_classes"]:
        subject = self.subject
        handles = [] if arc_mask is None else mask_messages(self.model, subject.edge_index, arc_mask)
        try:
            out = self.model(x, subject.edge_index, **subject.arguments)
        except TruescopeError:
            raise
        except Exception as error:  # the user's code: anything may come out of it
            raise ModelError(
                f"the model {type(self.model).__name__} failed on the graph",
                why=f"{type(error).__name__}: {error}",
                fix="call model(x, edge_index, **arguments) by hand; the model was put back as it was",
            ) from error
        finally:
            for handle in handles:
                handle.remove()
        return _rows(out, subject.n_nodes, type(self.model).__name__)


def mask_messages(model: nn.Module, edge_index: Int[Tensor, "2 n_arcs"], mask: Float[Tensor, " n_arcs"]) -> list[Any]:
    """Multiply every message of every layer by its arc's mask; self-loops that a layer adds keep a 1."""
    layers = [module for module in model.modules() if isinstance(module, MessagePassing)]

    def hook(layer: MessagePassing, _: Any, message: Tensor) -> Tensor:
        dim = layer.node_dim % message.dim()
        values = mask
        places = message_places(layer, edge_index)
        if places is not None:
            values = mask.new_ones(message.shape[dim]).index_put((places,), mask)
        return message * values.view([-1 if d == dim else 1 for d in range(message.dim())])

    return [layer.register_message_forward_hook(hook) for layer in layers] if edge_index.numel() else []


def message_places(layer: nn.Module, edge_index: Int[Tensor, "2 n_arcs"]) -> Int[Tensor, " n_arcs"] | None:
    """Where each arc's message stands in a layer that adds self-loops, None in one that does not: as the arcs do.

    Such a layer takes the graph's own loops away and puts one at every node, in the order of the nodes, last.
    """
    if not getattr(layer, "add_self_loops", False):
        return None
    loops = edge_index[0] == edge_index[1]
    places = torch.cumsum(~loops, 0) - 1
    places[loops] = int((~loops).sum()) + edge_index[0, loops]
    return places


def _rows(out: Any, n_nodes: int, name: str) -> Tensor:
    if isinstance(out, Tensor) and out.dim() == 1 and len(out) == n_nodes:
        out = out[:, None]
    if not isinstance(out, Tensor) or out.dim() != 2 or len(out) != n_nodes:
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ModelError(
            f"the model {name} gives {shape} for a graph of {counted(n_nodes, 'node')}",
            why="an explanation needs one row of outputs a node",
            fix="wrap the model so that it returns a tensor [n_nodes, n_classes]",
        )
    if not torch.isfinite(out).all():
        raise ModelError(f"the model {name} gives outputs that are not finite", fix="look at its weights and inputs")
    return out


def check_graph(x: Tensor, edge_index: Tensor) -> None:
    """Raise GraphError, with what to do, where these are no features and arcs of one graph."""
    if x.dim() != 2 or not x.is_floating_point():
        raise GraphError(
            f"the features are {x.dtype} of shape {tuple(x.shape)}",
            fix="give x as floating-point numbers [n_nodes, n_features]: x.float()",
        )
    if edge_index.dim() != 2 or len(edge_index) != 2 or edge_index.dtype not in (torch.int64, torch.int32):
        raise GraphError(
            f"the arcs are {edge_index.dtype} of shape {tuple(edge_index.shape)}",
            fix="give edge_index as whole numbers [2, n_arcs], sources above targets",
        )
    if not len(x) or not x.shape[1]:
        raise GraphError("the graph has no nodes or no features", fix="give x as [n_nodes, n_features]")
    bad = ~torch.isfinite(x)
    if bad.any():
        node, feature = (int(i) for i in bad.nonzero()[0])
        n_bad = int(bad.sum())
        raise GraphError(
            f"{counted(n_bad, 'feature value')} {'is' if n_bad == 1 else 'are'} not finite, the first at node {node}, "
            f"feature {feature}",
            why="a score of such a value would be one too",
            fix="fill or drop them before explaining",
        )
    if edge_index.numel() and (int(edge_index.min()) < 0 or int(edge_index.max()) >= len(x)):
        raise GraphError(
            f"an arc names node {int(edge_index.max())}", why=f"there are nodes 0 to {len(x) - 1}", fix="renumber them"
        )


def _numbered(n: int) -> list[str]:
    return [f"feature {i}" for i in range(n)]
