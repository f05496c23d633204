"""The axiom that every explanation is held to: what the model uses outranks what it does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy import stats

from truescope.core.claims import Score
from truescope.core.errors import UsageError
from truescope.statistics import bootstrap_interval, clustered_bootstrap_interval


def outranking(
    scores: Float[np.ndarray, "*cases parts"], used: Bool[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*cases"]:
    """The share of (used, unused) pairs of parts in which the used one has the larger score, a tie counting half.

        A = P(s_used > s_unused) + ½ P(s_used = s_unused)

    which is the area under the ROC curve of the scores. ``used`` is ``[*cases, parts]``, or ``[parts]`` for all cases.
    A case in which every part or no part is used has no such pair: it is *not applicable*, NaN, and never averaged in.
    Give absolute values where a score's sign is no part of the ranking.

    Raises:
        UsageError: shapes that do not fit, or a score that is not finite.

    Hanley and McNeil 1982, Radiology 143; the axiom after Monti and others, "True-to-the-model" graph explanations.
    """
    if used.shape not in (scores.shape, scores.shape[-1:]):
        raise UsageError(
            f"scores of shape {scores.shape} with used parts of shape {used.shape}",
            fix="one truth for each score, or one for all cases",
        )
    if not np.isfinite(scores).all():
        raise UsageError("a score is not finite", fix="an explainer that gives NaN has failed; count it as a failure")
    truth = np.broadcast_to(used, scores.shape)
    n_used = truth.sum(axis=-1)
    n_pairs = n_used * (scores.shape[-1] - n_used)
    ranks = stats.rankdata(scores, axis=-1)
    wins = np.where(truth, ranks, 0.0).sum(axis=-1) - n_used * (n_used + 1) / 2.0
    return np.asarray(np.where(n_pairs > 0, wins / np.maximum(n_pairs, 1), np.nan))


def average_precision(
    scores: Float[np.ndarray, "*cases parts"], used: Bool[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*cases"]:
    """The mean, over the used parts, of the share of used ones among all that score at least as much.

        AP = Σ_k (R_k − R_(k−1)) P_k        over the distinct scores, from the largest down

    Where few parts of many are used an area near 1 can still hide many unused ones on top; this does not. Scores
    without any order give the share of used parts. A case in which every part or no part is used is NaN, as for
    `outranking`, and shapes are the same.

    Raises:
        UsageError: shapes that do not fit, or a score that is not finite.
    """
    applies = ~np.isnan(outranking(scores, used))
    order = np.argsort(-scores, axis=-1, kind="stable")
    ranked = np.take_along_axis(np.broadcast_to(used, scores.shape), order, axis=-1)
    values = np.take_along_axis(scores, order, axis=-1)
    place = np.arange(scores.shape[-1])
    # Tied scores stand together: each is judged at the last of them.
    last = np.concatenate([values[..., 1:] != values[..., :-1], np.ones_like(values[..., :1], dtype=bool)], axis=-1)
    end = np.flip(np.minimum.accumulate(np.flip(np.where(last, place, len(place)), -1), axis=-1), -1)
    precision = np.take_along_axis(ranked.cumsum(axis=-1), end, axis=-1) / (end + 1)
    found = np.where(ranked, precision, 0.0).sum(axis=-1) / np.maximum(ranked.sum(axis=-1), 1)
    return np.asarray(np.where(applies, found, np.nan))


@dataclass(frozen=True, eq=False)
class Outranking:
    """The area of every case (NaN where not applicable), and what is reported of them together.

    ``auc`` is flat: cases in the order of the scores.
    """

    auc: Float[np.ndarray, " n_cases"]

    @staticmethod
    def of(scores: Float[np.ndarray, "*cases parts"], used: Bool[np.ndarray, "*shape"]) -> Outranking:
        """Score every case; see `outranking`."""
        return Outranking(np.atleast_1d(outranking(scores, used)).ravel())

    @property
    def applicable(self) -> Bool[np.ndarray, " n_cases"]:
        """Which cases have both a used and an unused part."""
        return ~np.isnan(self.auc)

    @property
    def n_applicable(self) -> int:
        """How many have."""
        return int(self.applicable.sum())

    @property
    def n_not_applicable(self) -> int:
        """How many have not."""
        return len(self.auc) - self.n_applicable

    @property
    def mean(self) -> float:
        """The mean area over applicable cases, NaN when there is none: 1 perfect, ½ chance."""
        return float(self.auc[self.applicable].mean()) if self.n_applicable else float("nan")

    def score(
        self,
        name: str,
        clusters: Shaped[np.ndarray, " n_cases"] | None = None,
        *,
        seed: int = 0,
        n_resamples: int = 2000,
    ) -> Score:
        """The mean with its 95 % bootstrap interval over applicable cases, drawn in whole clusters where given.

        Raises:
            UsageError: no case is applicable, or all of those are in one cluster.
        """
        cases = self.auc[self.applicable]
        if len(cases) == 0:
            raise UsageError(
                f"none of {len(self.auc)} cases has both a used and an unused part",
                why="where every part or none is used, nothing can be outranked",
                fix="report the count as not applicable",
            )
        if clusters is None:
            low, high = bootstrap_interval(cases, seed=seed, n_resamples=n_resamples)
        else:
            chosen = np.asarray(clusters)[self.applicable]
            low, high = clustered_bootstrap_interval(cases, chosen, seed=seed, n_resamples=n_resamples)
        return Score(name, float(cases.mean()), low, high, len(cases))
