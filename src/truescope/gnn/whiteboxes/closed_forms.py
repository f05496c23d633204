"""What the published benchmark's numbers must be, on average, derived without running an explainer.

Any score that multiplies by the input (input × gradient, integrated gradients, LRP with ε) is zero for a feature that
is zero wherever the classifier looks. An important feature then ties with the unimportant ones, which counts a half:

    Local          ½ + pos / 2
    Neighborhood   1 − ½ E (1 − pos)^d,  d ~ Bin(n − 1, q)                        q = P(arc) · P(an arc is important)
    Two-hop        1 − ½ E_d (1 − pos (1 − (1 − q)^d))^(n − 1)    d the same; a node is two hops away through any of d

With false coded −1 nothing is zero, and all three are 1. The plain gradient does not multiply by the input: 1 too.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from truescope.core.errors import UsageError, nearest
from truescope.gnn.whiteboxes.generate import Setting
from truescope.gnn.whiteboxes.published import WHITE_BOXES

GRADIENTS = ("saliency", "deconvolution", "guided_backpropagation")
TIMES_INPUT = ("input_x_gradient", "integrated_gradients", "lrp_epsilon")


def expected_outranking(white_box: str, explainer: str, setting: Setting) -> float | None:
    """The expected share of (important, unimportant) pairs of features in the right order; None where none is known.

    It is that of Erdős–Rényi graphs with unsigned features, over graphs, features and nodes, ties counted as a half.

    Raises:
        UsageError: no such white box.
    """
    if white_box not in WHITE_BOXES:
        raise UsageError(f"there is no white box {white_box!r}", fix=nearest(white_box, WHITE_BOXES))
    if setting.graph != "erdos-renyi" or setting.signed or explainer not in GRADIENTS + TIMES_INPUT:
        return None
    if explainer in GRADIENTS or setting.false_value == -1.0:
        return 1.0
    pos, n = setting.p_positive, setting.n_nodes
    q = setting.mean_degree / n * setting.p_arc
    if white_box == "local":
        return 0.5 + pos / 2
    degrees = np.arange(n)
    weights = stats.binom.pmf(degrees, n - 1, q)
    reached = (1 - (1 - q) ** degrees) if white_box == "two-hop" else None
    absent = (1 - pos) ** degrees if reached is None else (1 - pos * reached) ** (n - 1)
    return float(1 - weights @ absent / 2)
