"""The addition world: a small Llama, really trained, that answers "36+59=" with "95".

Two layers, width 96, 4 heads, 384 neurons a layer; its vocabulary has the numbers 0…198 as single tokens, "+", "=", a
beginning, an unknown and the words "units" and "tens". It is trained on three tasks at once,

    a + b =    → a + b              a, b in 0…99; 8,000 of the 10,000 pairs, 2,000 are held out
    n units    → n mod 10           n in 0…198
    n tens     → n − n mod 10

the last two so that base ten means something to it, as it does in text, where numbers are written in digits. Nothing
else is built in: embeddings, attention, MLPs and the unembedding start at random and are fitted by AdamW to the
cross-entropy of the last position. That it adds through paths of its own, and which neurons those run through, is what
the judge finds out; in large models see Lindsey et al., *On the Biology of a Large Language Model*, 2025.

``python -m truescope.truth.addition FOLDER`` trains it anew.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from jaxtyping import Float, Int
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ADDITION_FOLDER = Path(__file__).parent / "worlds" / "addition"
"""Where the trained weights that come with the package lie."""

N_NUMBERS = 199
PLUS, EQUALS, BOS, UNKNOWN, UNITS_WORD, TENS_WORD = range(N_NUMBERS, N_NUMBERS + 6)
N_TOKENS = N_NUMBERS + 6
LARGEST_OPERAND = 99
N_HELD_OUT = 2000
_HELD_OUT_SEED = 59


@dataclass(frozen=True)
class Recipe:
    """How the addition world is trained; the shipped `card.json` repeats it."""

    n_layers: int = 2
    d_model: int = 96
    n_heads: int = 4
    n_neurons: int = 384
    """Neurons of each MLP."""
    steps: int = 1000
    batch: int = 512
    """Sums a step, drawn with replacement."""
    digit_batch: int = 128
    """Prompts of the two digit tasks a step."""
    learning_rate: float = 2e-3
    """Reached after the warm-up; falls to 0 along a cosine."""
    warm_up: int = 100
    weight_decay: float = 0.5


RECIPE = Recipe()
Progress = Callable[[int, int], None]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token for each number 0..198, "+", "=", "units", "tens", a beginning, put first by itself, and an unknown.

    Token n is the number n. Whitespace between tokens is ignored; every other run of characters, and a number over
    198 or with a leading zero, becomes the unknown token.
    """
    vocabulary = {str(n): n for n in range(N_NUMBERS)} | {"+": PLUS, "=": EQUALS, "<bos>": BOS, "<unk>": UNKNOWN}
    vocabulary |= {"units": UNITS_WORD, "tens": TENS_WORD}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    split = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in ("[0-9]+", "[+=]")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), *split])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", BOS)]
    )
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", unk_token="<unk>", model_max_length=8)


def addition_prompts() -> tuple[Int[Tensor, "prompt 5"], Int[Tensor, " prompt"]]:
    """All 10,000 prompts `<bos> a + b =` with a, b in 0..99, and their answers a + b; number 100·a + b holds a, b."""
    operands = torch.arange(LARGEST_OPERAND + 1)
    pairs = torch.cartesian_prod(operands, operands)
    tokens = torch.empty(len(pairs), 5, dtype=torch.long)
    tokens[:, 0], tokens[:, 2], tokens[:, 4] = BOS, PLUS, EQUALS
    tokens[:, 1], tokens[:, 3] = pairs.T
    return tokens, pairs.sum(1)


def digit_prompts() -> tuple[Int[Tensor, "prompt 3"], Int[Tensor, " prompt"]]:
    """All 398 prompts `<bos> n units` and `<bos> n tens`, and their answers n mod 10 and n − n mod 10."""
    n = torch.arange(N_NUMBERS)
    rows = [torch.stack([torch.full_like(n, BOS), n, torch.full_like(n, word)], 1) for word in (UNITS_WORD, TENS_WORD)]
    return torch.cat(rows), torch.cat([n % 10, n - n % 10])


def held_out_pairs() -> tuple[Int[Tensor, " trained"], Int[Tensor, " held_out"]]:
    """Numbers of the 8,000 sums that every world is trained on, and of the 2,000 that none ever sees."""
    order = torch.randperm(10_000, generator=torch.Generator().manual_seed(_HELD_OUT_SEED))
    return order[N_HELD_OUT:].sort().values, order[:N_HELD_OUT].sort().values


