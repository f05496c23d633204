"""What a trained model does without what an explanation names, and with that alone.

    fid⁺ = 1 − mean 1[ŷ(G ∖ S) = ŷ(G)]        S: the parts of largest |score|, a ``share`` of those not 0
    fid⁻ = 1 − mean 1[ŷ(G_S) = ŷ(G)]
    characterisation = 1 / (½ / fid⁺ + ½ / (1 − fid⁻)), of the means; undefined at fid⁺ = 0: taken as 0, and counted
    necessity, sufficiency: the probability of the class that is lost without S, and kept with S alone

All in model mode: against the model's own answer, not the label. A feature is taken away everywhere; an arc by dropping
its messages, which leaves degrees as they were. The robust form takes away (or puts back) each part of S with a
probability only, so that the model is asked about graphs nearer to those it knows (Zheng et al. 2024,
arXiv:2310.01820). Amara et al. (2022), arXiv:2206.09677; Yuan et al. (2022), arXiv:2012.15445.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import stats
from torch import Tensor

from truescope.core.claims import Score
from truescope.core.errors import UsageError
from truescope.gnn.explainers import Attributions
from truescope.gnn.networks import Subject, neighbourhood
from truescope.statistics import bootstrap_interval, clustered_bootstrap_interval

Part = Literal["features", "arcs"]


MEASURES = ("fid_plus", "fid_minus", "necessity", "sufficiency", "robust_plus", "robust_minus")
"""What is measured at every node, in this order."""


@dataclass(frozen=True)
class Fidelity:
    """The measures of one explainer: means over nodes (and networks) with a 95 % bootstrap interval over nodes.

    ``n_undefined`` counts explanations that score nothing above 0: taking nothing away changes nothing.
    ``n_uncharacterised`` counts networks in which fid⁺ is 0, ``range`` is the lowest and highest mean of a network.
    """

    explainer: str
    part: str
    share: float
    fid_plus: Score
    fid_minus: Score
    necessity: Score
    sufficiency: Score
    robust_plus: Score
    robust_minus: Score
    characterisation: Score
    n_undefined: int
    n_networks: int
    n_uncharacterised: int
    range: dict[str, tuple[float, float]]

    def record(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return asdict(self)


def fidelity(
    subject: Subject | Sequence[Subject],
    found: Attributions | Sequence[Attributions],
    *,
    part: Part | str = "features",
    share: float = 0.2,
    n_draws: int = 5,
    removal: float = 0.5,
    seed: int = 0,
) -> Fidelity:
    """Measure what ``found`` names; ``removal`` is the probability with which the robust form takes a part away.

    Several networks on one graph, with one explanation each of the same nodes, are measured together.

    Raises:
        UsageError: a part the explainer does not score, a share outside (0, 1], other nodes in each network, or a
            network of one output.
    """
    subjects = [subject] if isinstance(subject, Subject) else list(subject)
    all_found = [found] if isinstance(found, Attributions) else list(found)
    first = all_found[0]
    if not 0 < share <= 1 or not 0 < removal <= 1:
        raise UsageError(f"a share of {share} and removal {removal}", fix="both above 0 and at most 1")
    if len(subjects) != len(all_found) or any(not np.array_equal(one.nodes, first.nodes) for one in all_found):
        raise UsageError("the networks do not explain the same nodes", fix="one explanation each, of the same nodes")
    if any(one.outputs.shape[1] < 2 for one in subjects):
        raise UsageError(
            "the network has one output, and fidelity needs classes",
            why="with one class no answer can change and its probability is always 1",
            fix="wrap the model so that it gives one output for each class, such as (0, output) for a logit",
        )
    rows, undefined = [], 0
    for network, one in zip(subjects, all_found, strict=True):
        chosen = top_share(np.abs(part_scores(one, part)), share)
        undefined += int((~chosen.any(1)).sum())
        rng = np.random.default_rng(seed)
        cases = zip(one.nodes, one.classes, chosen, strict=True)
        rows.append([_measured(network, part, int(v), int(c), named, rng, n_draws, removal) for v, c, named in cases])
    values = np.array(rows)
    plus, minus = values[..., 0].T, values[..., 1].T
    means = values.mean(1)
    by_network = [characterisation(float(p), float(m)) for p, m in means[:, :2]]
    span = {name: (float(v.min()), float(v.max())) for name, v in zip(MEASURES, means.T, strict=True)}
    return Fidelity(
        first.explainer,
        part,
        share,
        **{name: _score(name, values[..., i], first.nodes, seed) for i, name in enumerate(MEASURES)},
        characterisation=_characterised(plus, minus, seed),
        n_undefined=undefined,
        n_networks=len(subjects),
        n_uncharacterised=int((means[:, 0] == 0).sum()),
        range=span | {"characterisation": (min(by_network), max(by_network))},
    )


def characterisation(plus: float, minus: float) -> float:
    """The harmonic mean of fid⁺ and 1 − fid⁻; 0 where either is 0 (at fid⁺ = 0 it is undefined)."""
    return 0.0 if plus <= 0 or minus >= 1 else 1 / (0.5 / plus + 0.5 / (1 - minus))


def part_scores(found: Attributions, part: Part | str) -> Float[np.ndarray, "n_targets n_parts"]:
    """What is scored of ``part``. Raises UsageError where the explainer does not score it."""
    scores = getattr(found, part, None) if part in ("features", "arcs") else None
    if scores is None:
        raise UsageError(f"{found.explainer} does not score {part}", fix=f"it scores {', '.join(found.scored)}")
    return scores


def _measured(
    subject: Subject,
    part: str,
    node: int,
    target: int,
    named: Bool[np.ndarray, " n_parts"],
    rng: np.random.Generator,
    n_draws: int,
    removal: float,
) -> tuple[float, ...]:
    """The measures at one node, on the part of the graph that its output depends on."""
    around = neighbourhood(subject, node)
    drawn = [rng.random(len(named)) < removal for _ in range(n_draws)]
    with around.subject.running() as run, torch.no_grad():

        def asked(keep: np.ndarray) -> tuple[float, float]:
            here = torch.from_numpy(keep if part == "features" else keep[around.arcs])
            out = _probabilities(_under(run, around.subject, part, here))[around.place]
            return float(out.argmax() == target), float(out[target])

        without, alone = asked(~named), asked(named)
        # Robust: some of what is named goes; some of what is not named goes.
        plus = np.mean([asked(~(named & d))[0] for d in drawn])
        minus = np.mean([asked(named | ~d)[0] for d in drawn])
    full = float(_probabilities(subject.outputs)[node, target])
    return 1 - without[0], 1 - alone[0], full - without[1], alone[1] / full, float(1 - plus), float(1 - minus)


def top_share(scores: Float[np.ndarray, "n_targets n_parts"], share: float) -> Bool[np.ndarray, "n_targets n_parts"]:
    """For each row, the parts of largest score: a share of those above 0, one at the least where there is any."""
    chosen = np.zeros(scores.shape, dtype=bool)
    for row, mine in zip(chosen, scores, strict=True):
        n_scored = int((mine > 0).sum())
        if n_scored:
            row[np.argsort(-mine, kind="stable")[: max(1, round(share * n_scored))]] = True
    return chosen


@dataclass(frozen=True)
class Stability:
    """How far several explanations of the same nodes agree: Jaccard overlap of what they name, rank correlation.

    Means over nodes, of all pairs of runs, with a 95 % bootstrap interval over nodes. Only pairs in which the model
    gives the node the same class count (``n_other_class`` do not): another answer has other reasons. None where no
    pair can be compared; a row of equal scores has no ranks.
    """

    jaccard: Score | None
    rank_correlation: Score | None
    n_runs: int
    n_other_class: int

    def record(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return asdict(self)


def stability(runs: Sequence[Attributions], *, part: Part | str = "features", share: float = 0.2) -> Stability:
    """Compare explanations of the same nodes by one explainer: over its seeds, or over networks trained anew.

    Raises:
        UsageError: fewer than two runs, or of other nodes.
    """
    if len(runs) < 2 or any(not np.array_equal(one.nodes, runs[0].nodes) for one in runs):
        raise UsageError("stability needs two runs or more of the same nodes")
    overlap: list[tuple[int, float]] = []
    ranks: list[tuple[int, float]] = []
    other_class = 0
    for one, other in combinations(runs, 2):
        a, b = np.abs(part_scores(one, part)), np.abs(part_scores(other, part))
        first, second = top_share(a, share), top_share(b, share)
        for place, node in enumerate(one.nodes):
            if one.classes[place] != other.classes[place]:
                other_class += 1
                continue
            either = (first[place] | second[place]).sum()
            if either:
                overlap.append((int(node), float((first[place] & second[place]).sum() / either)))
            if a[place].std() > 0 and b[place].std() > 0:
                ranks.append((int(node), float(stats.spearmanr(a[place], b[place]).statistic)))
    return Stability(_by_node("jaccard", overlap), _by_node("rank_correlation", ranks), len(runs), other_class)


def _by_node(name: str, pairs: list[tuple[int, float]]) -> Score | None:
    if not pairs:
        return None
    nodes, values = np.array([node for node, _ in pairs]), np.array([value for _, value in pairs])
    if len(np.unique(nodes)) < 2:
        return Score(name, float(values.mean()), float(values.min()), float(values.max()), 1)
    low, high = clustered_bootstrap_interval(values, nodes)
    return Score(name, float(values.mean()), low, high, len(np.unique(nodes)))


def _under(run: Any, subject: Subject, part: str, keep: Tensor) -> Tensor:
    if part == "features":
        return run(subject.x * keep.to(subject.x.dtype))
    return run(subject.x, keep.to(subject.x.dtype))


def _probabilities(outputs: Float[Tensor, "n_nodes n_classes"]) -> Float[Tensor, "n_nodes n_classes"]:
    rows = outputs.sum(1)
    probable = bool((outputs >= 0).all()) and bool((rows - 1).abs().max() < 1e-4)
    return outputs if probable else outputs.softmax(1)


def _score(
    name: str, values: Float[np.ndarray, "n_networks n_nodes"], nodes: Int[np.ndarray, " n_nodes"], seed: int
) -> Score:
    """The mean over networks and nodes; the interval draws nodes, with all their networks."""
    if len(values) == 1 or len(nodes) < 2:
        low, high = bootstrap_interval(values.ravel(), seed=seed)
    else:
        low, high = clustered_bootstrap_interval(values.ravel(), np.tile(nodes, len(values)), seed=seed)
    return Score(name, float(values.mean()), low, high, len(nodes))


def _characterised(
    plus: Float[np.ndarray, "n_nodes n_networks"], minus: Float[np.ndarray, "n_nodes n_networks"], seed: int
) -> Score:
    """The characterisation of the means; the interval draws nodes, and a draw in which fid⁺ is 0 counts as 0."""
    each = np.vectorize(characterisation)

    def of(drawn: np.ndarray, axis: int) -> np.ndarray:
        rows = drawn.astype(int)
        return each(plus.mean(1)[rows].mean(axis), minus.mean(1)[rows].mean(axis))

    low, high = bootstrap_interval(np.arange(len(plus), dtype=float), statistic=of, seed=seed)
    return Score("characterisation", characterisation(float(plus.mean()), float(minus.mean())), low, high, len(plus))
