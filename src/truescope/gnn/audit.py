"""The planted-reliance audit: at which strength does each explainer notice that the model uses a named feature?

For every strength s the feature is planted in the model (`Planted`), and each explainer scores all features of some
nodes. Its answer at s is the area: the share of the other features that the planted one outranks, ties counting half.
Beside it stands what the planting did to the model, measured by swapping the feature's values; and two controls, which
answer whether an explainer names the feature only because it is so frequent. At s = 0 the model does not use it: how
often is it named there (the false alarm rate)? And at one strength some *matched* features, the nearest in how often
they are not zero, are withheld from the model (held at their means), so that it uses none of them: how are those
ranked while the feature is planted? As they are in the model a frequent feature is often one that it uses most, and
naming it no fault; withheld, a high rank is one. Features that go along with the planted one (|r| > ½) are not matched
with it: naming them says nearly the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.claims import Score
from truescope.core.errors import GraphError, ModelError, UsageError, nearest
from truescope.gnn.explainers import EXPLAINERS, Attributions, explainer
from truescope.gnn.networks import Subject
from truescope.gnn.whiteboxes.planted import Planted
from truescope.judge.axioms import Outranking
from truescope.statistics import proportion_interval

STRENGTHS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""The strengths that are tried, in standard deviations of the model's own margin."""
NOTICED = 0.9
"""An explainer has noticed when the whole interval of its area lies above this."""
N_MATCHED = 10
"""At most so many matched features, and at most a tenth of all, so that the model keeps what it goes by."""
AUDITED = (
    "saliency",
    "input_x_gradient",
    "integrated_gradients",
    "guided_backpropagation",
    "deconvolution",
    "lrp_epsilon",
    "lrp_gamma",
    "gnn_explainer",
    "graphlime",
    "occlusion",
    "random",
    "degree",
)
"""The explainers of features that an audit asks unless told otherwise."""


@dataclass(frozen=True)
class Dose:
    """One explainer at one strength: the planted feature's area with its interval, its share of first places, at how
    many of the nodes it is *named* (its area there is above `NOTICED`), and the areas of matched features that the
    model does not use (none where they were not asked for)."""

    explainer: str
    strength: float
    area: float
    low: float
    high: float
    first: float
    n_named: int
    matched_areas: tuple[float, ...]
    n_nodes: int
    note: str = ""

    @property
    def noticed(self) -> bool:
        """Whether the whole interval lies above `NOTICED`."""
        return self.low > NOTICED

    def named(self) -> Score:
        """The share of nodes at which the feature is named, with its exact 95 % interval; NaN without an answer."""
        if not self.n_nodes:
            return Score("named", float("nan"), float("nan"), float("nan"), 0)
        low, high = proportion_interval(self.n_named, self.n_nodes)
        return Score("named", self.n_named / self.n_nodes, low, high, self.n_nodes)

    def record(self) -> dict[str, Any]:
        """As ``--json`` prints it and a journal keeps it: what was not measured is None."""
        plain = {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(self).items()}
        return {**plain, "matched_areas": list(self.matched_areas), "noticed": self.noticed}

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Dose:
        """The dose that `record` wrote."""
        known = {k: float("nan") if v is None else v for k, v in record.items() if k != "noticed"}
        return cls(**{**known, "matched_areas": tuple(record["matched_areas"])})


@dataclass(frozen=True)
class Effect:
    """What the planting does to the model: the share of nodes whose class changes when the feature is swapped."""

    strength: float
    changed: float


@dataclass(frozen=True)
class Audit:
    """The dose–response of every explainer for one feature."""

    feature: str
    doses: tuple[Dose, ...]
    effects: tuple[Effect, ...]

    def threshold(self, name: str) -> float | None:
        """The smallest strength from which on the explainer notices; None where it never does, or "notices" at 0."""
        mine = sorted((d for d in self.doses if d.explainer == name), key=lambda d: -d.strength)
        found = None
        for dose in mine:
            if not dose.noticed:
                break
            found = dose.strength
        return found if found else None

    def false_alarm(self, name: str) -> bool:
        """Whether the explainer notices the feature when the model does not use it at all."""
        return any(d.noticed for d in self.doses if d.explainer == name and d.strength == 0)

    def false_alarm_rate(self, name: str) -> Score | None:
        """The share of nodes at which the explainer names the feature although the model does not use it (strength 0).

        None where that strength was not tried, or the explainer gave no answer.
        """
        unused = [d for d in self.doses if d.explainer == name and d.strength == 0 and d.n_nodes]
        return unused[0].named() if unused else None


