"""Texts in, activations out: what dictionaries are trained on and examples are drawn from."""

from truescope.activations.texts import read_texts

__all__ = ["read_texts"]
