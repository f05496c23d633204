"""From a layout to a stock GPT-2 with relu neurons, in two variants.

"identity": its norm modules are made identities.

"balanced": its LayerNorms stay, held constant by directions that do nothing else. Two hold +B and −B at every position,
and each variable has one that takes the negative of everything written to it; so the mean is 0 and the denominator
σ = √((2B² + Σ x²) / d) is constant but for a share Σ x² / 4B² < 1e-5. One more, never written, takes the negative of
what each reader reads, so that no rounding of the mean reaches a reader. A norm's gain is σ, and 0 on what is balance.
This variant is an ordinary checkpoint: `AutoModelForCausalLM` loads it from safetensors.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from truescope.truth.compiled.directions import HIGH, LOW, READ, Directions
from truescope.truth.compiled.layout import Layout
from truescope.truth.compiled.parts import Head, Neuron
from truescope.truth.tokens import word_tokenizer

Norms = Literal["identity", "balanced"]
BALANCE = 4096.0


def build(layout: Layout, norms: Norms) -> tuple[GPT2LMHeadModel, Directions]:
    """The model of a layout, and the names of its residual directions."""
    directions = Directions.of(layout.program, layout.n_decoys, balanced=norms == "balanced")
    d_head = max([1, *(head.width for head in layout.heads)])
    per_layer = [sum(head.layer == layer for head in layout.heads) for layer in range(layout.n_layers)]
    n_heads = max(1, *per_layer, math.ceil(len(directions) / d_head))
    directions = directions.padded(n_heads * d_head)
    model = _empty(layout, n_heads, len(directions))
    write = Writer(directions)
    with torch.no_grad():
        _embeddings(model, layout, write)
        for head in layout.heads:
            _attention(model.transformer.h[head.layer].attn, head, write, d_head)
        for neuron in layout.neurons:
            _neuron(model.transformer.h[neuron.layer].mlp, neuron, write)
        for i, token in enumerate(layout.program.vocabulary):
            model.lm_head.weight[i] = write.reading(layout.logit_reads(token))
        _norms(model, layout, write.directions)
    return model.eval().requires_grad_(False), directions


def build_tokenizer(layout: Layout) -> PreTrainedTokenizerFast:
    """Tokens are words between spaces."""
    return word_tokenizer(layout.program.vocabulary, layout.program.n_pos + 1)


class Writer:
    """Vectors over the directions: what reads names, and what writes them, each with its share of the balance."""

    def __init__(self, directions: Directions) -> None:
        self.directions = directions

    def _vector(self, coefficients: Mapping[str, float]) -> Float[Tensor, " d_model"]:
        vector = torch.zeros(len(self.directions))
        for name, coefficient in coefficients.items():
            vector[self.directions.index(name)] += coefficient
        return vector

    def reading(self, coefficients: Mapping[str, float]) -> Float[Tensor, " d_model"]:
        vector = self._vector(coefficients)
        if self.directions.balanced:
            vector[self.directions.index(READ)] = -vector.sum()
        return vector

    def writing(self, coefficients: Mapping[str, float]) -> Float[Tensor, " d_model"]:
        vector = self._vector(coefficients)
        for name, coefficient in coefficients.items():
            balance = self.directions.balance_of(name)
            if balance is not None:
                vector[self.directions.index(balance)] -= coefficient
        return vector


def _empty(layout: Layout, n_heads: int, d_model: int) -> GPT2LMHeadModel:
    n_neurons = [sum(neuron.layer == layer for neuron in layout.neurons) for layer in range(layout.n_layers)]
    config = GPT2Config(
        vocab_size=len(layout.program.vocabulary),
        n_positions=layout.program.n_pos + 1,
        n_embd=d_model,
        n_layer=layout.n_layers,
        n_head=n_heads,
        n_inner=max(1, *n_neurons),
        activation_function="relu",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        model = GPT2LMHeadModel(config)
    for weight in model.parameters():
        weight.data.zero_()
    return model


def _embeddings(model: GPT2LMHeadModel, layout: Layout, write: Writer) -> None:
    wte, wpe = model.transformer.wte.weight, model.transformer.wpe.weight
    for i, token in enumerate(layout.program.vocabulary):
        wte[i] = write.writing(layout.token_writes(token))
    for position in range(layout.program.n_pos + 1):
        wpe[position] = write.writing(layout.position_writes(position))
    if write.directions.balanced:
        wpe[:, write.directions.index(HIGH)] = BALANCE
        wpe[:, write.directions.index(LOW)] = -BALANCE


def _attention(attn: Any, head: Head, write: Writer, d_head: int) -> None:
    """Fill one head's columns of GPT-2's joint projection [d_model, 3·d_model], and its rows of the output's."""
    joint, bias, out = attn.c_attn.weight, attn.c_attn.bias, attn.c_proj.weight
    width, at = joint.shape[0], head.index * d_head
    # GPT-2 divides scores by √d_head.
    scale = math.sqrt(d_head)
    for j, reads in _by_coordinate(head.query).items():
        joint[:, at + j] = scale * write.reading(reads)
    for j, coefficient in head.query_bias.items():
        bias[at + j] = scale * coefficient
    for j, reads in _by_coordinate(head.key).items():
        joint[:, width + at + j] = write.reading(reads)
    for j, to in enumerate(head.carried):
        joint[:, 2 * width + at + j] = write.reading(
            {source: factor for source, end, factor in head.moves if end == to}
        )
        out[at + j] = write.writing({to: 1.0})


def _by_coordinate(feeds: Mapping[str, Mapping[int, float]]) -> dict[int, dict[str, float]]:
    reads: dict[int, dict[str, float]] = defaultdict(dict)
    for name, coordinates in feeds.items():
        for j, coefficient in coordinates.items():
            reads[j][name] = coefficient
    return reads


def _neuron(mlp: Any, neuron: Neuron, write: Writer) -> None:
    mlp.c_fc.weight[:, neuron.index] = write.reading(neuron.reads)
    mlp.c_fc.bias[neuron.index] = neuron.bias
    mlp.c_proj.weight[neuron.index] = write.writing(neuron.writes)


def _norms(model: GPT2LMHeadModel, layout: Layout, directions: Directions) -> None:
    transformer = model.transformer
    if not directions.balanced:
        for block in transformer.h:
            block.ln_1, block.ln_2 = nn.Identity(), nn.Identity()
        transformer.ln_f = nn.Identity()
        return
    balancing = [i for i, name in enumerate(directions.names) if name.startswith("balance") and name != READ]
    # Token, position and one are there from the start; each variable then adds a 1 and its balance.
    n, expected = 3, []
    for layer in range(layout.n_layers):
        heads = {head.step for head in layout.heads if head.layer == layer}
        maps = {neuron.step for neuron in layout.neurons if neuron.layer == layer}
        expected += [n, n + len(heads)]
        n += len(heads) + len(maps)
    norms: list[Any] = [norm for block in transformer.h for norm in (block.ln_1, block.ln_2)]
    for norm, n_variables in zip([*norms, transformer.ln_f], [*expected, n], strict=True):
        norm.weight.fill_(math.sqrt((2 * BALANCE**2 + 2 * n_variables) / len(directions) + norm.eps))
        norm.weight[balancing] = 0.0
