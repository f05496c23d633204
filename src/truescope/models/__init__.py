"""Any Hugging Face causal language model, run with plain PyTorch hooks.

Read in this order: `families` (where sites lie), `parts` and `places` (modules by those names), `edits` and `passes`
(one forward pass that reads and edits), `attention` (patterns), `model`, `tail` (the last position again and again),
`folders`, `load` and `weights` (from files), `text` (tokens), `frozen` (the frozen forward of graphs).
"""

from truescope.models.attention import AttentionStep, attention_steps
from truescope.models.families import FAMILIES, Family, family_of
from truescope.models.model import Model, Run
from truescope.models.tail import Tail
from truescope.models.weights import weights_hash

__all__ = [
    "FAMILIES",
    "AttentionStep",
    "Family",
    "Model",
    "Run",
    "Tail",
    "attention_steps",
    "family_of",
    "weights_hash",
]
