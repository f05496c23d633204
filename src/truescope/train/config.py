"""What decides a training run. The same configuration, model and text give the same dictionary, bit for bit."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from truescope.core.errors import UsageError, nearest
from truescope.dictionaries import ACTIVATIONS, KINDS, NORMALISATIONS


@dataclass(frozen=True)
class TrainConfig:
    """Sizes, schedule and loss.

    kind, n_features (of each site that is read), k (features kept at a position; with jumprelu, at the start)
    tokens          how many tokens the loop sees, batch tokens a step; epochs are reshuffled token by token
    lr              None: 0.01 · √(1024 / n_features), constant after a warm-up, linear to 0 over the last ``decay``
    closed_loop     the share of steps, at the end, that also lower KL(model ‖ model with every MLP replaced); its
                    gradient, times ``closed_loop_weight``, is cut to the length of the first loss's
    aux_coefficient weight of AuxK, over features silent for ``dead_after`` tokens
    unit_decoder    keep every decoder row at length one (in normalised outputs; for a CLT the row over all its layers)

    Unit rows make the pre-activations that TopK compares the sizes of what the features would write, whatever the
    layer; without them a feature can win its place by a long encoder row and a short decoder row.

    Raises:
        UsageError: a value that cannot be.
    """

    kind: str = "transcoder"
    n_features: int = 1024
    k: int = 32
    activation: str = "topk"
    normalisation: str = "affine"
    skip: bool = False
    site: str | None = None
    tokens: int = 3_000_000
    batch: int = 1024
    lr: float | None = None
    warmup: float = 0.02
    decay: float = 0.2
    closed_loop: float = 0.2
    closed_loop_weight: float = 1.0
    closed_loop_tokens: int = 1024
    unit_decoder: bool = True
    aux_coefficient: float = 1 / 32
    dead_after: int = 100_000
    bandwidth: float = 0.2
    l0_coefficient: float = 3e-3
    window: int = 512
    seed: int = 0
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        for name, word, known in (
            ("kind", self.kind, KINDS),
            ("activation", self.activation, ACTIVATIONS),
            ("normalisation", self.normalisation, NORMALISATIONS),
        ):
            if word not in known:
                raise UsageError(
                    f"there is no {name} {word!r}", why=f"known: {', '.join(known)}", fix=nearest(word, known)
                )
        if self.n_features < 1:
            raise UsageError(f"n_features is {self.n_features}", fix="choose a positive number")
        if not 1 <= self.k <= self.n_features:
            raise UsageError(
                f"k is {self.k}, of {self.n_features} features",
                why="no more features can be kept than there are, and at least one is",
                fix=f"choose k between 1 and {self.n_features}",
            )
        for name in ("tokens", "batch", "checkpoint_every", "window", "closed_loop_tokens", "dead_after"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}", fix="choose a positive number")
        for name in ("warmup", "decay", "closed_loop"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}", why="it is a share of the steps")
        if self.lr is not None and not 0 < self.lr < math.inf:
            raise UsageError(f"lr is {self.lr}", fix="choose a positive number, or leave it out")
        if (self.kind == "sae") != (self.site is not None):
            raise UsageError(
                "an sae reads one site, and only an sae is given one",
                fix="give --site resid_post.2, say, with --kind sae; leave it out with transcoder and clt",
            )

    @property
    def n_steps(self) -> int:
        """Steps of the loop."""
        return max(1, math.ceil(self.tokens / self.batch))

    @property
    def first_closed_step(self) -> int:
        """From this step on the closed loop takes part."""
        return self.n_steps - round(self.closed_loop * self.n_steps)

    def rate(self, step: int) -> float:
        """The learning rate of step ``step``, from 0."""
        peak = self.lr if self.lr is not None else 0.01 * math.sqrt(1024 / self.n_features)
        rise = min(1.0, (step + 1) / max(1, round(self.warmup * self.n_steps)))
        fall = min(1.0, (self.n_steps - step) / max(1, round(self.decay * self.n_steps)))
        return peak * min(rise, fall)

    def record(self) -> dict[str, Any]:
        """A plain object."""
        return asdict(self)
