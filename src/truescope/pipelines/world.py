"""The addition world's dictionaries: made from the trained world, shipped beside it, made anew with it.

Transcoders and a cross-layer transcoder of 512 features a layer, 16 kept, trained at every position but the first of
the 8,000 sums that the world itself was trained on and of the 398 digit prompts. The 2,000 sums that the world never
saw are held out here too; the card of each dictionary, its ``info``, says what is left unexplained on them.

``python -m truescope.pipelines.world FOLDER`` makes both for the world in FOLDER.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from truescope.activations import Activations, Window, harvest, pad
from truescope.core.progress import Watcher
from truescope.dictionaries import Dictionary, measure
from truescope.models import Model
from truescope.pipelines.subjects import ADDITION, BUILT_IN, DICTIONARIES
from truescope.store import Store, code_hash, commit, versions
from truescope.train import TrainConfig, environment, replaced_logits, train_dictionary, training_sites
from truescope.truth.addition import RECIPE, addition_prompts, digit_prompts, held_out_pairs, save_addition

EQUALS_WEIGHT = 5
"""How often the last position of a sum, where it is answered, is seen for once that another position is."""


def world_config(kind: str, seed: int = 0) -> TrainConfig:
    """How a dictionary of the world is trained, about 20 s on one core; see `TrainConfig` for the fields."""
    return TrainConfig(kind=kind, n_features=512, k=16, tokens=2_000_000, closed_loop=0.0, seed=seed)


def addition_dictionary(
    model: Model, kind: str, *, seed: int = 0, config: TrainConfig | None = None, watcher: Watcher | None = None
) -> Dictionary:
    """Train the dictionary of ``kind`` ("transcoder" or "clt") for an addition world; its ``info`` is its card.

    The card has the FVU of every layer on the held-out sums, at all positions but the first and at "=" alone, and the
    share of held-out sums still right when every MLP is replaced at once, without error terms.

    Raises:
        UsageError: there is no such kind.
    """
    watcher, config = watcher or Watcher(), config or world_config(kind, seed)
    trained, held = addition_windows()
    sites = training_sites(model, config)
    data = weighted(harvest(model, trained, sites), trained)
    learner = train_dictionary(model, config, data, trained, watcher=watcher)
    info = {"model": ADDITION, "config": config.record(), "equals_weight": EQUALS_WEIGHT, "n_tokens": data.n_tokens}
    info |= {"versions": versions(), "environment": environment(), "commit": commit()}
    dictionary = learner.dictionary(f"addition {kind}", model.hash, info)
    return replace(dictionary, info=info | {"held_out": _card(model, dictionary, held)})


def addition_windows() -> tuple[list[Window], list[Window]]:
    """The prompts to train on, sums first, and the held-out sums; the beginning of each is not harvested."""
    sums, _ = addition_prompts()
    digits, _ = digit_prompts()
    trained, held = held_out_pairs()
    seen = [*sums[trained], *digits]
    return [Window(ids, 1, n) for n, ids in enumerate(seen)], [Window(ids, 1, n) for n, ids in enumerate(sums[held])]


def weighted(data: Activations, windows: list[Window]) -> Activations:
    """``data`` with the last position of every sum `EQUALS_WEIGHT` times."""
    ends = torch.tensor([window.n_harvested for window in windows]).cumsum(0) - 1
    is_sum = torch.tensor([window.n_harvested == 4 for window in windows])
    index = torch.cat([torch.arange(data.n_tokens), ends[is_sum].repeat(EQUALS_WEIGHT - 1)])
    return Activations(data.rows(index), data.document[index])


def _card(model: Model, dictionary: Dictionary, held: list[Window]) -> dict[str, Any]:
    sites = sorted({*dictionary.reads, *dictionary.writes})
    everywhere = harvest(model, held, sites)
    equals = everywhere.rows(torch.arange(3, everywhere.n_tokens, 4))
    found, at_equals = measure(dictionary, everywhere.in_batches()), measure(dictionary, [equals])
    batch = pad(held)
    with torch.no_grad():
        answers = replaced_logits(model, dictionary, batch)[:, -1].argmax(-1)
    right = answers == batch.tokens[:, 1] + batch.tokens[:, 3]
    return {
        "n_sums": len(held),
        "fvu": {str(site): round(share, 5) for site, share in found.fvu.items()},
        "fvu_at_equals": {str(site): round(share, 5) for site, share in at_equals.fvu.items()},
        "right_with_every_mlp_replaced": float(right.double().mean()),
    }


def make_dictionaries(folder: Path, *, seed: int = 0, watcher: Watcher | None = None) -> dict[str, Dictionary]:
    """Train every built-in dictionary for the world in ``folder`` and save it there, under ``dictionaries/``."""
    model = Model.from_pretrained(folder)
    made = {}
    for kind in BUILT_IN:
        made[kind] = addition_dictionary(model, kind, seed=seed, watcher=watcher)
        made[kind].save(folder / DICTIONARIES / kind)
    return made


def retrained_world(seed: int, store: Store, watcher: Watcher) -> Path:
    """The folder of an addition world, with its dictionaries, trained anew by the recipes of the ones that ship."""
    code = {"code": [code_hash("truescope.truth.addition"), code_hash(__name__)], "torch": versions()["torch"]}
    recipes = {"recipe": asdict(RECIPE), "dictionaries": {kind: world_config(kind, seed).record() for kind in BUILT_IN}}
    run = store.run("world", {"world": ADDITION, "seed": seed} | recipes | code)
    with run.locked(watcher.note):
        if not run.has("world"):
            with watcher.stage("retrain") as said, run.writing_folder("world") as folder:
                card = save_addition(folder, seed, progress=lambda *done: watcher.progress("retrain", *done))
                made = make_dictionaries(folder, seed=seed, watcher=watcher)
                said["text"] = (
                    f"Trained the addition world anew, {card['accuracy_held_out']:.2%} of held-out sums right, and its "
                    f"dictionaries: {', '.join(made)}"
                )
        if not run.finished:
            run.finish({})
        return run.path("world")


def main() -> None:
    """``python -m truescope.pipelines.world FOLDER``: train the world's dictionaries and print their cards."""
    parser = argparse.ArgumentParser(prog="python -m truescope.pipelines.world", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="a trained world: python -m truescope.truth.addition FOLDER")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    made = make_dictionaries(options.folder, seed=options.seed)
    print(json.dumps({kind: dictionary.info["held_out"] for kind, dictionary in made.items()}, indent=2))


if __name__ == "__main__":
    main()
