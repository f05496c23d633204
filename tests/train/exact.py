"""A small ReLU model, and its own neurons as a dictionary: what replaces every MLP without changing anything."""

from __future__ import annotations

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from small_models import N_VOCAB
from truescope.activations import Window
from truescope.core import Site
from truescope.dictionaries import Dictionary, Group
from truescope.models import Model


def relu_model(seed: int = 0) -> Model:
    """GPT-2's shape with ReLU: 3 layers, d_model 24, 40 neurons."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=N_VOCAB, n_embd=24, n_layer=3, n_head=4, n_inner=40, n_positions=32, activation_function="relu",
        bos_token_id=0, eos_token_id=1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    hf = GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in hf.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return Model(hf, name="small relu")


def neurons_dictionary(model: Model) -> Dictionary:
    """Every neuron as a feature of a transcoder, k = all of them."""
    groups, biases = [], {}
    for layer in range(model.n_layers):
        up, down = (dict(part.named_parameters()) for part in (model.parts.up(layer), model.parts.down(layer)))
        written = Site("mlp_out", layer)
        groups.append(
            Group(
                reads=Site("mlp_in", layer),
                writes=(written,),
                W_enc=up["weight"].detach().T.contiguous(),
                b_enc=up["bias"].detach(),
                W_dec=down["weight"].detach().contiguous(),
            )
        )
        biases[written] = down["bias"].detach()
    return Dictionary("neurons", "transcoder", "topk", tuple(groups), biases, 40, model.hash)


def random_windows(n: int = 60, length: int = 20, seed: int = 0) -> list[Window]:
    """Documents of random tokens, the first of each special."""
    g = torch.Generator().manual_seed(seed)
    return [Window(torch.randint(1, N_VOCAB, (length - i % 5,), generator=g), 1, i) for i in range(n)]
