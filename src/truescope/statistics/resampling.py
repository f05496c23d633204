"""Bootstrap intervals where cases are not independent: clusters, and groups within groups."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import stats

from truescope.core.errors import UsageError
from truescope.statistics.intervals import FEW_OUTCOMES, check_level, check_values, tails

_MAX_DRAWS_HELD = 2_000_000


def clustered_bootstrap_interval(
    values: Shaped[np.ndarray, " n"],
    clusters: Shaped[np.ndarray, " n"],
    *,
    statistic: Callable[[np.ndarray], Any] | None = None,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The bootstrap interval (low, high) of a mean over cases of which those of one cluster belong together.

    Whole clusters (the prompts of one entity, the nodes of one graph) are drawn with replacement; the mean of a draw is
    Σ of its cases / number of its cases. With ``statistic`` that function of the drawn cases is taken instead. The
    quantiles are widened for few clusters: with G clusters the tail is Φ(t_{α/2, G−1} √(G/(G−1))), not α/2.

    A mean of outcomes 0 and 1 of which the rarer is seen in fewer than `FEW_OUTCOMES` clusters gets the exact interval
    of that share with the number of clusters as the number of cases: the cases of a cluster may all say the same.

    Raises:
        UsageError: fewer than two clusters, values that are not finite, or a level outside (0, 1).

    Davison and Hinkley, "Bootstrap Methods" (1997), section 3.8; Hesterberg 2015, The American Statistician 69;
    Korn and Graubard 1998, Survey Methodology 24.
    """
    cases = check_values(values)
    check_level(level)
    place = numbered(clusters)
    n = int(place.max()) + 1
    if n < 2:
        raise UsageError(
            "one cluster shows nothing of how clusters differ",
            fix="give two clusters or more, or use bootstrap_interval",
        )
    if statistic is None and np.isin(cases, (0.0, 1.0)).all():
        rarer = cases if cases.mean() <= 0.5 else 1.0 - cases
        if np.count_nonzero(np.bincount(place, rarer)) < FEW_OUTCOMES:
            return _share_interval(float(cases.mean()), n, level)
    rng = np.random.default_rng(seed)
    if statistic is None:
        drawn = _drawn_means(np.bincount(place, cases), np.bincount(place).astype(np.float64), n_resamples, rng)
    else:
        members = [np.flatnonzero(place == cluster) for cluster in range(n)]
        picks = rng.integers(n, size=(n_resamples, n))
        drawn = np.array([statistic(cases[np.concatenate([members[c] for c in pick])]) for pick in picks])
    low, high = np.quantile(drawn, tails(level, n))
    return float(low), float(high)


def hierarchical_bootstrap_interval(
    values: Shaped[np.ndarray, " n"],
    groups: Shaped[np.ndarray, "n_levels n"],
    *,
    fixed: int = 0,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The bootstrap interval (low, high) of a mean of means of means: seeds within prompts within programs, say.

    ``groups`` names each case's group at every level, the outermost first; a group within another is told apart by
    both names. Every group counts the same in the group around it, however many cases it has. The first ``fixed``
    levels are no sample but all there is (the named programs) and are kept; the groups of the level below them are
    drawn with replacement inside each, and what is inside a drawn group is kept as it is: drawing again inside would
    count the inner noise twice.

    Raises:
        UsageError: no level, more fixed ones than there are, a group with a single member at the level that is drawn,
            values that are not finite, or a level outside (0, 1).

    Davison and Hinkley, "Bootstrap Methods" (1997), section 3.8.
    """
    cases = check_values(values)
    check_level(level)
    if len(groups) == 0 or not 0 <= fixed <= len(groups):
        raise UsageError(f"{fixed} fixed levels of {len(groups)}", fix="name one level or more, and keep at most all")
    names = _nested(groups, len(cases))
    weights = _equal_weights(names)
    around, drawn_level = names[fixed], names[fixed + 1]
    weight = np.bincount(drawn_level, weights)
    means = np.bincount(drawn_level, weights * cases) / weight
    parent = np.zeros(len(weight), dtype=int)
    parent[drawn_level] = around
    counts = np.bincount(parent)
    if (counts < 2).any():
        raise UsageError(
            "a group has a single member at the level that is drawn from",
            why="one member shows nothing of how members differ",
            fix="give two or more, or fix fewer levels",
        )
    rng = np.random.default_rng(seed)
    drawn = np.zeros(n_resamples)
    for group, count in enumerate(counts):
        inside = parent == group
        drawn += weight[inside].sum() * _drawn_means(means[inside], np.ones(count), n_resamples, rng)
    low, high = np.quantile(drawn, tails(level, float(stats.hmean(counts)), int((counts - 1).sum())))
    return float(low), float(high)


def numbered(names: Shaped[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Names as numbers from 0 in order of their first appearance, so that other names give the same draws."""
    _, first, place = np.unique(names, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[place]


def _nested(groups: Shaped[np.ndarray, "n_levels n"], n: int) -> list[Int[np.ndarray, " n"]]:
    """Each case's group at every level, numbered from 0: the whole, the given levels, the case itself."""
    names = [np.zeros(n, dtype=int)]
    for level in groups:
        own = numbered(level)
        names.append(numbered(names[-1] * (int(own.max()) + 1) + own))
    return [*names, np.arange(n)]


def _equal_weights(names: list[Int[np.ndarray, " n"]]) -> Float[np.ndarray, " n"]:
    """Each case's share of the whole when every group counts the same in the group around it."""
    shares = np.ones(len(names[0]))
    for around, inside in itertools.pairwise(names):
        pairs = np.unique(np.stack([around, inside]), axis=1)
        shares /= np.bincount(pairs[0])[around]
    return shares


def _drawn_means(
    sums: Float[np.ndarray, " n_groups"], counts: Float[np.ndarray, " n_groups"], n_resamples: int, rng: Any
) -> Float[np.ndarray, " n_resamples"]:
    """Σ sums / Σ counts over groups drawn with replacement, as many as there are."""
    n = len(sums)
    chance = np.full(n, 1.0 / n)
    found = np.empty(n_resamples)
    step = max(1, _MAX_DRAWS_HELD // n)
    for start in range(0, n_resamples, step):
        times = rng.multinomial(n, chance, size=min(step, n_resamples - start))
        found[start : start + step] = (times @ sums) / (times @ counts)
    return found


def _share_interval(share: float, n: int, level: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share of ``n`` clusters, of which n · share need not be whole."""
    tail, seen = (1.0 - level) / 2.0, share * n
    low = 0.0 if seen == 0 else float(stats.beta.ppf(tail, seen, n - seen + 1))
    high = 1.0 if seen == n else float(stats.beta.ppf(1.0 - tail, seen + 1, n - seen))
    return low, high
