"""The truth about a prompt: which parts are active, and every edge between them, from the layout alone.

No tensor and no tracer is used. What each direction holds at each position is kept as a sum over its sources (tokens,
position embeddings, active neurons), and passed on layer by layer as the parts say: a head attends where its selection
matches and copies, a neuron adds up what it reads. So a value edge is

    source s → unit t:   a_s · Σ over directions (what s writes) · (share of attention, where carried) · (what t reads)

with attention and norms held, as in a frozen graph, and the edges into a unit sum to its pre-activation. Choice edges
are the terms of the scores: query source × key source → score of a head at a pair of positions.

Where the units are variables at a site and not neurons, an active neuron passes on what it reads, as h = Σ reads + bias
is linear while it is active, and what arrives on a direction becomes the edges into the variable there: sums over all
paths through neurons and heads. At mlp_out a variable has what the layer's neurons write, at resid_post all of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from truescope.core.errors import UsageError, nearest
from truescope.core.graphs import Node, NodeKind
from truescope.core.sites import Site
from truescope.truth.compiled.directions import BOS_DIRECTION, DECOY
from truescope.truth.compiled.graph import ChoiceEdge, TrueGraph, TrueNode, ValueEdge, with_paths
from truescope.truth.compiled.interpreter import Column, attended, interpret
from truescope.truth.compiled.layout import Layout
from truescope.truth.compiled.parts import SILENT, Head, Neuron

NEGLIGIBLE = 1e-9
# What graphs call the bias of GPT-2's joint projection to queries, keys and values.
QUERY_BIAS = "attn_value_bias"


def true_graph(
    layout: Layout, tokens: Sequence[str], targets: Sequence[str] | None = None, variables_at: str | None = None
) -> TrueGraph:
    """The true graph of a prompt; ``targets`` are tokens whose logits are explained, by default the answer.

    Units are neurons, or with ``variables_at`` ("mlp_out" or "resid_post") the variables that this site of each layer
    holds, numbered as in `Layout.variables`.

    Raises:
        UsageError: the tokens are no input of the program, a target is no token of its vocabulary, or another site.
    """
    if variables_at not in (None, "mlp_out", "resid_post"):
        raise UsageError(
            f"no true graph is told at {variables_at!r}", fix=nearest(variables_at, ("mlp_out", "resid_post"))
        )
    columns = interpret(layout.program, tokens)
    answer = columns[layout.program.output][-1]
    vocabulary = layout.program.vocabulary
    chosen = list(targets) if targets is not None else [str(answer) if answer is not None else vocabulary[0]]
    for target in chosen:
        if target not in vocabulary:
            raise UsageError(
                f"{target!r} is no token of program {layout.program.name!r}", fix=nearest(target, vocabulary)
            )
    derivation = _Derivation(layout, tuple(tokens), columns)
    for layer in range(layout.n_layers):
        for head in layout.heads:
            if head.layer == layer:
                derivation.attend(head)
        derivation.commit()
        for neuron in layout.neurons:
            if neuron.layer == layer:
                derivation.fire(neuron) if variables_at is None else derivation.pass_on(neuron)
        if variables_at == "mlp_out":
            derivation.gather(layer)
        derivation.commit()
        if variables_at == "resid_post":
            derivation.cut(layer)
    return derivation.finish(chosen)


@dataclass
class _Held:
    """What one source puts on one direction at one position, and the heads that carried it there."""

    amount: float = 0.0
    via: tuple[str, ...] = ()


_Sources = dict[str, _Held]


def _add(sources: dict[Any, _Held], source: Any, amount: float, via: tuple[str, ...]) -> None:
    at = sources.setdefault(source, _Held())
    at.amount += amount
    if via != at.via:
        at.via = tuple(dict.fromkeys((*at.via, *via)))


class _Derivation:
    def __init__(self, layout: Layout, tokens: tuple[str, ...], columns: Mapping[str, Column]) -> None:
        self.layout, self.tokens, self.columns = layout, tokens, columns
        self.nodes: dict[str, TrueNode] = {}
        self.values: list[ValueEdge] = []
        self.choices: list[ChoiceEdge] = []
        self.pre: dict[str, float] = {}
        self.patterns: dict[tuple[str, int], float] = {}
        self.held: list[dict[str, _Sources]] = [defaultdict(dict) for _ in tokens]
        self.pending: list[tuple[int, str, str, _Held]] = []
        vocabulary = layout.program.vocabulary
        for position, token in enumerate(tokens):
            entering = Node(NodeKind.TOKEN, -1, position, vocabulary.index(token))
            self._enter(entering, f"tokens:{token}", layout.token_writes(token))
            placed = Node(NodeKind.CONSTANT, -1, position, constant="pos_embed")
            self._enter(placed, f"position:{position}", layout.position_writes(position))
        self.commit()

    def _enter(self, node: Node, name: str, writes: Mapping[str, float]) -> None:
        self._node(node.id, node.kind, node.layer, node.index, node.position, name)
        for to, amount in writes.items():
            self.pending.append((node.position, to, node.id, _Held(amount)))

    def _node(
        self,
        node_id: str,
        kind: str,
        layer: int,
        index: int,
        position: int,
        name: str,
        activation: float = 1.0,
        decoy: bool = False,
    ) -> None:
        node = TrueNode(node_id, str(kind), layer, index, position, name, activation, decoy=decoy)
        self.nodes.setdefault(node_id, node)

    def commit(self) -> None:
        """Let what the heads or the neurons of a layer wrote be read."""
        for position, to, source, held in self.pending:
            _add(self.held[position][to], source, held.amount, held.via)
        self.pending.clear()

    def attend(self, head: Head) -> None:
        """One head at every position: its choice edges, its pattern, and what it carries."""
        keys = [self._coordinates(head.key, k) for k in range(len(self.tokens))]
        # A head that counts attends to <bos> beside what matches.
        counts = any(source == BOS_DIRECTION for source, _, _ in head.moves)
        for q in range(len(self.tokens)):
            head_id = f"head.{head.layer}.{head.index}.{q}"
            self._node(head_id, "head", head.layer, head.index, q, head.step, 1.0, head.decoy)
            chosen = attended(head.select, head.tie, self.columns, q)
            if counts and chosen != [0]:
                chosen = [0, *chosen]
            query = self._coordinates(head.query, q)
            bias = Node(NodeKind.CONSTANT, head.layer, q, constant=QUERY_BIAS)
            for j, constant in head.query_bias.items():
                query[j][bias.id] = _Held(constant)
            for k in range(q + 1):
                self._choose(head_id, q, k, query, keys[k], k in chosen)
            for k in chosen:
                self.patterns[head_id, k] = 1.0 / len(chosen)
                for source_direction, to, factor in head.moves:
                    for source, held in self.held[k].get(source_direction, {}).items():
                        moved = _Held(held.amount * factor / len(chosen), (*held.via, head_id))
                        self.pending.append((q, to, source, moved))

    def _choose(
        self,
        head_id: str,
        q: int,
        k: int,
        query: Mapping[int, _Sources],
        key: Mapping[int, _Sources],
        is_attended: bool,
    ) -> None:
        """The terms of one score: (what feeds a coordinate of the query) × (what feeds the same one of the key)."""
        terms: dict[tuple[str, str], _Held] = {}
        for j in query.keys() & key.keys():
            for (source, held), (other, other_held) in product(query[j].items(), key[j].items()):
                _add(terms, (source, other), held.amount * other_held.amount, (*held.via, *other_held.via))
        self.choices += [
            ChoiceEdge(source, other, head_id, q, k, term.amount, is_attended, term.via)
            for (source, other), term in terms.items()
            if abs(term.amount) > NEGLIGIBLE
        ]

    def _coordinates(self, feeds: Mapping[str, Mapping[int, float]], position: int) -> dict[int, _Sources]:
        """What each coordinate of a query or a key gets from each source."""
        found: dict[int, _Sources] = defaultdict(dict)
        for name, coordinates in feeds.items():
            for source, held in self.held[position].get(name, {}).items():
                for j, coefficient in coordinates.items():
                    _add(found[j], source, held.amount * coefficient, held.via)
        return found

    def fire(self, neuron: Neuron) -> None:
        """One neuron at every position: where it is active, its node and the edges into it."""
        for position in range(len(self.tokens)):
            found = self._read(position, neuron.reads)
            h = neuron.bias + sum(held.amount for held in found.values())
            if h <= NEGLIGIBLE:
                continue
            unit = Node(NodeKind.UNIT, neuron.layer, position, neuron.index)
            name = f"{neuron.step}[{neuron.row}]"
            self._node(unit.id, unit.kind, neuron.layer, neuron.index, position, name, h, neuron.decoy)
            self.pre[unit.id] = h
            self._edges(found, unit.id)
            if neuron.bias:
                bias = Node(NodeKind.CONSTANT, neuron.layer, position, constant="encoder_bias")
                self._node(bias.id, bias.kind, bias.layer, bias.index, position, bias.constant)
                self.values.append(ValueEdge(bias.id, unit.id, neuron.bias))
            for to, factor in neuron.writes.items():
                self.pending.append((position, to, unit.id, _Held(h * factor)))

    def pass_on(self, neuron: Neuron) -> None:
        """One neuron at every position, as the linear map that it is where it is active."""
        for position in range(len(self.tokens)):
            found = self._read(position, neuron.reads)
            if neuron.bias + sum(held.amount for held in found.values()) <= NEGLIGIBLE:
                continue
            if neuron.bias:
                bias = Node(NodeKind.CONSTANT, neuron.layer, position, constant="mlp_in_bias")
                self._node(bias.id, bias.kind, bias.layer, bias.index, position, bias.constant)
                found[bias.id] = _Held(neuron.bias)
            for to, factor in neuron.writes.items():
                for source, held in found.items():
                    self.pending.append((position, to, source, _Held(held.amount * factor, held.via)))

    def gather(self, layer: int) -> None:
        """Let what the neurons of a layer wrote be variables of its mlp_out."""
        written: list[dict[str, _Sources]] = [defaultdict(dict) for _ in self.tokens]
        for position, to, source, held in self.pending:
            _add(written[position][to], source, held.amount, held.via)
        self.pending.clear()
        for position, held_here in enumerate(written):
            for name, sources in held_here.items():
                for unit, held in self._variable(Site("mlp_out", layer), position, name, sources).items():
                    self.pending.append((position, name, unit, held))

    def cut(self, layer: int) -> None:
        """Let everything that is held after a layer be variables of its resid_post."""
        for position, held_here in enumerate(self.held):
            for name in held_here:
                held_here[name] = self._variable(Site("resid_post", layer), position, name, held_here[name])

    def _variable(self, site: Site, position: int, name: str, sources: _Sources) -> _Sources:
        """The node of a variable and the edges into it; what it holds, from itself alone (nothing where it is zero)."""
        total, layer = sum(held.amount for held in sources.values()), int(site.layer or 0)
        sign = 1.0 if total > 0 else -1.0
        if abs(total) <= SILENT:
            return {}
        unit = Node(NodeKind.UNIT, layer, position, self.layout.variables(site).index((name, sign)))
        is_decoy = name.startswith(f"{DECOY}:")
        label = name if sign > 0 else f"−{name}"
        self._node(unit.id, unit.kind, layer, unit.index, position, label, abs(total), is_decoy)
        self.pre[unit.id] = abs(total)
        self._edges({source: _Held(sign * held.amount, held.via) for source, held in sources.items()}, unit.id)
        return {unit.id: _Held(total)}

    def _read(self, position: int, reads: Mapping[str, float]) -> _Sources:
        """What a reader of several directions gets from each source."""
        found: _Sources = {}
        for name, coefficient in reads.items():
            for source, held in self.held[position].get(name, {}).items():
                _add(found, source, coefficient * held.amount, held.via)
        return found

    def _edges(self, found: _Sources, target: str) -> None:
        for source, held in found.items():
            if abs(held.amount) > NEGLIGIBLE:
                self.values.append(ValueEdge(source, target, held.amount, held.via))

    def finish(self, chosen: list[str]) -> TrueGraph:
        """The logits (less the mean over the vocabulary), and what lies on a path to them."""
        vocabulary, last = self.layout.program.vocabulary, len(self.tokens) - 1
        mean: dict[str, float] = defaultdict(float)
        for token in vocabulary:
            for name, coefficient in self.layout.logit_reads(token).items():
                mean[name] += coefficient / len(vocabulary)
        targets = []
        for token in chosen:
            node = Node(NodeKind.LOGIT, self.layout.n_layers, last, vocabulary.index(token))
            own = self.layout.logit_reads(token)
            reads = {name: own.get(name, 0.0) - mean[name] for name in {**own, **mean}}
            found = self._read(last, reads)
            h = sum(held.amount for held in found.values())
            self._node(node.id, node.kind, node.layer, node.index, last, token, h)
            self.pre[node.id] = h
            self._edges(found, node.id)
            targets.append(node.id)
        return with_paths(
            TrueGraph(
                self.tokens,
                tuple(targets),
                tuple(self.nodes.values()),
                tuple(self.values),
                tuple(self.choices),
                self.pre,
                self.patterns,
            )
        )