def audit_feature(
    subject: Subject,
    feature: str | int,
    *,
    nodes: Int[np.ndarray, " n_targets"] | None = None,
    strengths: Sequence[float] = STRENGTHS,
    explainers: Sequence[str] = AUDITED,
    favoured: int = -1,
    n_nodes: int = 50,
    seed: int = 0,
    controlled: float | None = None,
    known: Mapping[tuple[str, float], Dose] | None = None,
    keep: Callable[[Dose], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Plant ``feature`` (its name, number, or words in it) with each strength, and ask each explainer.

    ``controlled`` is the strength at which matched features that the model does not use are ranked too (none where it
    is None). ``known`` are doses by explainer and strength that were measured before and are not measured again;
    ``keep`` is handed each new one as soon as it is there.

    Raises:
        UsageError: no such feature or explainer, or one that scores no features.
    """
    column = feature_columns(subject, feature)[0]
    for name in explainers:
        if "features" not in explainer(name).scores:
            fit = ", ".join(one for one in EXPLAINERS if "features" in EXPLAINERS[one].scores)
            raise UsageError(f"{name} does not score features", fix=f"an audit asks one of {fit}")
    rng = np.random.default_rng(seed)
    if nodes is None:
        nodes = np.sort(rng.choice(subject.n_nodes, min(n_nodes, subject.n_nodes), replace=False))
    matched = matched_columns(subject, column)
    doses, effects, known = [], [], dict(known or {})
    for strength in strengths:
        there = _with(subject, Planted(subject, column, strength, favoured))
        spared = _sparing(subject, column, strength, favoured, matched) if strength == controlled else None
        effects.append(Effect(strength, _changed(there, column)))
        for name in explainers:
            if (name, strength) not in known:
                known[name, strength] = _dose(there, name, strength, column, nodes, seed, spared, matched)
                if keep is not None:
                    keep(known[name, strength])
            doses.append(known[name, strength])
            if progress is not None:
                progress(len(doses), len(strengths) * len(explainers))
    return Audit(subject.feature_names[column], tuple(doses), tuple(effects))


def feature_columns(subject: Subject, feature: str | int) -> list[int]:
    """A feature's number, by number or by its whole name; or the numbers of all whose names hold these words.

    Raises:
        UsageError: there is none; the nearest names are given.
    """
    names = subject.feature_names
    if isinstance(feature, int) or feature in names:
        column = feature if isinstance(feature, int) else names.index(feature)
        if 0 <= column < len(names):
            return [column]
    found = [i for i, name in enumerate(names) if str(feature).lower() in name.lower()]
    if not found:
        some = f"one of the {len(names)} features: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
        raise UsageError(f"no feature is called {feature!r}", fix=nearest(str(feature), names) or some)
    return found


def matched_columns(subject: Subject, column: int, n: int = N_MATCHED) -> Int[np.ndarray, " n_matched"]:
    """Up to ``n`` other features that vary and do not go along with this one, the nearest in how often not zero.

    At most a tenth of all features, one at the least where there is any.
    """
    share = (subject.x != 0).double().mean(0).numpy()
    x = subject.x.double() - subject.x.double().mean(0)
    norms = x.norm(dim=0)
    r = (x.T @ x[:, column] / (norms * norms[column]).clamp(min=1e-12)).abs().numpy()
    candidates = np.flatnonzero((norms.numpy() > 0) & (r <= 0.5))
    nearest_first = candidates[np.argsort(np.abs(share[candidates] - share[column]), kind="stable")]
    return nearest_first[: min(n, max(1, subject.n_features // 10))]


def _with(subject: Subject, model: Planted) -> Subject:
    """The graph with another model on it."""
    return Subject(
        model, subject.x, subject.edge_index, arguments=subject.arguments, feature_names=subject.feature_names
    )


def _sparing(subject: Subject, column: int, strength: float, favoured: int, matched: np.ndarray) -> Subject | None:
    """The planted model that uses none of the ``matched``; None where it then has nothing else to go by."""
    if not len(matched):
        return None
    try:
        return _with(subject, Planted(subject, column, strength, favoured, withheld=matched.tolist()))
    except ModelError:
        return None


def _dose(
    there: Subject,
    name: str,
    strength: float,
    column: int,
    nodes: np.ndarray,
    seed: int,
    spared: Subject | None,
    matched: np.ndarray,
) -> Dose:
    try:
        scores = np.abs(_features(explainer(name).call(there, nodes, seed)))
        unused = None if spared is None else np.abs(_features(explainer(name).call(spared, nodes, seed)))
    except (
        GraphError,
        ModelError,
    ) as error:  # it cannot explain this model: said, and counted as nothing
        nan = float("nan")
        return Dose(name, strength, nan, nan, nan, nan, 0, (), 0, error.what)
    outranked = Outranking.of(scores, _only(column, scores.shape[1]))
    score = outranked.score("area", seed=seed)
    best = scores.max(1, keepdims=True)
    first = ((scores == best) & (best > 0))[:, column].mean()
    others = () if unused is None else _areas(unused, matched)
    n_named = int((outranked.auc > NOTICED).sum())
    return Dose(name, strength, score.value, score.low, score.high, float(first), n_named, others, score.n)


def _features(found: Attributions) -> Float[np.ndarray, "n_targets n_features"]:
    if found.features is None:
        raise ModelError(f"{found.explainer} gave no scores of features")
    return found.features


def _areas(scores: Float[np.ndarray, "n_targets n_features"], columns: np.ndarray) -> tuple[float, ...]:
    return tuple(Outranking.of(scores, _only(int(k), scores.shape[1])).mean for k in columns)


def _only(column: int, n: int) -> np.ndarray:
    used = np.zeros(n, dtype=bool)
    used[column] = True
    return used


def _changed(there: Subject, column: int) -> float:
    """The share of nodes whose class changes when the feature's lowest and highest values are swapped at that node.

    Of a model with one output, a logit, its sign is the class.
    """
    values = there.x[:, column]
    x = there.x.clone()
    x[:, column] = values.min() + values.max() - values
    with there.running() as run, torch.no_grad():
        swapped = run(x)
    return float((_decided(swapped) != _decided(there.outputs)).double().mean())


def _decided(outputs: Float[Tensor, "n_nodes n_classes"]) -> Int[Tensor, " n_nodes"]:
    return outputs.argmax(1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).long()


def doses_of(audit: Audit) -> Iterator[tuple[str, list[Dose]]]:
    """The doses by explainer, in order of strength."""
    for name in dict.fromkeys(d.explainer for d in audit.doses):
        yield name, sorted((d for d in audit.doses if d.explainer == name), key=lambda d: d.strength)
