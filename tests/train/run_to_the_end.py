"""Train in a process of its own, so that it can be killed: python run_to_the_end.py KIND CHECKPOINT RESULT [STEP].

At STEP it says so and waits to be killed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from exact import random_windows, relu_model
from safetensors.torch import save_file

from truescope.activations import harvest
from truescope.train import TrainConfig, train_dictionary, training_sites


def main(kind: str, checkpoint: str, result: str, wait_at: int = -1) -> None:
    torch.set_num_threads(1)
    model, windows = relu_model(), random_windows()
    config = TrainConfig(
        kind=kind, n_features=64, k=4, tokens=6000, batch=100, closed_loop=0.4, closed_loop_tokens=256,
        dead_after=500, checkpoint_every=7,
    )  # fmt: skip
    data = harvest(model, windows, training_sites(model, config))

    def say(line: Mapping[str, Any]) -> None:
        if line["step"] == wait_at:
            print(f"at step {wait_at}", flush=True)
            time.sleep(600)

    learner = train_dictionary(model, config, data, windows, checkpoint=Path(checkpoint), log=say)
    save_file({name: tensor.contiguous() for name, tensor in learner.state().items()}, result)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], *map(int, sys.argv[4:]))
