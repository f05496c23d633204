"""Dictionaries of features: the type, its format on disk, the kernels of a training step, simple metrics.

Read in this order: `normalisation`, `dictionary`, `joined`, `files` (on disk), `metrics`; then the training step:
`kernels` (`compiled` for their loops), `gradients`, `cross_layer`, `differentiable`, `optimiser`.
"""

from truescope.dictionaries.dictionary import (
    ACTIVATIONS,
    KINDS,
    Activation,
    Dictionary,
    DictionaryKind,
    Group,
    layer_sites,
)
from truescope.dictionaries.joined import joined
from truescope.dictionaries.metrics import Measured, fvu, measure, pca_fvu
from truescope.dictionaries.normalisation import NORMALISATIONS, Normalisation, NormalisationKind

__all__ = [
    "ACTIVATIONS",
    "KINDS",
    "NORMALISATIONS",
    "Activation",
    "Dictionary",
    "DictionaryKind",
    "Group",
    "Measured",
    "Normalisation",
    "NormalisationKind",
    "fvu",
    "joined",
    "layer_sites",
    "measure",
    "pca_fvu",
]
