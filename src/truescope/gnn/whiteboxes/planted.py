"""A dependence on one named feature, of known strength, wired into any model: what an audit asks explainers to find.

    out′_ic = out_ic + s · σ · (x_ig − mean_g) / std_g · d_c

d is 1 for the favoured class and −1 / (C − 1) for the others. Everything else that the model computes has feature g at
its mean, so that the planted term is its only use, and s = 0 means none. σ is the standard deviation over nodes of the
model's own margin for the favoured class: at s = 1 the feature moves the margin as much as all else together does.
Other features can be withheld, held at their means likewise: of these it is known that the model does not use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from truescope.core.errors import ModelError, UsageError
from truescope.gnn.networks import Chain, Convolution, Gate, NoChain, Subject, Term


class Planted(nn.Module):
    """The subject's model with a planted dependence on feature ``column``; called as the model itself is.

    The features ``withheld`` are used by nothing in it.

    Raises:
        UsageError: no such feature or class, a negative strength, or a feature that is the same at every node.
        ModelError: a model whose output does not vary, so that no strength can be measured in its units.
    """

    shift: Tensor
    mean: Tensor
    kept: Tensor
    held: Tensor

    def __init__(
        self, subject: Subject, column: int, strength: float, favoured: int = -1, withheld: Sequence[int] = ()
    ) -> None:
        super().__init__()
        out = subject.outputs.double()
        n_classes = out.shape[1]
        if not 0 <= column < subject.n_features or not -n_classes <= favoured < n_classes or strength < 0:
            raise UsageError(
                f"cannot plant feature {column} for class {favoured} with strength {strength}",
                why=f"there are {subject.n_features} features and {n_classes} classes; a strength is 0 or more",
            )
        values = subject.x[:, column].double()
        if not values.std() > 0:
            raise UsageError(f"feature {subject.feature_names[column]!r} is the same at every node", fix="name another")
        direction = torch.full((n_classes,), -1.0 / max(1, n_classes - 1), dtype=torch.float64)
        direction[favoured] = 1.0
        self.inner, self.column, self.arguments = subject.model, column, subject.arguments
        kept = torch.ones(subject.n_features, dtype=torch.float64)
        kept[[column, *withheld]] = 0
        self.register_buffer("mean", values.mean())
        self.register_buffer("kept", kept)
        self.register_buffer("held", (1 - kept) * subject.x.double().mean(0))
        with subject.running() as run, torch.no_grad():
            margin = (run(self.without(subject.x)).double() * direction).sum(1)
        if not margin.std() > 0:
            raise ModelError("the model gives every node the same margin", why="a strength has no unit to be in")
        # What one standard deviation of the feature adds to the margin, per class; the margin counts it as a whole.
        unit = strength * margin.std() / values.std() / (direction**2).sum()
        self.register_buffer("shift", unit * direction)

    def forward(self, x: Tensor, edge_index: Tensor, **arguments: Any) -> Tensor:
        """The model's output plus the planted term."""
        out = self.inner(self.without(x), edge_index, **arguments)
        out = out[:, None] if out.dim() == 1 else out
        return out + (x[:, self.column] - self.mean.to(x.dtype))[:, None] * self.shift.to(out.dtype)

    def without(self, x: Float[Tensor, "n_nodes n_features"]) -> Float[Tensor, "n_nodes n_features"]:
        """The features as the model itself sees them: the planted one and those withheld at their means."""
        return x * self.kept.to(x.dtype) + self.held.to(x.dtype)

    def chain(self, x: Float[Tensor, "n_nodes n_features"], edge_index: Int[Tensor, "2 n_arcs"]) -> Chain:
        """The model's chain with the feature carried along beside its channels, and added at the end."""
        found = Subject(self.inner, x, edge_index, arguments=self.arguments).unrolled
        if isinstance(found, NoChain):
            raise ModelError("the model has no chain to plant in", why=found.why)
        if found.head is not None:
            raise ModelError("the planted term is added to what comes after the head", why="a chain ends with it")
        dtype = x.numpy().dtype
        pick = np.zeros((1, x.shape[1]), dtype)
        pick[0, self.column] = 1
        steps: list[Convolution | Gate] = []
        width = x.shape[1]
        for step in self._withheld(found.body, dtype):
            if isinstance(step, Gate):
                steps.append(Gate(step.name, step.function, step.rectifies, step.carried + 1))
                continue
            carried = np.eye(1, width + 1, width, dtype) if steps else pick
            steps.append(_beside(step, carried, width, bool(steps)))
            width = _width(step, width)
        shift = self.shift.numpy().astype(dtype)
        add = np.concatenate([np.eye(width, dtype=dtype), shift[:, None]], axis=1)
        steps.append(Convolution("planted", (Term(None, add),), -(float(self.mean) * shift).astype(dtype)))
        return Chain(tuple(steps), found.offset)

    def _withheld(self, body: Sequence[Convolution | Gate], dtype: Any) -> list[Convolution | Gate]:
        """The steps with what is withheld at its mean: in the first weights, or in a step before them."""
        first, kept, held = body[0], self.kept.numpy().astype(dtype), self.held.numpy().astype(dtype)
        term = first.terms[0] if isinstance(first, Convolution) and len(first.terms) == 1 else None
        if not isinstance(first, Convolution) or term is None or term.weights is None:
            return [Convolution("withheld", (Term(None, np.diag(kept)),), held), *body]
        weights, constant = term.weights * kept, (term.weights @ held).astype(dtype)
        reach = None if term.mixing is None else np.asarray(term.mixing.sum(1)).astype(dtype)
        added = constant if reach is None else reach[:, None] * constant
        bias = added if first.bias is None else first.bias + added
        return [Convolution(first.name, (Term(term.mixing, weights),), bias), *body[1:]]


def _width(step: Convolution, before: int) -> int:
    weights = step.terms[0].weights
    return before if weights is None else weights.shape[0]


def _beside(step: Convolution, carried: np.ndarray, d_in: int, widened: bool) -> Convolution:
    """The step on its own channels, and one more channel that is ``carried`` from the step's input."""
    terms = []
    for term in step.terms:
        weights = np.eye(d_in, dtype=carried.dtype) if term.weights is None else term.weights
        if widened:  # the step does not read the channel that is carried
            weights = np.concatenate([weights, np.zeros((len(weights), 1), weights.dtype)], axis=1)
        own = np.concatenate([weights, np.zeros((1, weights.shape[1]), weights.dtype)])
        terms.append(Term(term.mixing, own, term.along_arcs))
    d_out = terms[0].weights.shape[0]
    through = np.concatenate([np.zeros((d_out - 1, carried.shape[1]), carried.dtype), carried])
    terms.append(Term(None, through))
    bias = None if step.bias is None else np.concatenate([step.bias, np.zeros_like(step.bias[..., :1])], axis=-1)
    return Convolution(step.name, tuple(terms), bias)
