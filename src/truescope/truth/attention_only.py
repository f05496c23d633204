"""Small decoders without MLPs, trained to do one thing: a stock GPT-2 whose MLP weights are zero and stay so."""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from truescope.truth.facts import CheckedFact
from truescope.truth.tokens import word_tokenizer

Progress = Callable[[int, int], None]
Batch = tuple[Int[Tensor, "batch pos"], Bool[Tensor, "batch pos"]]
"""Tokens, and which of them are to be predicted from what comes before."""


@dataclass(frozen=True)
class Recipe:
    """The size of a world and how it is trained."""

    n_layers: int
    n_heads: int
    d_model: int
    steps: int
    batch: int
    learning_rate: float = 3e-3
    """Reached after 100 steps; falls to 0 in a straight line."""
    weight_decay: float = 0.1


def untrained(recipe: Recipe, n_vocab: int, context: int, bos: int) -> GPT2LMHeadModel:
    """A decoder of random weights but for its MLPs, which are zero and never trained."""
    config = GPT2Config(
        vocab_size=n_vocab,
        n_positions=context,
        n_embd=recipe.d_model,
        n_layer=recipe.n_layers,
        n_head=recipe.n_heads,
        n_inner=1,
        activation_function="relu",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=False,
        bos_token_id=bos,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel(config)
    for block in model.transformer.h:
        for weight in block.mlp.parameters():
            weight.data.zero_()
            weight.requires_grad_(False)
    return model


def train(
    recipe: Recipe,
    n_vocab: int,
    context: int,
    bos: int,
    draw: Callable[[int], Batch],
    seed: int,
    progress: Progress | None,
) -> GPT2LMHeadModel:
    """Train a decoder from nothing on batches from ``draw``, which uses torch's random state.

    The same seed, versions and number of threads give the same weights. The caller's random state is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = untrained(recipe, n_vocab, context, bos)
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(
            weights, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
        )
        for step in range(recipe.steps):
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * min(1.0, (step + 1) / 100) * (1 - step / recipe.steps)
            tokens, wanted = draw(recipe.batch)
            loss = _loss(model, tokens, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if progress is not None:
                progress(step + 1, recipe.steps)
    return model.eval().requires_grad_(False)


def _loss(
    model: GPT2LMHeadModel, tokens: Int[Tensor, "batch pos"], wanted: Bool[Tensor, "batch pos"]
) -> Float[Tensor, ""]:
    logits = model(tokens[:, :-1]).logits
    return F.cross_entropy(logits[wanted[:, 1:]], tokens[:, 1:][wanted[:, 1:]])


@torch.no_grad()
def patterns(model: GPT2LMHeadModel, tokens: Int[Tensor, "batch pos"]) -> list[Float[Tensor, "batch head query key"]]:
    """The attention patterns of every layer."""
    before = str(model.config._attn_implementation)
    model.set_attn_implementation("eager")
    try:
        return list(model(tokens, output_attentions=True).attentions)
    finally:
        model.set_attn_implementation(before)


def save(
    folder: Path,
    world: str,
    make: Callable[[], GPT2LMHeadModel],
    vocabulary: Sequence[str],
    check: Callable[[GPT2LMHeadModel], Sequence[CheckedFact]],
    about: Mapping[str, object],
) -> dict[str, object]:
    """Train a world and write weights, configuration, tokenizer and `card.json` with its measured facts.

    ``about`` (seed, recipe) goes into the card, which is returned.
    """
    started = time.perf_counter()
    model = make()
    card: dict[str, object] = {
        "world": world,
        **about,
        "training_seconds": round(time.perf_counter() - started, 1),
        "facts": [checked.as_json() for checked in check(model)],
        "n_parameters": sum(weight.numel() for weight in model.parameters()),
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
    model.save_pretrained(folder)
    word_tokenizer(vocabulary, model.config.n_positions).save_pretrained(folder)
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    # The library writes weights for their owner alone; what ships is for everybody.
    for path in folder.iterdir():
        if path.is_file():
            path.chmod(0o644)
    return card


def script(module: str, about: str, save_world: Callable[[Path, int], dict[str, object]]) -> None:
    """``python -m MODULE FOLDER``: train a world anew and print its card."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("folder", type=Path, help="where the weights, the tokenizer and the card go")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print(json.dumps(save_world(options.folder, options.seed), indent=2))
