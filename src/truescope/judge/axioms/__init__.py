"""Axioms for explanations of any model, and the counterexamples to them.

`outrank` scores what no explanation may get wrong: what the model uses outranks what it does not. One scorer for
language models, graph networks and tables.
"""

from __future__ import annotations

from truescope.judge.axioms.outrank import Outranking, outranking

__all__ = ["Outranking", "outranking"]
