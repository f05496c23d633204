"""A sparse dictionary of a trained graph network: features named on half of the nodes, claims judged on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from truescope.core.claims import Claim, Verdict
from truescope.core.config import data_folder
from truescope.core.errors import ClaimError, ModelError, UsageError, nearest
from truescope.core.progress import Watcher
from truescope.core.wording import counted
from truescope.gnn import HiddenLayer, NodeDictionary, NodeFeature, train_network, user_graph
from truescope.gnn.bridge_claims import (
    judge_naming_claim,
    judge_suppression_claim,
    naming_claim,
    suppression_claim,
)
from truescope.gnn.data import citation_graph
from truescope.gnn.networks import Subject
from truescope.judge import Ledger
from truescope.pipelines.graphs.running import answers_hash, check_model, graphs, provenance, subject_hash
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
    name: str,
    layer: str | None,
    n_features: int,
    k: int,
    n_claims: int,
    data: Path | None,
    seed: int,
    store: Store,
    watcher: Watcher,
) -> tuple[dict[str, Any], list[Verdict]]:
    """Train both, name, state, judge and write; see `gnn_dictionary`."""
    if n_claims < 1 or seed < 0:
        raise UsageError("at least one feature is judged, and seeds are 0 or more")
    arguments = {"subject": name, "features": n_features, "k": k, "seed": seed, "layer": layer}
    found, names, facts = _make(data, watcher, **arguments)
    inputs = {**arguments, **facts, "n_claims": n_claims, "code": code_hash(__name__)}
    run = store.run("gnn-dictionary", inputs, title=f"{name}, {n_features} features, {k} kept")
    ledger = Ledger(store.path / "ledger.jsonl")
    with run.locked(watcher.note):
        features = found.features()
        claims = _claims(found, features[:n_claims], names, seed)
        target = {"graph": facts["graph"], "answers": facts["answers"]}
        claims = [replace(c, target=c.target | target).with_procedure(_VERB, **arguments) for c in claims]
        for claim in claims:
            ledger.state(claim, provenance(seed))
        verdicts, quality = [], found.quality()
        _warn(quality, len(found.naming), n_features, watcher)
        with watcher.stage("judge") as said:
            for done, claim in enumerate(claims, 1):
                verdicts.append(_judge(claim, found))
                ledger.append(verdicts[-1], provenance(seed))
                watcher.progress("judge", done, len(claims))
            said["text"] = f"Judged {counted(len(claims), 'claim')} on {counted(len(found.held), 'held-out node')}"
        record = _record(found, features, verdicts, names) | {
            "quality": quality,
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
        ClaimError: the network, what it answers or the dictionary that comes out is another one than the claim was
            stated for.
        UsageError: the data are not there.
    """
    again.need_nothing("the network and its dictionary are trained anew")
    with graphs():
        found, _, facts = _make(None, again.watcher, **again.arguments)
    check_model(again.claim, found.layer.subject, again.claim.target.get("graph", facts["graph"]))
    if found.dictionary.hash != again.claim.target["dictionary"]:
        raise ClaimError(
            "this claim cannot be run again here",
            why="the dictionary that was trained anew is another one, bit for bit",
            fix="use the versions and the number of threads that the entry was made with, or state it anew",
        )
    return _judge(again.claim, found)


def _make(
    data: Path | None,
    watcher: Watcher,
    *,
    subject: str,
    features: int,
    k: int,
    seed: int,
    layer: str | None = None,
) -> tuple[NodeDictionary, Sequence[str], dict[str, Any]]:
    """The network and its dictionary, the classes' names, and what is known of them."""
    with watcher.stage("load") as said:
        if ":" in subject:
            cut, y, names, facts = _users(subject, layer)
            said["text"] = f"Loaded {subject}: {counted(cut.subject.n_nodes, 'node')}; cut at {cut.module}"
        else:
            cut, y, names, facts = _trained(subject, layer, data or data_folder(), seed)
            said["text"] = f"Trained a GCN on {subject}: test accuracy {facts['test_accuracy']:.3f}"
    if len(y) < 4:
        raise UsageError(
            f"a graph of {counted(len(y), 'node')} cannot be halved and learned from", fix="give a larger one"
        )
    if not float(cut.read().std(0).max()) > 0:
        raise ModelError(f"{cut.module} puts out the same at every node", why="there are no features to find in it")
    with watcher.stage("train") as said:
        found = NodeDictionary.of(cut, y, n_features=features, k=k, seed=seed)
        of, on = counted(features, "feature"), counted(len(found.naming), "node")
        said["text"] = f"Trained a dictionary of {of} on {on}"
    facts |= {"layer": cut.module, "hidden": found.hidden.shape[1]}
    facts |= {"graph": subject_hash(cut.subject), "answers": answers_hash(cut.subject)}
    return found, names, facts | {"dictionary": found.dictionary.hash}


