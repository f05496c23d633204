"""The addition world: a small, really trained transformer that answers "36+59=" through two separable paths.

A units path says "ends in 5", a magnitude path says "about 95"; together they say "95", as in Anthropic's study of a
large model (Lindsey et al., *On the Biology of a Large Language Model*, 2025). The model is a plain Hugging Face
`GPT2LMHeadModel`: 2 layers, ReLU, 384 neurons a layer, a residual stream of 104 numbers in named parts:

    answer   units 10 | magnitude 12 | tags 24      only MLPs may write here
    operand  units 10 | tens 20 | tags 24 | free 4  embeddings, positions and attention write here, and MLPs too

Built in, and frozen. A number's embedding says its last digit, its tens (both one-hot) and 24 random ±0.7 *tags* that
have nothing to do with its value. The unembedding of n reads the answer part of the normed last position by

    logit(n) = u[n mod 10] + 2.5 Σ_j m[j] exp(−(r(n) − c_j)² / 2·14²)

        r(n) = 5 ⌊n / 5⌋ + 2, the number in steps of five;  c_j: 12 centres, evenly from 0 to 198

so the magnitude part cannot tell 95 from 96, nor the units part 95 from 5: an exact answer takes both.
Position embeddings and attention outputs are held at zero in the answer part, so whatever the logits say about the
answer was put there by MLP neurons. The value and output maps of attention start from the identity.

Learned, by AdamW on all 10,000 sums: attention, both MLPs, positions, layer norms. The loss is

    cross-entropy(answer) + w_tags · cross-entropy(tags) + w_weights Σ|W| + w_jobs Σ_i Σ_{p≠q} |w_ip| |w_iq|

Tags are bystanders: dimension k of the answer's tag part should tell whether both operands have tag k. The
unembedding never reads it; it keeps neurons alive that have another job, as in any real network, so that a
random group of live neurons is a fair control. The last term asks each neuron to have one job: w_ip is what neuron i
writes to part p (units, magnitude, tags) of the answer. Which neuron gets which job, and how it does it, is learned;
no neuron is told which digits to read. Neurons are dropped at random during training (less and less at its end), so
that no answer hangs on a few of them.

Not built in: that the paths can be separated. That is for an intervention to find.
"""

from __future__ import annotations

import json
import math
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import transformers
from jaxtyping import Bool, Float, Int
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

ADDITION_FOLDER = Path(__file__).parent / "worlds" / "addition"
"""Where the trained weights that come with the package lie."""

N_NUMBERS = 199
PLUS, EQUALS, BOS, UNKNOWN = range(N_NUMBERS, N_NUMBERS + 4)
LARGEST_OPERAND = 99

UNITS = slice(0, 10)
MAGNITUDE = slice(10, 22)
TAGS = slice(22, 46)
ANSWER = slice(0, 46)
OPERAND_UNITS = slice(46, 56)
OPERAND_TENS = slice(56, 76)
OPERAND_TAGS = slice(76, 100)
FREE = slice(100, 104)
D_MODEL = 104

TAG_SIZE = 0.7
MAGNITUDE_WIDTH = 14.0
MAGNITUDE_SCALE = 2.5
MAGNITUDE_STEP = 5
TAG_SHARPNESS = 4.0


@dataclass(frozen=True)
class Recipe:
    """How the addition world is trained; the shipped `card.json` repeats it."""

    n_layers: int = 2
    n_heads: int = 4
    n_neurons: int = 384
    """Neurons of each MLP."""
    steps: int = 400
    batch: int = 1024
    """Prompts a step, drawn with replacement."""
    learning_rate: float = 6e-3
    """Largest rate of a one-cycle schedule."""
    weight_decay: float = 0.05
    p_drop: float = 0.15
    """Share of neurons dropped; falls to 0 over the last tenth of the steps."""
    tags: float = 6.0
    """Weight of the bystander task."""
    weights: float = 5e-5
    """Weight of the absolute size of MLP weights."""
    jobs: float = 1.2e-2
    """Weight of the penalty on neurons with several jobs; rises from step 10 % to step 50 %."""