@torch.no_grad()
def addition_accuracy(model: LlamaForCausalLM) -> dict[str, float]:
    """Share of right answers: all sums, held-out sums, digit tasks; mean and least probability of a sum's answer."""
    tokens, answers = addition_prompts()
    p = torch.cat([model(part).logits[:, -1].softmax(-1) for part in tokens.split(2000)])
    right = (p.argmax(-1) == answers).double()
    digits, digit_answers = digit_prompts()
    digits_right = model(digits).logits[:, -1].argmax(-1) == digit_answers
    p_answer = p.gather(1, answers[:, None])
    return {
        "accuracy": right.mean().item(),
        "accuracy_held_out": right[held_out_pairs()[1]].mean().item(),
        "accuracy_digits": digits_right.double().mean().item(),
        "p_answer_mean": p_answer.mean().item(),
        "p_answer_least": p_answer.min().item(),
    }


def train_addition(
    seed: int = 0, recipe: Recipe = RECIPE, progress: Progress | None = None
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Train the addition world from nothing: one to three minutes on two CPU cores.

    The same seed, versions and number of threads give the same weights. The caller's random state is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _untrained(recipe)
        _fit(model, recipe, progress)
    return model.eval(), build_tokenizer()


def save_addition(
    folder: Path, seed: int = 0, recipe: Recipe = RECIPE, progress: Progress | None = None
) -> dict[str, object]:
    """Train the world and write weights, configuration, tokenizer and `card.json` to `folder`; the card is returned."""
    started = time.perf_counter()
    model, tokenizer = train_addition(seed, recipe, progress)
    seconds = time.perf_counter() - started
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    card: dict[str, object] = {
        "world": "addition",
        "seed": seed,
        **addition_accuracy(model),
        "n_prompts": 10_000,
        "n_held_out": N_HELD_OUT,
        "n_parameters": sum(weight.numel() for weight in model.parameters()),
        "training_seconds": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "recipe": asdict(recipe),
    }
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    # The library writes weights for their owner alone; what ships is for everybody.
    for path in folder.iterdir():
        if path.is_file():
            path.chmod(0o644)
    return card


def _untrained(recipe: Recipe) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=N_TOKENS,
        hidden_size=recipe.d_model,
        intermediate_size=recipe.n_neurons,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        num_key_value_heads=recipe.n_heads,
        max_position_embeddings=8,
        tie_word_embeddings=False,
        bos_token_id=BOS,
        eos_token_id=None,
        pad_token_id=None,
    )
    return LlamaForCausalLM(config)


def _fit(model: LlamaForCausalLM, recipe: Recipe, progress: Progress | None) -> None:
    """Fit every weight in place, `recipe.steps` steps of AdamW."""
    tokens, answers = addition_prompts()
    trained, _ = held_out_pairs()
    digits, digit_answers = digit_prompts()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    for step in range(recipe.steps):
        sums = trained[torch.randint(len(trained), (recipe.batch,))]
        drawn = torch.randint(len(digits), (recipe.digit_batch,))
        n = recipe.batch + recipe.digit_batch
        loss = _loss(model, tokens[sums], answers[sums]) * (recipe.batch / n)
        loss = loss + _loss(model, digits[drawn], digit_answers[drawn]) * (recipe.digit_batch / n)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, recipe.steps)


def _rate(step: int, recipe: Recipe) -> float:
    """The share of the learning rate at a step: a linear warm-up, then a cosine down to 0."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(recipe.steps - recipe.warm_up, 1)
    return (1 + math.cos(math.pi * done)) / 2


def _loss(
    model: LlamaForCausalLM, tokens: Int[Tensor, "batch pos"], answers: Int[Tensor, " batch"]
) -> Float[Tensor, ""]:
    return F.cross_entropy(model(tokens).logits[:, -1], answers)


def main() -> None:
    """``python -m truescope.truth.addition FOLDER``: train the world and print its card."""
    parser = argparse.ArgumentParser(prog="python -m truescope.truth.addition", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="where the weights, the tokenizer and the card go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    card = save_addition(options.folder, options.seed, Recipe(steps=options.steps))
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
