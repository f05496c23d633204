"""What is claimed of a graph network's features, stated before it is measured: that a name fits, and that it counts."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.claims import Claim, Score, Verdict
from truescope.gnn.bridge import HIDDEN, NodeDictionary
from truescope.judge import LabelledCases, effect_claim, judge_effect, judge_label, label_claim
from truescope.statistics import proportion_interval


def suppression_claim(
    found: NodeDictionary, index: int, label: int, name: str, *, n_controls: int = 199, seed: int = 0, n_claims: int = 1
) -> Claim:
    """The claim that without feature ``index`` the logit of class ``label`` falls more than the others', beside random
    directions of the same length and covariance, with the same activation at the same nodes."""
    nodes = found.cases(index)
    return effect_claim(
        f"Without feature {index} the logit of “{name}” falls, and more than those of the other classes",
        target={
            "dictionary": found.dictionary.hash,
            "features": [str(index)],
            "subject": f"feature {index}",
            "object": f"the answer “{name}”",
            "label": label,
        },
        population={"data_hash": _hash(nodes), "split": "held-out nodes where it is active", "n": len(nodes)},
        matched_on=("length", "covariance of the hidden layer", "activation at each node"),
        n_controls=n_controls,
        seed=seed,
        metric="fall of the class's logit, less the mean fall of the others where they fall",
        correction="none: one feature" if n_claims == 1 else f"none: {n_claims} features, each judged alone",
        assumptions=("nodes are independent",),
        threats=("nodes of one graph share neighbours", "the network is off its usual activations"),
        scope=("in-distribution",),
    )


def judge_suppression_claim(claim: Claim, found: NodeDictionary) -> Verdict:
    """Take the claim's feature away and measure, on the nodes that the claim is about, beside its controls.

    What else changed is the share of the held-out nodes where it is silent that keep their answer.
    """
    index, label = int(claim.target["features"][0]), int(claim.target["label"])
    nodes, z = found.cases(index), found.activations[:, index]
    direction = found.dictionary.group(HIDDEN).W_dec[index]
    after = found.without(z, direction)
    silent = np.setdiff1d(found.held, nodes)
    kept = (after.argmax(1) == found.logits.argmax(1)).numpy()[silent]
    scores = []
    if len(kept):
        share = float(kept.mean())
        scores.append(Score("kept_elsewhere", share, *proportion_interval(int(kept.sum()), len(kept)), len(kept)))
    drawn = matched_directions(found, direction, claim.control.n, claim.control.seed)
    controls = np.stack([found.effects(found.without(z, one), label)[nodes] for one in drawn])
    return judge_effect(claim, found.effects(after, label)[nodes], controls, collateral=scores)


def matched_directions(
    found: NodeDictionary, direction: Float[Tensor, " d_hidden"], n: int, seed: int
) -> Float[Tensor, "n d_hidden"]:
    """Random directions with the covariance of the naming half's activations, each as long as ``direction``."""
    hidden = found.hidden[torch.from_numpy(found.naming)]
    mix = torch.randn(n, len(hidden), generator=torch.Generator().manual_seed(seed)).to(hidden)
    drawn = mix @ (hidden - hidden.mean(0))
    return drawn * (direction.norm() / drawn.norm(dim=1, keepdim=True).clamp(min=1e-12))


def naming_claim(found: NodeDictionary, index: int, label: int, name: str, *, seed: int = 0) -> Claim:
    """The claim that the class separates the held-out nodes where the feature is active from the others."""
    target = {"dictionary": found.dictionary.hash, "features": [str(index)], "label": label}
    return label_claim(_labelled(found, index, label), name, target, seed=seed)


def judge_naming_claim(claim: Claim, found: NodeDictionary) -> Verdict:
    """Test a `naming_claim` on the held-out nodes, beside shuffled classes."""
    return judge_label(claim, _labelled(found, int(claim.target["features"][0]), int(claim.target["label"])))


def _labelled(found: NodeDictionary, index: int, label: int) -> LabelledCases:
    held = torch.from_numpy(found.held)
    return LabelledCases(found.activations[held, index].double().numpy(), (found.y[held] == label).numpy())


def _hash(nodes: Int[np.ndarray, " n"]) -> str:
    return hashlib.sha256(nodes.astype(np.int64).tobytes()).hexdigest()