_Made = tuple[HiddenLayer, Tensor, Sequence[str], dict[str, Any]]


def _users(spec: str, layer: str | None) -> _Made:
    """A user's model, cut at a module; named after the user's classes, or after the model's own answers."""
    mine = user_graph(spec)
    cut = HiddenLayer(mine.subject, layer) if layer else HiddenLayer.first(mine.subject)
    n_classes = mine.subject.outputs.shape[1]
    y = mine.subject.outputs.argmax(1) if mine.y is None else mine.y
    if n_classes < 2 or int(y.min()) < 0 or int(y.max()) >= n_classes:
        raise UsageError(
            f"classes {int(y.min())} to {int(y.max())} for a model of {n_classes} outputs",
            fix="a model of two or more classes, and a y that numbers them",
        )
    if mine.class_names and len(mine.class_names) != n_classes:
        raise UsageError(f"{len(mine.class_names)} class names for {n_classes} classes", fix="one name a class")
    names = mine.class_names or tuple(f"class {label}" for label in range(n_classes))
    return cut, y, names, {"name": spec, "labels": "the model's own answers" if mine.y is None else "the user's y"}


def _trained(name: str, layer: str | None, folder: Path | None, seed: int) -> _Made:
    if name not in _GRAPHS:
        fix = nearest(name, _GRAPHS) or f"{' or '.join(_GRAPHS)}, or file.py:function"
        raise UsageError(f"there is no graph {name!r} for a dictionary", fix=fix)
    if folder is None:
        raise UsageError(f"{name} needs its data", fix="name the folder with --data or TRUESCOPE_DATA")
    graph = citation_graph(folder / "graphs" / "planetoid", name)
    trained = train_network(
        "gcn", graph.x, graph.edge_index, graph.y, graph.train, test=graph.test, hidden=_HIDDEN, seed=seed
    )
    n_classes = int(graph.y.max()) + 1
    names = CORA_CLASSES if name == "cora" else tuple(f"class {label}" for label in range(n_classes))
    cut = HiddenLayer(Subject(trained.model, graph.x, graph.edge_index), layer or "act")
    return cut, graph.y, names, {"name": name, "network": "gcn", "test_accuracy": trained.test_accuracy}


def _claims(found: NodeDictionary, features: Sequence[NodeFeature], names: Sequence[str], seed: int) -> list[Claim]:
    """Two claims a feature: its name fits, and the answer that it is named after relies on it."""
    claims = []
    for one in features:
        if (found.activations[found.held, one.index] > 0).sum() < 2:
            continue
        word = names[one.label]
        claims.append(naming_claim(found, one.index, one.label, word, seed=seed))
        claims.append(suppression_claim(found, one.index, one.label, word, seed=seed, n_claims=len(features)))
    return claims


def _warn(quality: Mapping[str, float], n_nodes: int, n_features: int, watcher: Watcher) -> None:
    """Say where the dictionary is not to be relied on: too few nodes to learn from, or no better than the mean."""
    if n_nodes < n_features:
        watcher.note(
            f"{counted(n_nodes, 'node')} to learn {counted(n_features, 'feature')} from: many will stand for one node "
            "each; take fewer with --features."
        )
    if quality["fvu"] >= 1:
        watcher.note(
            f"FVU {quality['fvu']:.3g} on the held-out nodes: the dictionary rebuilds them no better than their mean "
            "does, and its features say little of the layer."
        )


def _judge(claim: Claim, found: NodeDictionary) -> Verdict:
    naming = claim.predictions[0].score == "auroc"
    return judge_naming_claim(claim, found) if naming else judge_suppression_claim(claim, found)


def _record(
    found: NodeDictionary, features: Sequence[NodeFeature], verdicts: Sequence[Verdict], names: Sequence[str]
) -> dict[str, Any]:
    judged = [verdict for verdict in verdicts if "effect" in verdict.p_values]
    adjusted = holm(np.array([verdict.p_values["effect"] for verdict in judged])) if judged else []
    shown = {verdict.claim.target["features"][0]: float(p) for verdict, p in zip(judged, adjusted, strict=True)}
    columns = found.layer.subject.feature_names
    return {
        "n_naming": len(found.naming),
        "n_held": len(found.held),
        "features": [
            {"name": names[one.label], **_named(one, columns), "p_holm": shown.get(str(one.index))} for one in features
        ],
        "claims": [verdict.to_json() for verdict in verdicts],
    }


def _named(one: NodeFeature, names: Sequence[str]) -> dict[str, Any]:
    """A feature with its input columns by name."""
    return one.record() | {"column_names": [names[column] for column, _ in one.columns]}