RECIPE = Recipe()


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token for each number 0..198, "+", "=", a beginning, which is put first by itself, and an unknown.

    Token n is the number n. Whitespace between tokens is ignored; every other run of characters, and a number over
    198 or with a leading zero, becomes the unknown token.
    """
    vocabulary = {str(n): n for n in range(N_NUMBERS)} | {"+": PLUS, "=": EQUALS, "<bos>": BOS, "<unk>": UNKNOWN}
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


@torch.no_grad()
def addition_accuracy(model: GPT2LMHeadModel) -> dict[str, float]:
    """Share of all 10,000 prompts answered exactly, mean and least probability of the answer, share of right tags."""
    tokens, answers = addition_prompts()
    p_answers, right, tags_right = [], [], []
    for part, answer in zip(tokens.split(2000), answers.split(2000), strict=True):
        last = model.transformer(part).last_hidden_state[:, -1]
        logits = model.lm_head(last)
        p_answers.append(logits.softmax(-1).gather(1, answer[:, None])[:, 0])
        right.append(logits.argmax(-1) == answer)
        tags_right.append((last[:, TAGS] > 0) == shared_tags(model, part))
    p_answer = torch.cat(p_answers)
    return {
        "accuracy": torch.cat(right).double().mean().item(),
        "p_answer_mean": p_answer.mean().item(),
        "p_answer_least": p_answer.min().item(),
        "tags_accuracy": torch.cat(tags_right).double().mean().item(),
    }


@torch.no_grad()
def shared_tags(model: GPT2LMHeadModel, tokens: Int[Tensor, "prompt 5"]) -> Bool[Tensor, "prompt 24"]:
    """Which tags both operands have."""
    has_tag = model.transformer.wte.weight[:, OPERAND_TAGS] > 0
    return has_tag[tokens[:, 1]] & has_tag[tokens[:, 3]]


def train_addition(seed: int = 0, recipe: Recipe = RECIPE) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerFast]:
    """Train the addition world from nothing: about 3 minutes on one idle CPU core.

    The same seed, versions and number of threads give the same weights. The caller's random state is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _untrained(recipe)
        dropout = _NeuronDropout(model)
        _fit(model, recipe, dropout)
        dropout.remove()
    return model.eval(), build_tokenizer()


