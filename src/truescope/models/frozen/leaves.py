"""Sources of the frozen forward, and terms that carry a gradient without a value.

Values do not change: a norm puts out `real + (linear − linear)`, a biased projection `out + (leaf − leaf)`, the second
term of each difference cut off the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import nn

from truescope.core.sites import Site

TOKEN = "token"
"""The name of the embeddings' source."""
REPLACED = "replaced"
"""The name of the source of what units stand in for."""
READ = "read"
"""Where the gradients of a layer's units enter a block: what they read, before anything is put in its place."""


@dataclass(frozen=True, eq=False)
class Leaf:
    """A source of the frozen forward.

    ``name`` is "token" (the embedding), "replaced" (what units stand in for: the MLP's output, before a post-norm or
    after it, or the value of a site that is cut), or a constant's: pos_embed, attn_value_bias, attn_out_bias,
    pre_attn_norm_bias, attn_out_norm_bias, pre_mlp_norm_bias, mlp_out_norm_bias, final_norm_bias; where gates are held
    also mlp_in_bias and mlp_out_bias; with choices attn_query_bias and attn_key_bias. A projection that makes queries,
    keys and values at once has one bias, attn_value_bias. ``layer`` is -1 before the first block and n_layers after the
    last.
    """

    name: str
    layer: int
    value: Float[torch.Tensor, "1 pos width"]


@dataclass
class Stage:
    """A stretch of the model between two residual vectors, with the tensors that gradients enter and leave by."""

    entries: dict[Site | str, torch.Tensor] = field(default_factory=dict)
    below: torch.Tensor | None = None
    leaves: list[Leaf] = field(default_factory=list)

    def leaf(self, name: str, layer: int, value: torch.Tensor) -> torch.Tensor:
        """A new source with this value."""
        leaf = value.detach().clone().requires_grad_()
        self.leaves.append(Leaf(name, layer, leaf))
        return leaf

    def with_bias(self, name: str, layer: int, module: nn.Module, output: torch.Tensor) -> torch.Tensor:
        """A module's output with its bias as a source; without one the output as it is."""
        bias = getattr(module, "bias", None)
        if bias is None or not bool(bias.any()):
            return output
        return output + silent(self.leaf(name, layer, bias.expand(output.shape)))


def silent(x: torch.Tensor) -> torch.Tensor:
    """Zero in value, x in the gradient."""
    return x - x.detach()
