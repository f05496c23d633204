"""What a trained model does without what an explanation names, and with that alone.

    fid⁺ = 1 − mean 1[ŷ(G ∖ S) = ŷ(G)]        S: the parts with the largest scores, a ``share`` of those that have any
    fid⁻ = 1 − mean 1[ŷ(G_S) = ŷ(G)]
    characterisation = 1 / (½ / fid⁺ + ½ / (1 − fid⁻)), 0 where fid⁺ is (counted)
    necessity, sufficiency: the probability of the class that is lost without S, and kept with S alone

All in model mode: against the model's own answer, not the label. A feature is taken away everywhere; an arc by dropping
its messages, which leaves degrees as they were. The robust form takes away (or puts back) each part of S with a
probability only, so that the model is asked about graphs nearer to those it knows (Zheng et al. 2024,
arXiv:2310.01820). Amara et al. (2022), arXiv:2206.09677; Yuan et al. (2022), arXiv:2012.15445.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import stats
from torch import Tensor

from truescope.core.claims import Score
from truescope.core.errors import UsageError
from truescope.gnn.explainers import Attributions
from truescope.gnn.networks import Subject
from truescope.statistics import bootstrap_interval

Part = Literal["features", "arcs"]


@dataclass(frozen=True)
class Fidelity:
    """The measures of one explainer, each a mean over nodes with a 95 % bootstrap interval."""

    explainer: str
    part: str
    share: float
    fid_plus: Score
    fid_minus: Score
    necessity: Score
    sufficiency: Score
    robust_plus: Score
    robust_minus: Score
    n_undefined: int

    @property
    def characterisation(self) -> float:
        """The weighted harmonic mean of fid⁺ and 1 − fid⁻; 0 where either is 0."""
        plus, kept = self.fid_plus.value, 1 - self.fid_minus.value
        return 0.0 if plus <= 0 or kept <= 0 else 1 / (0.5 / plus + 0.5 / kept)

    def record(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {**asdict(self), "characterisation": self.characterisation}


def fidelity(
    subject: Subject,
    found: Attributions,
    *,
    part: Part | str = "features",
    share: float = 0.2,
    n_draws: int = 5,
    removal: float = 0.5,
    seed: int = 0,
) -> Fidelity:
    """Measure what ``found`` names; ``removal`` is the probability with which the robust form takes a part away.

    ``n_undefined`` counts nodes for which the explainer scored nothing above 0: taking nothing away changes nothing.

    Raises:
        UsageError: a part the explainer does not score, or a share outside (0, 1].
    """
    scores = getattr(found, part, None) if part in ("features", "arcs") else None
    if scores is None:
        raise UsageError(f"{found.explainer} does not score {part}", fix=f"it scores {', '.join(found.scored)}")
    if not 0 < share <= 1 or not 0 < removal <= 1:
        raise UsageError(f"a share of {share} and removal {removal}", fix="both above 0 and at most 1")
    chosen = top_share(np.abs(scores), share)
    rng = np.random.default_rng(seed)
    p = _probabilities(subject.outputs)
    rows = []
    with subject.running() as run, torch.no_grad():
        for node, target, named in zip(found.nodes, found.classes, chosen, strict=True):

            def asked(keep: np.ndarray, node: int = int(node), target: int = int(target)) -> tuple[float, float]:
                out = _probabilities(_under(run, subject, part, torch.from_numpy(keep)))[node]
                return float(out.argmax() == target), float(out[target])

            without, alone = asked(~named), asked(named)
            drawn = [rng.random(len(named)) < removal for _ in range(n_draws)]
            # Robust: some of what is named goes; some of what is not named goes.
            plus = np.mean([asked(~(named & d))[0] for d in drawn])
            minus = np.mean([asked(named | ~d)[0] for d in drawn])
            full = float(p[node, target])
            rows.append((1 - without[0], 1 - alone[0], full - without[1], alone[1] / full, 1 - plus, 1 - minus))
    names = ("fid_plus", "fid_minus", "necessity", "sufficiency", "robust_plus", "robust_minus")
    measured = {n: _score(n, np.array(v), seed) for n, v in zip(names, zip(*rows, strict=True), strict=True)}
    undefined = int((~chosen.any(1)).sum())
    return Fidelity(found.explainer, part, share, **measured, n_undefined=undefined)


def top_share(scores: Float[np.ndarray, "n_targets n_parts"], share: float) -> Bool[np.ndarray, "n_targets n_parts"]:
    """For each row, the parts of largest score: a share of those above 0, one at the least where there is any."""
    chosen = np.zeros(scores.shape, dtype=bool)
    for row, mine in zip(chosen, scores, strict=True):
        n_scored = int((mine > 0).sum())
        if n_scored:
            row[np.argsort(-mine, kind="stable")[: max(1, round(share * n_scored))]] = True
    return chosen


def stability(runs: list[Attributions], *, part: Part | str = "features", share: float = 0.2) -> dict[str, float]:
    """How far the same explainer agrees with itself over seeds: Jaccard of what it names, and rank correlation.

    Both are means over nodes and pairs of runs; a row of equal scores has no ranks and is left out of the second.

    Raises:
        UsageError: fewer than two runs.
    """
    if len(runs) < 2:
        raise UsageError("stability needs two runs or more")
    overlap, ranks = [], []
    for i, one in enumerate(runs):
        for other in runs[i + 1 :]:
            a, b = np.abs(getattr(one, part)), np.abs(getattr(other, part))
            first, second = top_share(a, share), top_share(b, share)
            either = (first | second).sum(1)
            overlap.append((first & second).sum(1)[either > 0] / either[either > 0])
            varied = (a.std(1) > 0) & (b.std(1) > 0)
            ranks += [stats.spearmanr(x, y).statistic for x, y in zip(a[varied], b[varied], strict=True)]
    return {
        "jaccard": float(np.concatenate(overlap).mean()),
        "rank_correlation": float(np.mean(ranks)) if ranks else float("nan"),
        "n_runs": len(runs),
    }


def _under(run: Any, subject: Subject, part: str, keep: Tensor) -> Tensor:
    if part == "features":
        return run(subject.x * keep.to(subject.x.dtype))
    return run(subject.x, keep.to(subject.x.dtype))


def _probabilities(outputs: Float[Tensor, "n_nodes n_classes"]) -> Float[Tensor, "n_nodes n_classes"]:
    rows = outputs.sum(1)
    probable = bool((outputs >= 0).all()) and bool((rows - 1).abs().max() < 1e-4)
    return outputs if probable else outputs.softmax(1)


def _score(name: str, values: Float[np.ndarray, " n"], seed: int) -> Score:
    low, high = bootstrap_interval(values, seed=seed)
    return Score(name, float(values.mean()), low, high, len(values))
