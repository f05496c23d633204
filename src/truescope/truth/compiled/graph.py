"""`TrueGraph`: the nodes and edges that are known to be in a compiled model on a prompt, as data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from truescope.core.errors import UsageError, nearest


@dataclass(frozen=True)
class TrueNode:
    """A node by the id that attribution graphs give it (`core.Node.id`); heads are ``head.<layer>.<index>.<pos>``.

    ``kind`` is a `NodeKind`'s value or "head". ``name`` says what it is in the program. ``on_path`` says whether value
    and attended choice edges lead from it to the targets, ``on_value_path`` whether value edges alone do.
    """

    id: str
    kind: str
    layer: int
    index: int
    position: int
    name: str
    activation: float = 1.0
    on_value_path: bool = False
    on_path: bool = False
    decoy: bool = False


@dataclass(frozen=True)
class ValueEdge:
    """A direct effect along values: residual stream, heads' values (``via``, their ids) and the MLP's input.

    ``on_path`` and ``on_value_path`` say whether its target is on such a path to the targets (see `TrueNode`).
    """

    source: str
    target: str
    weight: float
    via: tuple[str, ...] = ()
    on_value_path: bool = False
    on_path: bool = False

    @property
    def sign(self) -> int:
        """+1 or −1."""
        return 1 if self.weight > 0 else -1


@dataclass(frozen=True)
class ChoiceEdge:
    """A term of a head's score before the softmax: what ``query_source`` and ``key_source`` add at (query, key).

    ``via`` are the ids of the heads that carried the two there. ``attended`` says whether the head attends to this key;
    ``on_path`` whether it does and the head is on a path.
    """

    query_source: str
    key_source: str
    head: str
    query: int
    key: int
    weight: float
    attended: bool
    via: tuple[str, ...] = ()
    on_path: bool = False

    @property
    def sign(self) -> int:
        """+1 or −1."""
        return 1 if self.weight > 0 else -1


@dataclass(frozen=True)
class TrueGraph:
    """All active nodes of a prompt and all edges between them; ``targets`` are the ids of the logits explained.

    ``pre_activations`` has h of each active unit, ``patterns`` the share of attention by (head id, key position).
    """

    tokens: tuple[str, ...]
    targets: tuple[str, ...]
    nodes: tuple[TrueNode, ...]
    value_edges: tuple[ValueEdge, ...]
    choice_edges: tuple[ChoiceEdge, ...]
    pre_activations: Mapping[str, float] = field(default_factory=dict)
    patterns: Mapping[tuple[str, int], float] = field(default_factory=dict)

    def node(self, node_id: str) -> TrueNode:
        """The node with an id.

        Raises:
            UsageError: it is not in the graph.
        """
        if node_id not in self._by_id:
            raise UsageError(f"the true graph has no node {node_id!r}", fix=nearest(node_id, self._by_id))
        return self._by_id[node_id]

    @cached_property
    def _by_id(self) -> dict[str, TrueNode]:
        return {node.id: node for node in self.nodes}

    @property
    def on_path(self) -> frozenset[str]:
        """The ids of the nodes from which edges lead to the targets."""
        return frozenset(node.id for node in self.nodes if node.on_path)


def with_paths(graph: TrueGraph) -> TrueGraph:
    """Walk back from the targets: along value edges, and from the heads that carry them along attended choice edges."""
    values: dict[str, list[str]] = defaultdict(list)
    choices: dict[str, list[str]] = defaultdict(list)
    for edge in graph.value_edges:
        values[edge.target] += (edge.source, *edge.via)
    for choice in graph.choice_edges:
        if choice.attended:
            choices[choice.head] += (choice.query_source, choice.key_source, *choice.via)
    by_value = _reached(graph.targets, values)
    either = _reached(graph.targets, values, choices)
    return replace(
        graph,
        nodes=tuple(
            replace(n, on_value_path=n.id in by_value, on_path=True) if n.id in either else n for n in graph.nodes
        ),
        value_edges=tuple(
            replace(e, on_value_path=e.target in by_value, on_path=True) if e.target in either else e
            for e in graph.value_edges
        ),
        choice_edges=tuple(
            replace(e, on_path=True) if e.attended and e.head in either else e for e in graph.choice_edges
        ),
    )


def _reached(targets: Sequence[str], *into: Mapping[str, list[str]]) -> set[str]:
    reached, open_ends = set(targets), list(targets)
    while open_ends:
        node = open_ends.pop()
        for sources in into:
            fresh = [source for source in sources.get(node, ()) if source not in reached]
            reached.update(fresh)
            open_ends += fresh
    return reached
