"""What can be named on a command line: a trained network on a real graph, or a user's own model and graph."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from truescope.core.errors import ModelError, TruescopeError, UsageError, nearest
from truescope.gnn.data import ATOMS, NamedGraph, citation_graph, ego_network, facebook100, molecules
from truescope.gnn.networks import Subject
from truescope.gnn.networks.subject import check_graph
from truescope.gnn.training import Trained, train_network

NAMED = ("ego-facebook", "reed98", "amherst41", "cora", "citeseer", "mutag")
"""The subjects that come by name, each a network trained on that graph."""


def find_subject(
    name: str,
    folder: Path | None,
    *,
    kind: str = "gcn",
    seed: int = 0,
    withhold: str = "gender",
    training_seed: int | None = None,
) -> tuple[Subject, dict[str, Any]]:
    """The subject of that name, or of the user's ``file.py:function``, and what is known of it.

    ``training_seed`` starts another network of the same kind on the same training nodes, ``seed`` where it is None.

    On a social network the network learns the most even profile entry that has no ``withhold`` in its name, from the
    other entries.

    Raises:
        UsageError: no such subject, or data that are not there.
        ModelError: the user's function fails, or gives something else than a model and a graph.
    """
    if ":" in name:
        return user_subject(name), {"subject": name}
    if name not in NAMED:
        fix = nearest(name, NAMED) or f"one of {', '.join(NAMED)}, or file.py:function"
        raise UsageError(f"there is no subject {name!r}", fix=fix)
    if folder is None:
        raise UsageError(f"{name} needs its data", fix="name the folder with --data or TRUESCOPE_DATA")
    graphs = folder / "graphs"
    if name == "mutag":
        return molecule_subject(graphs / "mutag" / "MUTAG.txt", kind, seed, training_seed)
    if name in ("cora", "citeseer"):
        graph = citation_graph(graphs / "planetoid", name)
        start = seed if training_seed is None else training_seed
        found = train_network(kind, graph.x, graph.edge_index, graph.y, graph.train, test=graph.test, seed=start)
        return Subject(found.model, graph.x, graph.edge_index), _facts(name, found, "subject of the paper")
    social = (
        ego_network(graphs / "facebook_ego")
        if name == "ego-facebook"
        else facebook100(graphs / "facebook100" / f"{name.capitalize()}.mat")
    )
    return social_subject(social, kind, seed, withhold, training_seed)


def molecule_subject(
    path: Path, kind: str = "gcn", seed: int = 0, training_seed: int | None = None
) -> tuple[Subject, dict[str, Any]]:
    """A network that tells mutagenic molecules; it is explained at the first atom of molecules it was not trained
    on. ``seed`` draws those, ``training_seed`` (the same unless told) starts the network.
    """
    start = seed if training_seed is None else training_seed
    found = molecules(path)
    n = len(found.y)
    held = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[: n // 5]
    train = torch.ones(n, dtype=torch.bool)
    train[held] = False
    y, mine = found.y[found.molecule], train[found.molecule]
    trained = train_network(
        kind, found.x, found.edge_index, y, mine, molecule=found.molecule, hidden=32, epochs=200, seed=start
    )
    firsts = torch.searchsorted(found.molecule, torch.arange(n))
    facts = _facts("MUTAG", trained, "mutagenic") | {"explained": firsts[held].sort().values.tolist()}
    arguments = {"molecule": found.molecule}
    return Subject(trained.model, found.x, found.edge_index, arguments=arguments, feature_names=ATOMS), facts


def social_subject(
    graph: NamedGraph,
    kind: str = "gcn",
    seed: int = 0,
    withhold: str = "gender",
    training_seed: int | None = None,
) -> tuple[Subject, dict[str, Any]]:
    """A network that learns one profile entry of a social network from the others; seeds as for molecules."""
    share = graph.x.mean(0)
    free = [i for i, name in enumerate(graph.feature_names) if withhold not in name]
    label = min(free, key=lambda i: abs(float(share[i]) - 0.5))
    group = graph.feature_names[label].rsplit(";", 1)[0]
    keep = [i for i, name in enumerate(graph.feature_names) if name.rsplit(";", 1)[0] != group]
    x, y = graph.x[:, keep].float(), graph.x[:, label].long()
    train = torch.rand(len(x), generator=torch.Generator().manual_seed(seed)) < 0.5
    found = train_network(kind, x, graph.edge_index, y, train, seed=seed if training_seed is None else training_seed)
    names = [graph.feature_names[i] for i in keep]
    facts = _facts(graph.name, found, graph.feature_names[label])
    return Subject(found.model, x, graph.edge_index, feature_names=names), facts


@dataclass(frozen=True, eq=False)
class UserGraph:
    """What a user's function gives: the model on its graph; each node's class and the classes' names, if it says so."""

    subject: Subject
    y: Tensor | None = None
    class_names: tuple[str, ...] = ()


