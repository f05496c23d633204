"""`trace`: a prompt into an attribution graph, kept in the store and ready to be shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int

from truescope.activations import read_texts
from truescope.core.errors import PromptError, UsageError
from truescope.core.graphs import Graph
from truescope.core.progress import Watcher
from truescope.dictionaries import Dictionary
from truescope.models import Model
from truescope.pipelines.evidence import Domain, prompt_evidence, units_of
from truescope.pipelines.runs import run_facts
from truescope.pipelines.subjects import ADDITION, NEURONS, dictionary_id, load_dictionary, load_model, replacement_of
from truescope.pipelines.view import build_unit, build_view, graph_facts, top_logits
from truescope.store import Run, Store, code_hash, file_hash
from truescope.trace import load_graph, save_graph, trace_graph


@dataclass(frozen=True)
class TraceReport:
    """A traced prompt: the graph, the run folder that holds it, and the seconds of each stage."""

    graph: Graph
    folder: Path
    view: Mapping[str, Any]

    def summary(self) -> dict[str, Any]:
        """What ``truescope trace --json`` prints."""
        return summarise(self.graph, self.view)


def summarise(graph: Graph, view: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a run's ``--json`` that every graph has."""
    answer, probability = graph.top_logits[0]
    return {
        "prompt": graph.prompt,
        "answer": answer,
        "probability": probability,
        "top_logits": top_logits(graph),
        "graph": graph_facts(graph),
        "seconds": dict(view["seconds"]),
        "run": dict(view["run"]),
    }


def trace(
    prompt: str,
    model: str | Path | Model = ADDITION,
    *,
    revision: str | None = None,
    dictionary: str | Path | Sequence[str | Path] = NEURONS,
    targets: Sequence[str] | None = None,
    probability: float = 0.95,
    max_targets: int = 10,
    node_threshold: float = 0.8,
    edge_threshold: float = 0.98,
    max_units: int = 4096,
    text: Path | str | None = None,
    fresh: bool = False,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> TraceReport:
    """Trace ``prompt`` through ``model`` into an attribution graph of its next token.

    ``dictionary`` gives the units: "neurons", a dictionary's folder, or those of autoencoders of different layers.
    ``targets`` names the tokens to explain (default: the likeliest ones up to ``probability``, at most
    ``max_targets``); ``text`` is a corpus to look for examples in. The same inputs give the same run, which is loaded
    rather than computed again unless it is ``fresh``. See `truescope.trace.trace_graph` for what the thresholds mean.

    Raises:
        PromptError, ModelError, UsageError, StoreError: as their names say, before anything long is begun.
    """
    if not prompt.strip():
        raise PromptError("the prompt is empty", fix="give some text to trace")
    watcher = watcher or Watcher()
    texts = read_texts(text) if text is not None else None
    with watcher.stage("load") as said:
        model = load_model(model, revision=revision)
        tokens = model.tokens(prompt)
        loaded = load_dictionary(dictionary, model)
        said["text"] = f"Loaded {model.name} ({model.family.name}, {model.n_layers} layers)"
    settings = {
        "targets": list(targets) if targets else None,
        "probability": probability,
        "max_targets": max_targets,
        "node_threshold": node_threshold,
        "edge_threshold": edge_threshold,
        "max_units": max_units,
    }
    for name, value in settings.items():
        if isinstance(value, float) and not isfinite(value):
            raise UsageError(f"{name} is {value}", fix="give a number")
    inputs = {"prompt": prompt, "model_hash": model.hash, "dictionary": dictionary_id(loaded), "settings": settings}
    inputs |= {"text_hash": file_hash(Path(text).expanduser()) if text is not None else None}
    run = (store or Store.open()).run("trace", inputs | {"code": code_hash(__name__)})
    with run.locked(watcher.note):
        if fresh or not run.has("graph"):
            _trace(run, model, loaded, tokens, watcher)
        graph = load_graph(run.path("graph"))
        if fresh or not run.has("view.json"):
            _describe(run, model, loaded, graph, texts, watcher)
        if fresh or not run.finished:
            run.finish(graph_facts(graph))
        return TraceReport(graph, run.folder, run.read_json("view.json"))


def _trace(
    run: Run, model: Model, dictionary: Dictionary | None, tokens: Int[torch.Tensor, " pos"], watcher: Watcher
) -> None:
    """Trace the run's prompt with its settings, and write the graph."""
    with watcher.stage("trace") as said:
        graph = trace_graph(
            model,
            tokens,
            replacement=replacement_of(model, dictionary),
            prompt=run.inputs["prompt"],
            **run.inputs["settings"],
            progress=count_progress(watcher, "trace"),
        ).graph
        said["text"] = f"Traced {graph.n_nodes:,} nodes and {graph.n_edges:,} edges"
    with run.writing_folder("graph") as folder:
        save_graph(graph, folder)


def _describe(
    run: Run, model: Model, dictionary: Dictionary | None, graph: Graph, texts: list[str] | None, watcher: Watcher
) -> None:
    """Gather the units' evidence and write what the page shows."""
    with watcher.stage("evidence") as said:
        units = units_of(graph)
        if model.name == ADDITION:
            evidence, operands = (
                Domain.of(model, dictionary).evidence(model, units),
                ("first operand", "second operand"),
            )
        else:
            evidence, operands = prompt_evidence(model, graph, texts, dictionary), None
        said["text"] = f"Described {len(units):,} units"
    run.write_json("units.json", {str(e.feature): build_unit(e, None, operands) for e in evidence})
    view = build_view(
        graph,
        title=f"{graph.prompt} — {model.name}",
        family=model.family.name,
        run=run_facts(run, model),
        seconds=watcher.seconds,
        names={e.feature: e.name for e in evidence},
    )
    run.write_json("view.json", view)


def count_progress(watcher: Watcher, stage: str) -> Callable[[int, int], None]:
    """A stage's counter, as methods call it."""
    return lambda done, total: watcher.progress(stage, done, total)
