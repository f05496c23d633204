"""What the published benchmark ran under the name LRP: Captum's ε rule on message-passing layers, gradients elsewhere.

Steps that mix no nodes are passed by their plain gradient, and the message-passing steps then turn that gradient into
relevance. A model without message passing on its features (Local) therefore gets its gradient: a score that is no
relevance at all, which is why it is perfect there.

Captum keeps one note of what a layer was given. Where a layer is called twice (Two-hop), the second call overwrites it,
and the first is then worked out as if it had been given what the second was: with P for the layer, X for the features,

    published    (P X) ∘ Pᵀ(…)            the rule    X ∘ Pᵀ(…)

What arrives at an arc is the gradient by a mask of its messages, through the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.explainers.gradients import collect
from truescope.gnn.explainers.relevance import Pass, Rule
from truescope.gnn.networks.chain import Chain, Convolution, Gate
from truescope.gnn.networks.subject import Subject
from truescope.gnn.networks.trees import arc_numbers


def published_lrp(subject: Subject, nodes: Any = None, *, epsilon: float = 1e-9) -> Attributions:
    """The published scores of features and of arcs.

    Raises:
        ModelError: the model has no chain.
        GraphError: the graph has parallel arcs.
    """
    chosen = chosen_nodes(nodes, subject.n_nodes)
    classes = subject.classes(chosen)
    chain, x = subject.chain("published_lrp"), subject.x.numpy()
    numbers = arc_numbers(subject.edge_index, subject.n_nodes)
    logits = chain.values(x)[len(chain.body)]
    branches = [_Branch(chain, x, epsilon, numbers)]
    if chain.offset is not None:
        branches.append(_Branch(chain.offset, np.ones((len(x), 1), x.dtype), epsilon, numbers))
    arcs = np.zeros((len(chosen), subject.n_arcs), x.dtype)

    def relevances() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for place, (node, target) in enumerate(zip(chosen, classes, strict=True)):
            rows = np.array([node])
            g = _head_slope(chain, logits[rows], int(target))
            found = [branch.back(rows, g, arcs[place]) for branch in branches]
            yield found[0]

    scores = collect("published_lrp", subject, chosen, classes, relevances(), None, False)
    return Attributions("published_lrp", chosen, classes, scores.features, scores.by_node, np.abs(arcs))


class _Branch:
    """A chain as Captum's hooks see it: of a layer's calls, the last is noted for all."""

    def __init__(self, chain: Chain, x: Float[np.ndarray, "n_nodes d"], epsilon: float, numbers: sparse.csr_array):
        values, rule = chain.values(x), Rule("epsilon", epsilon=epsilon)
        self.chain, self.numbers = chain, numbers
        self.slopes = [s.slope(a) for s, a in zip(chain.body, values, strict=False) if isinstance(s, Gate)]
        self.noted = {
            step.name: (Pass.of(step, a, rule), a)
            for step, a in zip(chain.body, values, strict=False)
            if isinstance(step, Convolution)
        }

    def back(
        self, rows: Int[np.ndarray, " n_rows"], g: Float[np.ndarray, "n_rows d_out"], arcs: Float[np.ndarray, " n_arcs"]
    ) -> tuple[Int[np.ndarray, " n_before"], Float[np.ndarray, "n_before d_in"]]:
        """What arrives at the branch's input; what arrives at the arcs on the way is added to ``arcs``."""
        slopes = list(self.slopes)
        for step in reversed(self.chain.body):
            if isinstance(step, Gate):
                g = g * slopes.pop()[rows]
            elif any(term.mixing is not None for term in step.terms):
                one, a = self.noted[step.name]
                self._add_messages(step, a, rows, g / one.denominators[rows], arcs)
                rows, g = one.back(rows, g)
            else:
                rows, g = step.pull(rows, g)
        return rows, g

    def _add_messages(
        self, step: Convolution, a: np.ndarray, rows: np.ndarray, share: np.ndarray, arcs: np.ndarray
    ) -> None:
        for term in step.terms:
            if term.mixing is None or not term.along_arcs:
                continue
            part = term.mixing[rows]
            if not part.nnz:
                continue
            row = np.repeat(np.arange(len(rows)), np.diff(part.indptr))
            per_input = share if term.weights is None else share @ term.weights
            number = np.asarray(self.numbers[rows[row], part.indices]).reshape(-1).astype(np.int64) - 1
            messages = part.data * (a[part.indices] * per_input[row]).sum(1)
            np.add.at(arcs, number[number >= 0], messages[number >= 0])


def _head_slope(
    chain: Chain, logits: Float[np.ndarray, "1 n_classes"], target: int
) -> Float[np.ndarray, "1 n_classes"]:
    if chain.head is not None:
        return chain.head.slope(logits, np.array([target]))
    one = np.zeros_like(logits)
    one[:, target] = 1
    return one
