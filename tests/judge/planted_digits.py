"""A GPT-2 whose every neuron is written by hand: it copies its last token, the number 10·t + u, by two separate groups.

Prompts are [a, b]; the answer is b; attention is switched off. Ten units neurons in layer 0 and ten magnitude neurons
in layer 1 fire on one digit of b each and write that digit to the answer's part of the stream. In each layer 40 idle
neurons fire on random digits just as strongly and write nothing. Small priors in the unembedding say which number is
answered when a digit is missing: the one in the middle.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from truescope.core.features import Feature
from truescope.explain import UnitSet, last_activations
from truescope.judge import NumberTask, Statement, token_numbers
from truescope.models import Model
from truescope.statistics import UnitStatistics, split_half

N_IDLE = 40
IN_UNITS, IN_TENS, OUT_UNITS, OUT_TENS, CONSTANT = 0, 10, 20, 30, 40
D_MODEL = 44

UNITS_GROUP = [Feature(0, i) for i in range(10)]
MAGNITUDE_GROUP = [Feature(1, i) for i in range(10)]
IDLE_GROUP = [Feature(layer, 10 + i) for layer in (0, 1) for i in range(10)]


def planted_model(seed: int = 0) -> Model:
    """The copying model; ``seed`` chooses what the idle neurons fire on."""
    n_inner = 10 + N_IDLE
    config = GPT2Config(
        vocab_size=101,
        n_positions=4,
        n_embd=D_MODEL,
        n_layer=2,
        n_head=1,
        n_inner=n_inner,
        activation_function="relu",
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    hf = GPT2LMHeadModel(config)
    rng = np.random.default_rng(seed)
    number = torch.arange(100)
    with torch.no_grad():
        for name, parameter in hf.named_parameters():
            parameter.fill_(1.0 if "ln_" in name and name.endswith("weight") else 0.0)
        hf.transformer.wte.weight[number, IN_UNITS + number % 10] = 1.0
        hf.transformer.wte.weight[number, IN_TENS + number // 10] = 1.0
        hf.transformer.wte.weight[:, CONSTANT] = 1.0
        hf.lm_head.weight[number, OUT_UNITS + number % 10] = 1.0
        hf.lm_head.weight[number, OUT_TENS + number // 10] = 1.0
        middle = 0.02 * (number % 10 - 4.4).abs() + 0.02 * (number // 10 - 4.4).abs()
        hf.lm_head.weight[number, CONSTANT] = -middle
        hf.lm_head.weight[100, CONSTANT] = -10.0
        stream = hf.transformer.wte.weight[0].clone()
        for block, start, out in zip(hf.transformer.h, (IN_UNITS, IN_TENS), (OUT_UNITS, OUT_TENS), strict=True):
            # The stream's values are the same numbers in another order for every token, and so are the norm's.
            normed = torch.nn.functional.layer_norm(stream, (D_MODEL,))
            hot, cold = normed[start], normed[start + 1]
            read, bias, write = map(block.get_parameter, ("mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight"))
            for i in range(n_inner):
                dim = start + i if i < 10 else int(rng.integers(20))
                read[dim, i] = 1.0 / (hot - cold)
                bias[i] = -cold / (hot - cold) - 0.3
            for i in range(10):
                write[i, out + i] = 2.0
            stream[out] = 2.0 * 0.7
    return Model(hf, name="planted digits")


def planted_prompts() -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """All 10,000 prompts [a, b], with a and b."""
    first, second = (g.ravel() for g in np.meshgrid(np.arange(100), np.arange(100), indexing="ij"))
    return torch.from_numpy(np.stack([first, second], axis=1)), first, second


def planted_statement(model: Model, *, seed: int = 0, n: int = 10_000, n_controls: int = 100) -> Statement:
    """What the claims about the model share, with the prompts split in halves by ``seed``."""
    tokens, _, second = planted_prompts()
    grouping, judging = split_half(10_000, seed)
    grouping, judging = grouping[:n], judging[:n]
    units = UnitStatistics.measure(last_activations(model, tokens[torch.from_numpy(grouping)]), UnitSet(model).every())
    numbers = token_numbers([*map(str, range(100)), "end"])
    task = NumberTask(tokens[torch.from_numpy(judging)], second[judging], numbers)
    return Statement(model.hash, task, units, {"rule": "planted"}, seed, 10_000, n_controls=n_controls)
