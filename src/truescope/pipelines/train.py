"""`train`: a model and a text into a dictionary: harvest, shuffle, train, evaluate on what was held out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from truescope.activations import Activations, Window, cut_windows, harvest, hold_out, needed_bytes, read_texts
from truescope.core.errors import DictionaryError
from truescope.core.progress import Watcher
from truescope.dictionaries import Dictionary
from truescope.models import Model
from truescope.pipelines.subjects import load_model
from truescope.store import Run, Store, code_hash, commit, file_hash, versions
from truescope.train import Evaluation, TrainConfig, environment, evaluate, train_dictionary, training_sites

IN_MEMORY = 2 << 30
"""Activations larger than this are kept on disk while a run lasts."""
_CHECKPOINT, _ACTIVATIONS, _LOG = "checkpoint.safetensors", "activations", "log.jsonl"


@dataclass(frozen=True)
class TrainReport:
    """A trained dictionary, the folder that holds it, and how it does on held-out text."""

    dictionary: Dictionary
    folder: Path
    evaluation: Mapping[str, Any]
    run: Mapping[str, Any]

    @property
    def fvu(self) -> list[float]:
        """The unexplained share of each written layer."""
        return list(self.evaluation["fvu"])

    @property
    def ce_delta(self) -> float:
        """The loss with every MLP replaced at once minus the model's, in nats a token."""
        return float(self.evaluation["ce_delta"])

    def summary(self) -> dict[str, Any]:
        """What ``truescope train --json`` prints: ``dictionary`` is what ``--dictionary`` takes."""
        return {"dictionary": str(self.folder), **self.evaluation, "run": dict(self.run)}


def train(
    model: str | Path | Model,
    text: Path | str,
    *,
    kind: str = "transcoder",
    features: int = 1024,
    k: int = 32,
    out: Path | str | None = None,
    revision: str | None = None,
    store: Store | None = None,
    watcher: Watcher | None = None,
    **settings: Any,
) -> TrainReport:
    """Train a dictionary of ``features`` features a layer, ``k`` kept at a position, for ``model`` on ``text``.

    ``kind`` is "transcoder" (one a layer), "clt" (cross-layer) or "sae" (with ``site``); ``settings`` are the other
    fields of `truescope.train.TrainConfig` (tokens, seed, …). The last tenth of the documents is held out. The
    dictionary lies in the run's folder, and in ``out`` if one is named. The same inputs give the same run: one that was
    stopped goes on at its last checkpoint, one that is finished is read.

    Raises:
        UsageError, SiteError, ModelError, DictionaryError, StoreError: as their names say.
    """
    watcher = watcher or Watcher()
    config = TrainConfig(kind=kind, n_features=features, k=k, **settings)
    texts = read_texts(text)
    _check_out(out)
    with watcher.stage("load") as said:
        model = load_model(model, revision=revision)
        training_sites(model, config)
        windows, held = hold_out(cut_windows(model, texts, config.window))
        said["text"] = (
            f"Loaded {model.name} ({model.family.name}, {model.n_layers} layers) and {len(texts):,} documents"
        )
    inputs = {"model_hash": model.hash, "text_hash": file_hash(Path(text).expanduser()), "config": config.record()}
    inputs |= {"code": code_hash(__name__)}
    run = (store or Store.open()).run("train", inputs, title=f"{kind} for {model.name}")
    with run.locked(watcher.note):
        if not (run.has("dictionary") and run.has("evaluation.json")):
            _train(run, model, config, windows, held, watcher)
        dictionary = Dictionary.load(run.path("dictionary"), model_hash=model.hash)
        evaluation = run.read_json("evaluation.json")
        if not run.finished:
            run.finish({"fvu": evaluation["fvu"], "ce_delta": evaluation["ce_delta"], "dead": evaluation["dead"]})
    folder = run.folder / "dictionary" if out is None else dictionary.save(out)
    facts = {"id": run.id, "seed": config.seed, "text_hash": inputs["text_hash"], "seconds": run.manifest["seconds"]}
    return TrainReport(dictionary, folder, evaluation, {**facts, "model_hash": model.hash, "commit": commit()})


def _train(
    run: Run, model: Model, config: TrainConfig, windows: list[Window], held: list[Window], watcher: Watcher
) -> None:
    began = time.process_time()
    sites = training_sites(model, config)
    place = run.folder / _ACTIVATIONS
    shutil.rmtree(place, ignore_errors=True)
    on_disk = needed_bytes(model, windows + held, sites) > IN_MEMORY
    try:
        with watcher.stage("harvest") as said:
            data, unseen = (
                harvest(model, part, sites, folder=place / name if on_disk else None, progress=_progress(watcher, name))
                for part, name in ((windows, "harvest"), (held, "harvest held-out"))
            )
            n_held = len({window.document for window in held})
            said["text"] = (
                f"Harvested {data.n_tokens:,} tokens at {len(sites)} sites, and {unseen.n_tokens:,} of "
                f"{n_held} held-out documents"
            )
        with watcher.stage("train") as said:
            learner = train_dictionary(
                model,
                config,
                data,
                windows,
                checkpoint=run.folder / _CHECKPOINT,
                log=lambda line: run.append_line(_LOG, line),
                watcher=watcher,
            )
            info = {"model": model.name, "text_hash": run.inputs["text_hash"], "config": config.record()}
            info |= {"n_tokens": data.n_tokens, "versions": versions(), "environment": environment()}
            dictionary = learner.dictionary(f"{config.kind} {run.id}", model.hash, info)
            said["text"] = f"Trained {config.n_features:,} features a site in {config.n_steps:,} steps"
        with watcher.stage("evaluate") as said:
            found = _evaluate(model, dictionary, data, unseen, held, config)
            said["text"] = f"Evaluated on {found.n_tokens:,} held-out tokens"
        with run.writing_folder("dictionary") as folder:
            dictionary.fill(folder)
        run.write_json("evaluation.json", found.record() | {"cpu_seconds": round(time.process_time() - began, 1)})
        run.write_tensors("density.safetensors", _densities(dictionary, found))
        (run.folder / _CHECKPOINT).unlink(missing_ok=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _evaluate(
    model: Model,
    dictionary: Dictionary,
    data: Activations,
    unseen: Activations,
    held: list[Window],
    config: TrainConfig,
) -> Evaluation:
    outputs = {site: data.values[site] for site in dictionary.writes}
    return evaluate(model, dictionary, unseen, held, outputs, config.k)


def _densities(dictionary: Dictionary, found: Evaluation) -> dict[str, np.ndarray]:
    """How often each feature is active on the held-out text, by the site it reads."""
    return {str(site): share.numpy() for site, share in zip(dictionary.reads, found.density, strict=True)}


def _check_out(out: Path | str | None) -> None:
    """Better now than after the training."""
    if out is None:
        return
    folder = Path(out).expanduser()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / "dictionary.json").is_file()):
        raise DictionaryError(
            f"{folder} is there and is no dictionary", why="it would be overwritten", fix="name another folder"
        )


def _progress(watcher: Watcher, stage: str) -> Any:
    return lambda done, total: watcher.progress(stage, done, total)
