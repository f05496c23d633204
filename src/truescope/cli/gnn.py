"""`truescope gnn`: explainers of graph networks, held against models whose mechanism is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App

from truescope.cli.gnn_tables import print_benchmark, print_dictionary, print_doses, print_fidelity, print_nodes
from truescope.cli.options import Flag, Words
from truescope.core.progress import Watcher

gnn = App(name="gnn", help_format="plaintext", result_action="return_value")
"""The command and its sub-commands."""


@gnn.command
def benchmark(
    *,
    quick: Annotated[bool, Flag] = False,
    explainer: Annotated[list[str] | None, Words] = None,
    data: Path | None = None,
    processes: int | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Run the published benchmark of explainers on white-box classifiers, and judge its five findings.

    The same command goes on where it was stopped.

    Parameters
    ----------
    quick
        A small part: 36 cells of the synthetic sweep, two seeds.
    explainer
        Only this one; may be given more than once.
    data
        The folder of real data, for the Facebook part; TRUESCOPE_DATA where none is named.
    processes
        How many cells are run at once.
    seed
        Draws bootstrap samples and controls; the instances have the published seeds.
    json
        Print one JSON object and nothing else.
    strict
        Exit with 1 when a finding failed.
    """
    from truescope.pipelines.graphs import gnn_benchmark

    return _answer(
        lambda watcher: gnn_benchmark(
            quick=quick, explainers=explainer, data=data, n_processes=processes, seed=seed, watcher=watcher
        ).summary(),
        print_benchmark,
        json=json,
        strict=strict,
    )


@gnn.command
def audit(
    subject: str = "ego-facebook",
    /,
    *,
    feature: str = "gender",
    kind: str = "gcn",
    explainer: Annotated[list[str] | None, Words] = None,
    strength: Annotated[list[float] | None, Words] = None,
    nodes: int = 50,
    data: Path | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Wire a named feature into a network with growing strength, and see which explainer notices at which.

    Parameters
    ----------
    subject
        ego-facebook, reed98, amherst41, cora, citeseer, or file.py:function that returns (model, x, edge_index).
    feature
        The feature's name, or words in it.
    kind
        The network that a named subject trains: gcn, gin or gat.
    explainer
        Only this one; may be given more than once.
    strength
        A strength to try, in standard deviations of the model's margin; may be given more than once.
    nodes
        How many nodes are explained, drawn by the seed.
    data
        The folder of real data; TRUESCOPE_DATA where none is named.
    seed
        Draws the nodes, trains the network, and starts the explainers.
    json
        Print one JSON object and nothing else.
    """
    from truescope.pipelines.graphs import gnn_audit

    return _answer(
        lambda watcher: gnn_audit(
            subject,
            feature=feature,
            kind=kind,
            explainers=explainer,
            strengths=strength,
            n_nodes=nodes,
            data=data,
            seed=seed,
            watcher=watcher,
        ).summary(),
        print_doses,
        json=json,
    )


@gnn.command
def explain(
    subject: str,
    /,
    *,
    explainer: str = "integrated_gradients",
    node: Annotated[list[int] | None, Words] = None,
    kind: str = "gcn",
    top: int = 8,
    data: Path | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Explain nodes of a graph network, all in one call: what counts most for each.

    Parameters
    ----------
    subject
        ego-facebook, reed98, amherst41, cora, citeseer, or file.py:function that returns (model, x, edge_index).
    explainer
        saliency, integrated_gradients, lrp_gamma, gnn_explainer, … (a wrong name lists the nearest).
    node
        Only this node; may be given more than once.
    kind
        The network that a named subject trains: gcn, gin or gat.
    top
        How many features, nodes or arcs are listed.
    data
        The folder of real data; TRUESCOPE_DATA where none is named.
    seed
        Trains the network, and starts the explainer.
    json
        Print one JSON object and nothing else.
    """
    from truescope.pipelines.graphs import gnn_explain

    return _answer(
        lambda watcher: gnn_explain(
            subject, explainer=explainer, nodes=node, kind=kind, n_features=top, data=data, seed=seed, watcher=watcher
        ),
        print_nodes,
        json=json,
    )


@gnn.command
def evaluate(
    subject: str = "cora",
    /,
    *,
    kind: str = "gcn",
    explainer: Annotated[list[str] | None, Words] = None,
    part: str = "features",
    share: float = 0.2,
    nodes: int = 30,
    seeds: int = 3,
    networks: int = 3,
    data: Path | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Take away what explainers name from a trained network's graph, and see how its answers change.

    Parameters
    ----------
    subject
        cora, citeseer, mutag, ego-facebook, reed98, amherst41, or file.py:function that returns (model, x, edge_index).
    kind
        The network that a named subject trains: gcn, gin or gat.
    explainer
        Only this one; may be given more than once.
    part
        What is taken away: features or arcs.
    share
        How much of what an explainer scores counts as named.
    nodes
        How many nodes are explained, drawn by the seed.
    seeds
        How often an explainer that draws random numbers is run, to see whether it agrees with itself.
    networks
        How many networks are trained, each by its own seed; a user's own model is one.
    data
        The folder of real data; TRUESCOPE_DATA where none is named.
    seed
        Trains the network, draws the nodes, and starts the explainers.
    json
        Print one JSON object and nothing else.
    """
    from truescope.pipelines.graphs import gnn_evaluate

    how: dict[str, Any] = {"n_nodes": nodes, "n_seeds": seeds, "n_networks": networks, "data": data, "seed": seed}
    return _answer(
        lambda watcher: gnn_evaluate(
            subject, kind=kind, explainers=explainer, part=part, share=share, **how, watcher=watcher
        ),
        print_fidelity,
        json=json,
    )


@gnn.command
def dictionary(
    subject: str = "cora",
    /,
    *,
    layer: str | None = None,
    features: int = 64,
    k: int = 2,
    claims: int = 8,
    data: Path | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Train a sparse dictionary on a graph network's hidden layer, name its features, and judge them.

    Parameters
    ----------
    subject
        cora, citeseer, or file.py:function that returns (model, x, edge_index).
    layer
        The module whose output is read; a user's model is read behind its first message-passing layer.
    features
        How many features the dictionary has.
    k
        How many of them are kept at a node.
    claims
        Of how many features it is claimed that the name fits and that the answer relies on them.
    data
        The folder of real data; TRUESCOPE_DATA where none is named.
    seed
        Trains the network and the dictionary, halves the nodes, and draws controls.
    json
        Print one JSON object and nothing else.
    strict
        Exit with 1 when a claim failed.
    """
    from truescope.pipelines.graphs import gnn_dictionary

    return _answer(
        lambda watcher: gnn_dictionary(
            subject, layer=layer, n_features=features, k=k, n_claims=claims, data=data, seed=seed, watcher=watcher
        ).summary(),
        print_dictionary,
        json=json,
        strict=strict,
    )


def _answer(
    ask: Callable[[Watcher], dict[str, Any]],
    show: Callable[[dict[str, Any]], None],
    *,
    json: bool,
    strict: bool = False,
) -> int:
    """Ask a pipeline with the terminal watching, print its record as JSON or by ``show``, and give the exit status."""
    from truescope.cli.terminal import TerminalWatcher, exit_status, print_json

    with TerminalWatcher(quiet=json) as watcher:
        record = ask(watcher)
    (print_json if json else show)(record)
    return exit_status(record.get("claims", []), strict=strict)