def user_subject(spec: str) -> Subject:
    """The model and graph of ``file.py:function``; see `user_graph`."""
    return user_graph(spec).subject


def user_graph(spec: str) -> UserGraph:
    """``file.py:function``: the function returns (model, x, edge_index), or these and a dictionary of ``arguments``,
    ``feature_names``, ``y`` (each node's class) and ``class_names``.

    Raises:
        UsageError: no such file or function.
        ModelError: the function fails or returns something else.
    """
    place, _, function = spec.rpartition(":")
    path = Path(place).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no file {place}", fix="name a Python file and a function in it: file.py:function")
    loaded = importlib.util.spec_from_file_location("users_graph_model", path)
    if loaded is None or loaded.loader is None:
        raise UsageError(
            f"{place} is no Python file", why="its name does not end with .py", fix="name one: file.py:function"
        )
    module = importlib.util.module_from_spec(loaded)
    try:
        loaded.loader.exec_module(module)
        make = getattr(module, function, None)
        if make is None:
            raise _no_function(path, function, vars(module))
        found = make()
    except TruescopeError:
        raise
    except Exception as error:  # the user's code: anything may come out of it
        raise ModelError(f"{spec} failed", why=f"{type(error).__name__}: {error}") from error
    if not isinstance(found, tuple) or len(found) < 3 or not isinstance(found[0], nn.Module):
        raise ModelError(
            f"{spec} gives {type(found).__name__}", fix="return (model, x, edge_index) or these and a dictionary"
        )
    model, x, edge_index, *more = found
    if not isinstance(x, Tensor) or not isinstance(edge_index, Tensor):
        raise ModelError(f"{spec} gives no tensors", fix="x [n_nodes, n_features] and edge_index [2, n_arcs]")
    check_graph(x, edge_index)
    options = more[0] if more else {}
    if not isinstance(options, dict):
        raise ModelError(f"{spec} gives {type(options).__name__} as its fourth part", fix="give a dictionary")
    known = ("arguments", "feature_names", "y", "class_names")
    for name in options:
        if name not in known:
            raise UsageError(f"{spec} gives {name!r}", fix=nearest(str(name), known) or f"one of {', '.join(known)}")
    subject = Subject(
        model, x, edge_index, arguments=options.get("arguments"), feature_names=options.get("feature_names")
    )
    y = options.get("y")
    if y is not None and (not isinstance(y, Tensor) or y.shape != (subject.n_nodes,) or y.is_floating_point()):
        raise ModelError(f"{spec} gives a y that is not one whole number a node", fix="give each node's class")
    return UserGraph(subject, y, tuple(options.get("class_names") or ()))


def _no_function(path: Path, function: str, found: Mapping[str, Any]) -> UsageError:
    """What to say where the user's file does not define that function."""
    own = [
        name
        for name, value in found.items()
        if callable(value) and getattr(value, "__module__", "") == "users_graph_model" and not name.startswith("_")
    ]
    return UsageError(
        f"{path.name} has no function {function!r}",
        why=f"it defines {', '.join(own[:8])}" if own else "it defines none",
        fix=nearest(function, own) or "name one that returns (model, x, edge_index): file.py:function",
    )


def _facts(name: str, found: Trained, label: str) -> dict[str, Any]:
    return {
        "subject": name,
        "network": found.kind,
        "learned": label,
        "train_accuracy": found.train_accuracy,
        "test_accuracy": found.test_accuracy,
        "training_seed": found.seed,
    }
