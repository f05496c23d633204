"""Layer-wise relevance propagation through a model's chain, for all nodes; a layer used twice is two steps.

    R_j = Σ_k  a_j w̃_jk / z̃_k  R_k,     z̃_k = Σ_j a_j w̃_jk + b̃_k  (+ ε sign z̃_k)

    ε     w̃ = w                       γ     w̃ = w + γ max(w, 0)                z⁺    only positive a_j w_jk; no bias

w_jk is a step's whole linear map from (node, channel) to (node, channel). Activation functions pass relevance on, and
it starts as the explained logit. Where an input is zero its relevance is zero: on the features this is input × gradient
for a model without activation functions. Bach et al. (2015), doi:10.1371/journal.pone.0130140; Montavon et al. (2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from truescope.core.errors import ModelError, UsageError, nearest
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.explainers.gradients import collect
from truescope.gnn.networks.chain import Chain, Convolution, Term
from truescope.gnn.networks.subject import Subject

RuleName = Literal["epsilon", "gamma", "z_plus"]
RULES: tuple[str, ...] = get_args(RuleName)
"""The relevance rules by name."""


@dataclass(frozen=True)
class Rule:
    """Which rule, and its number: ε or γ."""

    name: RuleName | str = "epsilon"
    epsilon: float = 1e-9
    gamma: float = 0.25

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise UsageError(f"no relevance rule is called {self.name!r}", fix=nearest(self.name, RULES))

    def weighted(self, step: Convolution, d_in: int, sign: float = 1.0) -> Convolution:
        """The step with the rule's weights in place of its own, which are first multiplied by ``sign``."""
        if self.name == "epsilon":
            return step
        for term in step.terms:
            if term.mixing is not None and term.mixing.nnz and term.mixing.data.min() < 0:
                raise ModelError(
                    f"the {self.name} rule cannot be used on {step.name}",
                    why="its arcs have negative weights, so that positive and negative parts do not separate",
                    fix="use the epsilon rule",
                )
        change = _positive if self.name == "z_plus" else self._raised
        terms = tuple(Term(t.mixing, change(sign * _weights(t, d_in)), t.along_arcs) for t in step.terms)
        bias = None if self.name == "z_plus" or step.bias is None else self._raised(step.bias)
        return Convolution(step.name, terms, bias)

    def _raised(self, w: np.ndarray) -> np.ndarray:
        return w + self.gamma * np.maximum(w, 0)


def lrp(
    subject: Subject,
    nodes: Any = None,
    *,
    rule: Rule | str = "epsilon",
    full: bool = False,
) -> Attributions:
    """Relevance of every feature of every node for each explained node's logit.

    ``facts`` holds what the biases took, a number a node: the relevance of the features and it sum to the logit.
    Attention, and what cuts messages with edge features, are held at their values on this graph, and a note says so.

    Raises:
        ModelError: the model has no chain, or the rule does not fit its weights.
        UsageError: no such rule.
    """
    rule = Rule(rule) if isinstance(rule, str) else rule
    chosen = chosen_nodes(nodes, subject.n_nodes)
    classes = subject.classes(chosen)
    chain, biases = subject.chain("lrp", hold=True), np.zeros(len(chosen))
    relevance = _relevances(chain, rule, subject.x.numpy(), chosen, classes, biases)
    found = collect(f"lrp_{rule.name}", subject, chosen, classes, relevance, None, full)
    return replace(found, notes=held_note(chain), facts={"biases": biases})


def held_note(chain: Chain) -> tuple[str, ...]:
    """What to say of a chain in which something was held."""
    if not chain.held:
        return ()
    return (f"the attention, or the cut of messages, of {', '.join(chain.held)} is held at its value on this graph",)


def _relevances(
    chain: Chain, rule: Rule, x: np.ndarray, chosen: np.ndarray, classes: np.ndarray, biases: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    values = chain.values(x)
    passes = [
        Pass.of(step, a, rule) for step, a in zip(chain.body, values, strict=False) if isinstance(step, Convolution)
    ]
    logits = values[len(chain.body)]
    for place, (node, target) in enumerate(zip(chosen, classes, strict=True)):
        rows, relevance = np.array([node]), np.zeros((1, logits.shape[1]), logits.dtype)
        relevance[0, target] = logits[node, target]
        for one in reversed(passes):
            biases[place] += one.taken(rows, relevance)
            rows, relevance = one.back(rows, relevance)
        yield rows, relevance


@dataclass(frozen=True, eq=False)
class Pass:
    """One linear step with what it was given and the rule's denominators; z⁺ has a part for negative inputs."""

    parts: tuple[tuple[Convolution, np.ndarray], ...]
    denominators: Float[np.ndarray, "n_nodes d_out"]

    def taken(self, rows: Int[np.ndarray, " n_rows"], relevance: Float[np.ndarray, "n_rows d_out"]) -> float:
        """The relevance that goes to the step's bias, and so to no input."""
        bias = self.parts[0][0].bias
        if bias is None:
            return 0.0
        return float((relevance / self.denominators[rows] * (bias if bias.ndim == 1 else bias[rows])).sum())

    @classmethod
    def of(cls, step: Convolution, a: Float[np.ndarray, "n_nodes d_in"], rule: Rule) -> Pass:
        """Prepare a step that was given ``a``."""
        if rule.name != "z_plus":
            weighted = rule.weighted(step, a.shape[1])
            return cls(((weighted, a),), stabilised(weighted.apply(a), rule.epsilon))
        positive, negative = (rule.weighted(step, a.shape[1], sign) for sign in (1.0, -1.0))
        up, down = np.maximum(a, 0), np.maximum(-a, 0)
        return cls(((positive, up), (negative, down)), positive.apply(up) + negative.apply(down) + rule.epsilon)

    def back(
        self, rows: Int[np.ndarray, " n_rows"], relevance: Float[np.ndarray, "n_rows d_out"]
    ) -> tuple[Int[np.ndarray, " n_before"], Float[np.ndarray, "n_before d_in"]]:
        """The relevance of the step's inputs, from that of its outputs."""
        share = relevance / self.denominators[rows]
        pulled = [(a, *step.pull(rows, share)) for step, a in self.parts]
        before = pulled[0][1]
        return before, np.sum([a[r] * g for a, r, g in pulled], axis=0)


def stabilised(z: Float[np.ndarray, "*shape"], epsilon: float) -> Float[np.ndarray, "*shape"]:
    """z + ε sign z, with sign 0 = 1."""
    return z + epsilon * np.where(z < 0, -1.0, 1.0).astype(z.dtype)


def _weights(term: Term, d_in: int) -> np.ndarray:
    return np.eye(d_in) if term.weights is None else term.weights


def _positive(w: np.ndarray) -> np.ndarray:
    return np.maximum(w, 0)
