"""What patching measures: a logit, or its difference from another or from the mean."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int

from truescope.core.errors import UsageError


@dataclass(frozen=True)
class LogitMetric:
    """m = logit[answer] at ``position``, minus logit[other] where ``other`` is given; one number for each prompt.

    With ``demean`` it is logit[answer] minus the mean logit, which is what attribution graphs explain.
    """

    answer: Int[torch.Tensor, " batch"]
    other: Int[torch.Tensor, " batch"] | None = None
    position: int = -1
    demean: bool = False

    def __call__(self, logits: Float[torch.Tensor, "rows pos vocab"], rows: torch.Tensor | None = None) -> torch.Tensor:
        """The metric of each row of ``logits``; ``rows`` says which prompt a row belongs to, where not all in order.

        Raises:
            UsageError: a token has no logit, or there are not as many answers as prompts.
        """
        at, n_vocab = logits[:, self.position], logits.shape[-1]
        value = -at.mean(-1) if self.demean else logits.new_zeros(len(logits))
        for sign, ids in ((1, self.answer), (-1, self.other)):
            if ids is None:
                continue
            if int(ids.min()) < 0 or int(ids.max()) >= n_vocab:
                raise UsageError(f"there is no logit {int(ids.max())}", why=f"the vocabulary has {n_vocab} tokens")
            chosen = ids.to(logits.device) if rows is None else ids.to(logits.device)[rows]
            if len(chosen) != len(logits):
                raise UsageError(f"there are {len(chosen)} answers for {len(logits)} prompts")
            value = value + sign * at.gather(-1, chosen[:, None])[:, 0]
        return value