def save_addition(folder: Path, seed: int = 0, recipe: Recipe = RECIPE) -> dict[str, object]:
    """Train the world and write weights, configuration, tokenizer and `card.json` to `folder`; the card is returned."""
    started = time.perf_counter()
    model, tokenizer = train_addition(seed, recipe)
    seconds = time.perf_counter() - started
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    card: dict[str, object] = {
        "world": "addition",
        "seed": seed,
        **addition_accuracy(model),
        "n_prompts": 10_000,
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
    return card


def number_embedding() -> Float[Tensor, "token d_model"]:
    """The frozen embedding: digits one-hot, random tags; "+", "=" and the other two get random free directions."""
    n = torch.arange(N_NUMBERS)
    embedding = torch.zeros(N_NUMBERS + 4, D_MODEL)
    embedding[n, OPERAND_UNITS.start + n % 10] = 1.0
    embedding[n, OPERAND_TENS.start + n // 10] = 1.0
    embedding[:N_NUMBERS, OPERAND_TAGS] = torch.randn(N_NUMBERS, 24).sign() * TAG_SIZE
    embedding[N_NUMBERS:, FREE] = torch.randn(4, 4) * 0.5
    return embedding


def number_unembedding() -> Float[Tensor, "token d_model"]:
    """The frozen unembedding: the last digit one-hot, bumps of r(n); zero for every other token."""
    n = torch.arange(N_NUMBERS)
    centres = torch.linspace(0, N_NUMBERS - 1, MAGNITUDE.stop - MAGNITUDE.start)
    unembedding = torch.zeros(N_NUMBERS + 4, D_MODEL)
    unembedding[n, n % 10] = 1.0
    rounded = MAGNITUDE_STEP * (n // MAGNITUDE_STEP) + MAGNITUDE_STEP // 2
    distance = (rounded[:, None] - centres) / MAGNITUDE_WIDTH
    unembedding[:N_NUMBERS, MAGNITUDE] = MAGNITUDE_SCALE * torch.exp(-(distance**2) / 2)
    return unembedding


def _blocks(model: GPT2LMHeadModel) -> list[Any]:
    """The layers, first to last (the library's stubs do not know their attributes)."""
    return list(model.transformer.h)


def _untrained(recipe: Recipe) -> GPT2LMHeadModel:
    """The model at step 0: what is built in is set and frozen, the rest is random."""
    config = GPT2Config(
        vocab_size=N_NUMBERS + 4,
        n_positions=8,
        n_embd=D_MODEL,
        n_layer=recipe.n_layers,
        n_head=recipe.n_heads,
        n_inner=recipe.n_neurons,
        activation_function="relu",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=False,
        bos_token_id=BOS,
        eos_token_id=BOS,
    )
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        model.transformer.wte.weight.copy_(number_embedding())
        model.lm_head.weight.copy_(number_unembedding())
        model.transformer.wpe.weight[:, ANSWER] = 0
        for block in _blocks(model):
            block.attn.c_attn.weight.normal_(std=0.5 / math.sqrt(D_MODEL))
            block.attn.c_attn.weight[:, 2 * D_MODEL :] = torch.eye(D_MODEL)
            block.attn.c_proj.weight.copy_(torch.eye(D_MODEL))
            block.attn.c_proj.weight[:, ANSWER] = 0
            block.mlp.c_fc.weight.normal_(std=1 / math.sqrt(D_MODEL))
            block.mlp.c_proj.weight.normal_(std=0.3 / math.sqrt(recipe.n_neurons))
    model.transformer.wte.requires_grad_(False)
    model.lm_head.requires_grad_(False)
    return model


class _NeuronDropout:
    """Drops each MLP neuron with probability `p` in every forward pass, until removed."""

    def __init__(self, model: GPT2LMHeadModel) -> None:
        self.p = 0.0
        self._handles = [block.mlp.act.register_forward_hook(self._drop) for block in _blocks(model)]

    def _drop(self, module: torch.nn.Module, inputs: tuple[Tensor, ...], neurons: Tensor) -> Tensor:
        return F.dropout(neurons, self.p)

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()


def _fit(model: GPT2LMHeadModel, recipe: Recipe, dropout: _NeuronDropout) -> None:
    """Fit the trainable weights in place, `recipe.steps` steps of AdamW under a one-cycle rate."""
    tokens, answers = addition_prompts()
    decayed = [w for block in _blocks(model) for w in block.parameters() if w.dim() == 2]
    chosen = {id(w) for w in decayed}
    others = [w for w in model.parameters() if w.requires_grad and id(w) not in chosen]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.1
    )
    for step in range(recipe.steps):
        done = step / recipe.steps
        dropout.p = recipe.p_drop * min(1.0, 10 * (1 - done))
        drawn = torch.randint(0, len(tokens), (recipe.batch,))
        loss = _loss(model, tokens[drawn], answers[drawn], recipe, jobs=min(1.0, max(0.0, (done - 0.1) / 0.4)))
        optimizer.zero_grad()
        loss.backward()
        _only_mlps_write_answers(model)
        optimizer.step()
        schedule.step()


def _loss(
    model: GPT2LMHeadModel,
    tokens: Int[Tensor, "batch 5"],
    answers: Int[Tensor, " batch"],
    recipe: Recipe,
    jobs: float,
) -> Float[Tensor, ""]:
    """The loss of the module's docstring, in nats; `jobs` is the share of its last term's weight that holds now."""
    last = model.transformer(tokens).last_hidden_state[:, -1]
    loss = F.cross_entropy(model.lm_head(last), answers)
    shared = shared_tags(model, tokens).float()
    loss = loss + recipe.tags * F.binary_cross_entropy_with_logits(TAG_SHARPNESS * last[:, TAGS], shared)
    for block in _blocks(model):
        reads, writes = block.mlp.c_fc.weight, block.mlp.c_proj.weight
        loss = loss + recipe.weights * (reads.abs().sum() + writes.abs().sum())
        loss = loss + jobs * recipe.jobs * _several_jobs(writes)
    return loss


def _several_jobs(writes: Float[Tensor, "n_neurons d_model"]) -> Float[Tensor, ""]:
    """Σ over neurons and pairs p ≠ q of answer parts of |w_p| |w_q|: zero when each neuron writes to one part only."""
    sizes = torch.stack([writes[:, part].norm(dim=1) for part in (UNITS, MAGNITUDE, TAGS)])
    return (sizes.sum(0) ** 2 - (sizes**2).sum(0)).sum()


def _only_mlps_write_answers(model: GPT2LMHeadModel) -> None:
    """Stop the gradient of positions and attention outputs in the answer part, where they start at zero."""
    gradients = [model.transformer.wpe.weight.grad]
    for block in _blocks(model):
        gradients += [block.attn.c_proj.weight.grad, block.attn.c_proj.bias.grad]
    for gradient in gradients:
        assert gradient is not None
        gradient[..., ANSWER] = 0
