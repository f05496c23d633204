"""GraphLIME: which features of a node's neighbourhood go with the model's output there, by a kernel lasso.

    min over b ≥ 0   ½ ‖L̄ − Σ_k b_k K̄_k‖²_F + ρ ‖b‖₁

K_k is the kernel exp(−(x_ik − x_jk)² / (2 σ²)) of feature k between the nodes within ``n_hops``, L that of the model's
outputs; a bar means centred and scaled to Frobenius norm one. Only the inner products ⟨K̄_k, K̄_l⟩ and ⟨K̄_k, L̄⟩ enter,
so that the n² × d design is never built. A feature with two values on these nodes has a centred kernel of rank one, and
⟨K̄_k, K̄_l⟩ is the squared correlation of the two features.

Every inner product is ≥ 0 and b ≥ 0, so b_k = 0 wherever ⟨K̄_k, L̄⟩ ≤ ρ: nothing is said of any feature unless one is
aligned with the output by more than ρ. Huang et al. (2020), arXiv:2001.06216; widths and ρ as in the graphlime package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch_geometric.utils import k_hop_subgraph

from truescope.core.errors import UsageError
from truescope.gnn.explainers.attributions import Attributions, chosen_nodes
from truescope.gnn.explainers.gnn_explainer import are_probabilities
from truescope.gnn.networks.subject import Subject

WIDTH = 0.1
"""The kernels' σ² over the number of columns: exp(−‖a − b‖² / (2 d · 0.1))."""
_EPS = 1e-10


def graphlime(subject: Subject, nodes: Any = None, *, rho: float = 0.1, n_hops: int = 2) -> Attributions:
    """The coefficient of every feature, node by node; ``facts`` holds how well each node's best feature was aligned.

    Raises:
        UsageError: a negative ρ or no hops.
    """
    if rho < 0 or n_hops < 1:
        raise UsageError(f"rho is {rho} and n_hops {n_hops}", fix="rho of 0 or more, one hop or more")
    chosen = chosen_nodes(nodes, subject.n_nodes)
    out = subject.outputs.double()
    y = (out if are_probabilities(out) else out.softmax(1) if out.shape[1] > 1 else out.sigmoid()).numpy()
    x = subject.x.double().numpy()
    scores, best = np.zeros((len(chosen), subject.n_features)), np.zeros(len(chosen))
    seen: dict[bytes, tuple[np.ndarray, float]] = {}
    for place, node in enumerate(chosen):
        near = k_hop_subgraph(int(node), n_hops, subject.edge_index, num_nodes=subject.n_nodes)[0].numpy()
        key = near.tobytes()  # nodes with the same neighbourhood have the same answer
        if key not in seen:
            seen[key] = neighbourhood_lasso(x[near], y[near], rho)
        scores[place], best[place] = seen[key]
    return Attributions(
        "graphlime", chosen, subject.classes(chosen), scores, facts={"rho": rho, "best_alignment": best.tolist()}
    )


def neighbourhood_lasso(
    x: Float[np.ndarray, "n n_features"], y: Float[np.ndarray, "n n_classes"], rho: float
) -> tuple[Float[np.ndarray, " n_features"], float]:
    """The lasso on one set of nodes: every feature's coefficient, and the largest alignment ⟨K̄_k, L̄⟩."""
    kernels, L = Kernels.of(x), _unit(_kernel(y))
    alignment = kernels.with_kernel(L)
    coefficients = np.zeros(x.shape[1])
    candidates = np.flatnonzero(alignment > rho)
    if len(candidates):
        G = kernels.among(candidates)
        coefficients[candidates] = nonnegative_lasso(G, alignment[candidates], rho)
    return coefficients, float(alignment.max(initial=0.0))


def nonnegative_lasso(
    G: Float[np.ndarray, "d d"], c: Float[np.ndarray, " d"], rho: float, *, tolerance: float = 1e-12
) -> Float[np.ndarray, " d"]:
    """min over b ≥ 0 of ½ bᵀ G b − cᵀ b + ρ Σ b, one coordinate after another until none moves."""
    b = np.zeros(len(c))
    for _ in range(100_000):
        largest = 0.0
        for k in range(len(c)):
            if G[k, k] <= 0:
                continue
            new = max(0.0, b[k] + (c[k] - rho - G[k] @ b) / G[k, k])
            largest, b[k] = max(largest, abs(new - b[k])), new
        if largest <= tolerance:
            break
    return b


@dataclass(frozen=True, eq=False)
class Kernels:
    """The centred kernels of norm one of all features: v vᵀ where one has two values, zero where one, else a matrix."""

    v: Float[np.ndarray, "n n_features"]
    full: dict[int, Float[np.ndarray, "n n"]]

    @classmethod
    def of(cls, x: Float[np.ndarray, "n n_features"]) -> Kernels:
        """The kernels of the columns of ``x``, each distance divided by the number of features, as in the package."""
        lowest, highest = x.min(0), x.max(0)
        two = (highest > lowest) & ((x == lowest) | (x == highest)).all(0)
        centred = (x - x.mean(0)) * two
        norms = np.linalg.norm(centred, axis=0)
        v = centred / np.where(norms > 0, norms, 1.0)
        others = np.flatnonzero((highest > lowest) & ~two)
        return cls(v, {int(k): _unit(_kernel(x[:, [k]] / np.sqrt(x.shape[1]))) for k in others})

    def with_kernel(self, L: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " n_features"]:
        """⟨K̄_k, L⟩ for every feature k."""
        found = ((L @ self.v) * self.v).sum(0)
        for k, kernel in self.full.items():
            found[k] = (kernel * L).sum()
        return found

    def among(self, chosen: Int[np.ndarray, " d"]) -> Float[np.ndarray, "d d"]:
        """⟨K̄_k, K̄_l⟩ for the chosen features."""
        G = (self.v[:, chosen].T @ self.v[:, chosen]) ** 2
        for place, k in enumerate(chosen):
            if int(k) in self.full:
                row = self.with_kernel(self.full[int(k)])[chosen]
                G[place], G[:, place] = row, row
        return G


def _kernel(values: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    squares = ((values[:, None] - values[None]) ** 2).sum(-1)
    return np.exp(-squares / (2 * values.shape[1] * WIDTH + _EPS))


def _unit(K: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    centred = K - K.mean(0, keepdims=True)
    centred = centred - centred.mean(1, keepdims=True)
    return centred / (np.linalg.norm(centred) + _EPS)
