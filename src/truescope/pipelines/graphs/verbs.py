"""`gnn_benchmark`: explainers of graph networks, held against models whose mechanism is known.

What runs needs the extra `gnn`, and is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truescope.core.claims import Verdict
from truescope.core.progress import Watcher
from truescope.pipelines.graphs.running import graphs
from truescope.store import Store


@dataclass(frozen=True)
class GnnBenchmarkReport:
    """The benchmark's record, the verdicts on the published findings, and the page."""

    record: Mapping[str, Any]
    verdicts: Sequence[Verdict]
    page: Path

    def summary(self) -> dict[str, Any]:
        """What ``truescope gnn benchmark --json`` prints."""
        return {**self.record, "page": str(self.page)}


def gnn_benchmark(
    *,
    quick: bool = False,
    explainers: Sequence[str] | None = None,
    data: Path | None = None,
    n_processes: int | None = None,
    seed: int = 0,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> GnnBenchmarkReport:
    """Run the published benchmark, or a small part of it, and judge the five published findings on it.

    ``data`` is the folder of real data (``TRUESCOPE_DATA`` where none is named); without it the Facebook part is left
    out. A run that was stopped goes on at the first cell that is missing. ``seed`` draws bootstrap samples and
    controls; the instances have the published seeds.

    Raises:
        UsageError: no such explainer, or a negative seed.
        StoreError, GraphError: as their names say.
    """
    with graphs():
        from truescope.pipelines.graphs.benchmark import run_benchmark

        found = run_benchmark(quick, explainers, data, n_processes, seed, store or Store.open(), watcher or Watcher())
        return GnnBenchmarkReport(*found)


@dataclass(frozen=True)
class GnnAuditReport:
    """What each explainer said of a planted feature, the verdicts, and the page."""

    record: Mapping[str, Any]
    verdicts: Sequence[Verdict]
    page: Path

    def summary(self) -> dict[str, Any]:
        """What ``truescope gnn audit --json`` prints."""
        return {**self.record, "page": str(self.page)}


def gnn_audit(
    subject: str = "ego-facebook",
    *,
    feature: str = "gender",
    kind: str = "gcn",
    explainers: Sequence[str] | None = None,
    strengths: Sequence[float] | None = None,
    n_nodes: int = 50,
    data: Path | None = None,
    seed: int = 0,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> GnnAuditReport:
    """Wire a named feature into a network with growing strength, and ask each explainer whether it notices.

    ``subject`` is "ego-facebook", "reed98" or "amherst41" (a network of ``kind`` that learns one profile entry), "cora"
    or "citeseer", or the user's own ``file.py:function`` that returns (model, x, edge_index). ``feature`` is a name, or
    words in it.

    Raises:
        UsageError: no such subject, feature or explainer, or data that are not there.
        ModelError, GraphError, StoreError: as their names say.
    """
    with graphs():
        from truescope.pipelines.graphs.audit import run_audit

        store, watcher = store or Store.open(), watcher or Watcher()
        found = run_audit(subject, feature, kind, explainers, strengths, n_nodes, data, seed, store, watcher)
        return GnnAuditReport(*found)


def gnn_explain(
    subject: str,
    *,
    explainer: str = "integrated_gradients",
    nodes: Sequence[int] | None = None,
    kind: str = "gcn",
    n_features: int = 8,
    data: Path | None = None,
    seed: int = 0,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Explain nodes of a network in one call: each node's class and what counts most for it.

    ``subject`` is named as in `gnn_audit`; ``nodes`` are all where none are named.

    Raises:
        UsageError: no such subject, explainer or node.
        ModelError, GraphError: as their names say.
    """
    with graphs():
        from truescope.pipelines.graphs.explain import run_explain

        return run_explain(subject, explainer, nodes, kind, n_features, data, seed, watcher or Watcher())


def gnn_evaluate(
    subject: str = "cora",
    *,
    kind: str = "gcn",
    explainers: Sequence[str] | None = None,
    part: str = "features",
    share: float = 0.2,
    n_nodes: int = 30,
    n_seeds: int = 3,
    n_networks: int = 3,
    data: Path | None = None,
    seed: int = 0,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Take away what explainers name from a trained network's graph, and say how its answers change.

    ``subject`` is named as in `gnn_audit`, or "mutag"; ``part`` is "features" or "arcs", ``share`` how much of what an
    explainer scores counts as named, ``n_seeds`` how often an explainer with a seed is run, ``n_networks`` how many
    networks are trained, by the seeds from ``seed`` on (a user's own is one). Measures are means over nodes and
    networks.

    Raises:
        UsageError: no such subject, explainer or part.
        ModelError, GraphError, StoreError: as their names say.
    """
    with graphs():
        from truescope.pipelines.graphs.evaluate import run_evaluate

        store, watcher = store or Store.open(), watcher or Watcher()
        return run_evaluate(
            subject, kind, explainers, part, share, n_nodes, n_seeds, n_networks, data, seed, store, watcher
        )


@dataclass(frozen=True)
class GnnDictionaryReport:
    """How well a dictionary rebuilds a network's hidden layer, its features by name, and the verdicts on them."""

    record: Mapping[str, Any]
    verdicts: Sequence[Verdict]

    def summary(self) -> dict[str, Any]:
        """What ``truescope gnn dictionary --json`` prints."""
        return dict(self.record)


def gnn_dictionary(
    subject: str = "cora",
    *,
    layer: str | None = None,
    n_features: int = 64,
    k: int = 2,
    n_claims: int = 8,
    data: Path | None = None,
    seed: int = 0,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> GnnDictionaryReport:
    """Train a sparse dictionary on a graph network's hidden layer, name its features, and judge what is claimed.

    ``subject`` is "cora" or "citeseer" (a GCN is trained), or the user's own ``file.py:function`` as in `gnn_audit`,
    whose dictionary may hold ``y`` (each node's class; else the model's own answers) and ``class_names``. ``layer`` is
    the module whose output is read: what leaves the first ReLU, of a user's model its first message-passing layer.
    Half of the nodes train the dictionary and name its features; of ``n_claims`` features it is claimed that the name
    fits and that the answer relies on them, and both are judged on the other half.

    Raises:
        UsageError: no such graph, or sizes that cannot be.
        GraphError, StoreError: as their names say.
    """
    with graphs():
        from truescope.pipelines.graphs.dictionary import run_dictionary

        store, watcher = store or Store.open(), watcher or Watcher()
        return GnnDictionaryReport(*run_dictionary(subject, layer, n_features, k, n_claims, data, seed, store, watcher))
