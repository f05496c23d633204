"""Dictionaries of features: architectures, the kernels of a training step, simple metrics, foreign formats."""
