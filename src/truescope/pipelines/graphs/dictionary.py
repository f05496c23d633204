"""A sparse dictionary of a trained graph network: features named on half of the nodes, claims judged on the other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from truescope.core.claims import Claim, Verdict
from truescope.core.config import data_folder
from truescope.core.errors import ClaimError, UsageError, nearest
from truescope.core.progress import Watcher
from truescope.gnn import NodeDictionary, NodeFeature, TwoLayerNetwork, train_network
from truescope.gnn.bridge_claims import (
    judge_naming_claim,
    judge_suppression_claim,
    naming_claim,
    suppression_claim,
)
from truescope.gnn.data import CitationGraph, citation_graph
from truescope.judge import Ledger
from truescope.pipelines.graphs.running import graphs, provenance
from truescope.pipelines.reruns import Rerun
from truescope.statistics import holm
from truescope.store import Store, code_hash

_VERB = "gnn dictionary"
_GRAPHS = ("cora", "citeseer")
_HIDDEN = 64
CORA_CLASSES = (
    "theory",
    "reinforcement learning",
    "genetic algorithms",
    "neural networks",
    "probabilistic methods",
    "case-based",
    "rule learning",
)
"""The file numbers Cora's subjects; their published sizes, which all differ, say which is which."""


def run_dictionary(
    name: str, n_features: int, k: int, n_claims: int, data: Path | None, seed: int, store: Store, watcher: Watcher
) -> tuple[dict[str, Any], list[Verdict]]:
    """Train both, name, state, judge and write; see `gnn_dictionary`."""
    if n_claims < 1 or seed < 0:
        raise UsageError("at least one feature is judged, and seeds are 0 or more")
    arguments = {"subject": name, "features": n_features, "k": k, "seed": seed}
    found, facts = _make(data, watcher, **arguments)
    inputs = {**arguments, **facts, "n_claims": n_claims, "code": code_hash(__name__)}
    run = store.run("gnn-dictionary", inputs, title=f"{name}, {n_features} features, {k} kept")
    ledger = Ledger(store.path / "ledger.jsonl")
    with run.locked(watcher.note):
        features = found.features()
        claims = _claims(found, features[:n_claims], name, seed)
        claims = [claim.with_procedure(_VERB, **arguments) for claim in claims]
        for claim in claims:
            ledger.state(claim, provenance(seed))
        verdicts = []
        with watcher.stage("judge") as said:
            for done, claim in enumerate(claims, 1):
                verdicts.append(_judge(claim, found))
                ledger.append(verdicts[-1], provenance(seed))
                watcher.progress("judge", done, len(claims))
            said["text"] = f"Judged {len(claims)} claims on {len(found.held):,} held-out nodes"
        record = _record(found, features, verdicts, name) | {
            "subject": facts,
            "run": {"id": run.id, **provenance(seed)},
        }
        run.write_json("dictionary.json", record)
        if not run.finished:
            run.finish({"fvu": record["quality"]["fvu"]})
    return record, verdicts


def rerun_feature(again: Rerun) -> Verdict:
    """Run a feature's claim again from its entry: network and dictionary are trained anew by their seed.

    Raises:
        ClaimError: the dictionary that comes out is another one than the claim was stated for.
        UsageError: the data are not there.
    """
    again.need_nothing("the network and its dictionary are trained anew")
    with graphs():
        found, _ = _make(None, again.watcher, **again.arguments)
    if found.dictionary.hash != again.claim.target["dictionary"]:
        raise ClaimError(
            "this claim cannot be run again here",
            why="the dictionary that was trained anew is another one, bit for bit",
            fix="use the versions and the number of threads that the entry was made with, or state it anew",
        )
    return _judge(again.claim, found)


def _make(
    data: Path | None, watcher: Watcher, *, subject: str, features: int, k: int, seed: int
) -> tuple[NodeDictionary, dict[str, Any]]:
    """The network and its dictionary, and what is known of them."""
    if subject not in _GRAPHS:
        raise UsageError(
            f"there is no graph {subject!r} for a dictionary", fix=nearest(subject, _GRAPHS) or " or ".join(_GRAPHS)
        )
    folder = data or data_folder()
    if folder is None:
        raise UsageError(f"{subject} needs its data", fix="name the folder with --data or TRUESCOPE_DATA")
    with watcher.stage("load") as said:
        graph = citation_graph(folder / "graphs" / "planetoid", subject)
        trained = train_network(
            "gcn", graph.x, graph.edge_index, graph.y, graph.train, test=graph.test, hidden=_HIDDEN, seed=seed
        )
        assert isinstance(trained.model, TwoLayerNetwork)
        said["text"] = f"Trained a GCN on {subject}: test accuracy {trained.test_accuracy:.3f}"
    with watcher.stage("train") as said:
        found = NodeDictionary.of(
            trained.model, graph.x, graph.edge_index, graph.y, n_features=features, k=k, seed=seed
        )
        said["text"] = f"Trained a dictionary of {features} features on {len(found.naming):,} nodes"
    facts = {"name": subject, "network": "gcn", "hidden": _HIDDEN, "test_accuracy": trained.test_accuracy}
    return found, facts | {"graph": _graph_hash(graph), "dictionary": found.dictionary.hash}


def _claims(found: NodeDictionary, features: Sequence[NodeFeature], name: str, seed: int) -> list[Claim]:
    """Two claims a feature: its name fits, and the answer that it is named after relies on it."""
    claims = []
    for one in features:
        if (found.activations[found.held, one.index] > 0).sum() < 2:
            continue
        word = _class_name(name, one.label)
        claims.append(naming_claim(found, one.index, one.label, word, seed=seed))
        claims.append(suppression_claim(found, one.index, one.label, word, seed=seed, n_claims=len(features)))
    return claims


def _judge(claim: Claim, found: NodeDictionary) -> Verdict:
    naming = claim.predictions[0].score == "auroc"
    return judge_naming_claim(claim, found) if naming else judge_suppression_claim(claim, found)


def _record(
    found: NodeDictionary, features: Sequence[NodeFeature], verdicts: Sequence[Verdict], name: str
) -> dict[str, Any]:
    judged = [verdict for verdict in verdicts if "effect" in verdict.p_values]
    adjusted = holm(np.array([verdict.p_values["effect"] for verdict in judged])) if judged else []
    shown = {verdict.claim.target["features"][0]: float(p) for verdict, p in zip(judged, adjusted, strict=True)}
    return {
        "quality": found.quality(),
        "n_naming": len(found.naming),
        "n_held": len(found.held),
        "features": [
            {"name": _class_name(name, one.label), **one.record(), "p_holm": shown.get(str(one.index))}
            for one in features
        ],
        "claims": [verdict.to_json() for verdict in verdicts],
    }


def _class_name(graph: str, label: int) -> str:
    return CORA_CLASSES[label] if graph == "cora" else f"class {label}"


def _graph_hash(graph: CitationGraph) -> str:
    parts = (graph.x, graph.edge_index, graph.y, graph.train)
    return hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest()
