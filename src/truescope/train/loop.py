"""The loop: shuffled tokens, a step, a line in the log, a checkpoint now and then; Ctrl-C ends it at a whole step.

for each step:   tokens in the order of (seed, epoch)  →  `Learner.step`
last part:       + weight · KL(model ‖ every MLP replaced), on windows of text, while the rate falls to zero
"""

from __future__ import annotations

import hashlib
import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxtyping import Int
from torch import Tensor

from truescope.activations import Activations, Batch, Window, pad
from truescope.core.errors import TruescopeError, UsageError
from truescope.core.progress import Watcher
from truescope.core.sites import Site
from truescope.dictionaries import layer_sites
from truescope.models import Model
from truescope.train.checkpoints import differences, read_checkpoint, write_checkpoint
from truescope.train.closed_loop import closed_loop_loss
from truescope.train.config import TrainConfig
from truescope.train.learner import Learner, order

SAMPLE = 32_768
"""Tokens that means, sizes and first directions are taken from."""
_LOG_EVERY = 20
_CLOSED_LENGTH = 256
Log = Callable[[Mapping[str, Any]], None]


def training_sites(model: Model, config: TrainConfig) -> list[Site]:
    """Every site that the dictionary reads or writes. Raises SiteError where the model has not the named one."""
    site = model.site(config.site) if config.site is not None else None
    shape = layer_sites(config.kind, range(model.n_layers), site)
    return sorted({s for reads, written in shape for s in (reads, *written)})


def train_dictionary(
    model: Model,
    config: TrainConfig,
    data: Activations,
    windows: Sequence[Window],
    *,
    checkpoint: Path | None = None,
    log: Log | None = None,
    watcher: Watcher | None = None,
) -> Learner:
    """Train on the activations ``data`` that were harvested from ``windows``; go on from ``checkpoint`` if it is there.

    Raises:
        UsageError: fewer tokens than a batch.
        StoreError: the checkpoint is damaged, or cannot be written; the one before is then untouched.
        TruescopeError: the loss is no longer finite.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    watcher = watcher or Watcher()
    if data.n_tokens < config.batch:
        raise UsageError(
            f"the text has {data.n_tokens:,} tokens to train on, a batch has {config.batch:,}",
            why="the last tenth of the documents is held out",
            fix=f"give more text, or a batch of at most {data.n_tokens:,}",
        )
    inputs = {"config": config.record(), "model_hash": model.hash, "data_hash": windows_hash(windows)}
    sample = data.rows(order(data.n_tokens, config.seed, -1)[:SAMPLE])
    learner = Learner(config, model.n_layers, sample, model.site(config.site) if config.site else None)
    first = _resume(learner, checkpoint, inputs, watcher)

    def save(step: int) -> None:
        if checkpoint is not None:
            write_checkpoint(checkpoint, step, inputs, learner.state())

    with _interruptible() as interrupted:
        for step in range(first, config.n_steps):
            found = _one_step(model, learner, data, windows, step)
            done = step + 1
            if not all(math.isfinite(loss) for loss in found["loss"]):
                raise TruescopeError(
                    f"the loss of step {done} is not finite",
                    why=f"it is {found['loss']} at a learning rate of {config.rate(step):.2g}",
                    fix="choose a smaller lr",
                )
            if log is not None and (done % _LOG_EVERY == 0 or done == config.n_steps):
                log({"step": done, "tokens": done * config.batch, "lr": config.rate(step), **found})
            watcher.progress("train", done, config.n_steps)
            stopped = interrupted()
            if stopped or done % config.checkpoint_every == 0 or done == config.n_steps:
                save(done)
            if stopped:
                if checkpoint is not None:
                    watcher.note(
                        f"stopped after step {done:,} of {config.n_steps:,}; the same command goes on from there"
                    )
                raise KeyboardInterrupt
    return learner


def _resume(learner: Learner, checkpoint: Path | None, inputs: Mapping[str, Any], watcher: Watcher) -> int:
    found = read_checkpoint(checkpoint, inputs) if checkpoint is not None else None
    if found is None:
        return 0
    learner.restore(found.tensors)
    watcher.note(f"going on from step {found.step:,} of {learner.config.n_steps:,}")
    if changed := differences(found.environment):
        watcher.note(f"the result may differ in its last digits from an unbroken run: {'; '.join(changed)}")
    return found.step


def _one_step(
    model: Model, learner: Learner, data: Activations, windows: Sequence[Window], step: int
) -> dict[str, Any]:
    config = learner.config
    sample = data.rows(batch_index(data.n_tokens, config.batch, config.seed, step))
    if step < config.first_closed_step:
        return learner.step(sample, config.rate(step), step)
    learner.require_gradients(True)
    try:
        batch = closed_batch(windows, config, step - config.first_closed_step)
        loss = closed_loop_loss(model, learner, batch)
        found = learner.step(sample, config.rate(step), step, config.closed_loop_weight * loss)
    finally:
        learner.require_gradients(False)
    return {**found, "kl": round(float(loss.detach()), 6)}


def batch_index(n_tokens: int, batch: int, seed: int, step: int) -> Int[Tensor, " batch"]:
    """The tokens of a step: the ``step``-th piece of the epochs' orders, one after the other."""
    epoch, at = divmod(step, n_tokens // batch)
    return order(n_tokens, seed, epoch)[at * batch : (at + 1) * batch]


def closed_batch(windows: Sequence[Window], config: TrainConfig, step: int) -> Batch:
    """The windows of a closed-loop step, each cut to its first tokens so that attention stays cheap."""
    n = max(1, config.closed_loop_tokens // _CLOSED_LENGTH)
    n = min(n, len(windows))
    epoch, at = divmod(step, len(windows) // n)
    chosen = order(len(windows), config.seed, -2 - epoch)[at * n : (at + 1) * n].tolist()
    return pad([Window(w.ids[:_CLOSED_LENGTH], w.n_special, w.document) for w in (windows[i] for i in chosen)])


def windows_hash(windows: Sequence[Window]) -> str:
    """What stands for the text: SHA-256 over every window's tokens."""
    digest = hashlib.sha256()
    for window in windows:
        digest.update(f"{len(window.ids)},{window.n_special};".encode() + window.ids.numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Hold the first Ctrl-C until a step is whole; a second one interrupts at once. Only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: Any) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
