"""`Graph`: an attribution graph. Typed nodes, sparse signed edges, what was frozen, what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from truescope.core.errors import GraphError

if TYPE_CHECKING:
    import numpy as np


class NodeKind(StrEnum):
    """What a node stands for. Units and logits are targets; everything but logits is a source."""

    UNIT = "unit"
    ERROR = "error"
    TOKEN = "token"
    CONSTANT = "constant"
    LOGIT = "logit"


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph.

    ``layer`` is the layer a unit reads from or a constant stands in, -1 for what enters the first block, and the number
    of layers for what comes after the last. ``index`` is the unit's, the token's or the logit's (vocabulary) index,
    -1 where there is none. ``constant`` names the constant ("pos_embed", "attn_out_bias", …). ``activation`` is the
    unit's activation (1 for tokens and constants, the demeaned logit for logits); ``pre_activation`` is the quantity h
    that the edges into a target sum to. ``influence`` is the node score: the share of the targets' logits that passes
    through the node. ``probability`` is the logit's.
    """

    kind: NodeKind
    layer: int
    position: int
    index: int = -1
    constant: str = ""
    activation: float = 1.0
    pre_activation: float = 0.0
    influence: float = 0.0
    probability: float = 0.0
    label: str = ""

    @property
    def id(self) -> str:
        """``unit.<layer>.<index>.<pos>``, ``error.<layer>.<pos>``, ``token.<pos>.<vocab>``,
        ``constant.<name>.<layer>.<pos>``, ``logit.<vocab>.<pos>``: the kind comes first, so kinds cannot collide."""
        match self.kind:
            case NodeKind.UNIT:
                return f"unit.{self.layer}.{self.index}.{self.position}"
            case NodeKind.ERROR:
                return f"error.{self.layer}.{self.position}"
            case NodeKind.TOKEN:
                return f"token.{self.position}.{self.index}"
            case NodeKind.CONSTANT:
                return f"constant.{self.constant}.{self.layer}.{self.position}"
            case _:
                return f"logit.{self.index}.{self.position}"


@dataclass(frozen=True)
class Graph:
    """An attribution graph of one prompt.

    ``source``, ``target`` (int32 indices into ``nodes``) and ``weight`` (float32, signed) are its edges [n_edges].
    ``replacement`` and ``completeness`` are (low, high): ``low`` counts unexplored and pruned mass as error, ``high``
    leaves it out; they are bounds, not a confidence interval. ``closure_gap`` is the largest, over all explored
    targets, of |h − Σ edges| / max(|h|, rms of h over the targets), before anything was pruned. ``frozen`` names the
    quantities held at the prompt's values. ``left_out`` counts what the graph does not show.
    """

    prompt: str
    tokens: tuple[str, ...]
    token_ids: tuple[int, ...]
    nodes: tuple[Node, ...]
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    model_name: str
    model_hash: str
    dictionary: str
    n_layers: int
    closure_gap: float
    replacement: tuple[float, float]
    completeness: tuple[float, float]
    top_logits: tuple[tuple[str, float], ...]
    frozen: tuple[str, ...] = ("attention patterns", "norm denominators")
    left_out: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.source) == len(self.target) == len(self.weight):
            raise GraphError("a graph needs one source, one target and one weight an edge")
        ids = {node.id for node in self.nodes}
        if len(ids) != len(self.nodes):
            raise GraphError(f"{len(self.nodes) - len(ids)} node ids stand twice in the graph")

    @property
    def n_nodes(self) -> int:
        """How many nodes were kept."""
        return len(self.nodes)

    @property
    def n_edges(self) -> int:
        """How many edges were kept."""
        return len(self.source)

    def __repr__(self) -> str:
        return (
            f"Graph({self.prompt!r}, {self.n_nodes} nodes, {self.n_edges} edges, closure gap {self.closure_gap:.1e}, "
            f"replacement {self.replacement[0]:.2f}–{self.replacement[1]:.2f})"
        )

    def _repr_html_(self) -> str:
        from truescope.core.render import graph_html

        return graph_html(self)
