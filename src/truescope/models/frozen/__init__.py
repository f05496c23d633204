"""The frozen forward: attention patterns and norm denominators held, so that a backward pass is linear and exact.

Read in this order: `leaves` (sources, and gradients without values), `cuts` (sites that are cut, MLPs with held gates),
`forward` (`freeze`, and `FrozenRun`, which pulls gradients down stage by stage).
"""

from truescope.models.frozen.cuts import CUT_KINDS
from truescope.models.frozen.forward import KEY, QUERY, FrozenRun, Pulled, Skip, freeze, linear_norm
from truescope.models.frozen.leaves import READ, REPLACED, TOKEN, Leaf

__all__ = [
    "CUT_KINDS",
    "KEY",
    "QUERY",
    "READ",
    "REPLACED",
    "TOKEN",
    "FrozenRun",
    "Leaf",
    "Pulled",
    "Skip",
    "freeze",
    "linear_norm",
]
