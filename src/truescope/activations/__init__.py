"""Texts in, activations out: what dictionaries are trained on and examples are drawn from.

Read in this order: `texts` (a file into documents), `windows` (documents into prompts), `harvest`.
"""

from truescope.activations.harvest import Activations, harvest, needed_bytes
from truescope.activations.texts import read_texts
from truescope.activations.windows import Batch, Window, batches, cut_windows, hold_out, pad

__all__ = [
    "Activations",
    "Batch",
    "Window",
    "batches",
    "cut_windows",
    "harvest",
    "hold_out",
    "needed_bytes",
    "pad",
    "read_texts",
]
