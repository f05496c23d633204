"""Axioms for explanations of any model, and the smallest counterexamples to them.

`outrank` scores what no explanation may get wrong: what the model uses outranks what it does not. `checks` has the
axioms of attribution, `functions` the small models they are tried on, `search` finds the smallest case that breaks one.
One set for language models, graph networks and tables.
"""

from __future__ import annotations

from truescope.judge.axioms.checks import AXIOMS, Axiom, Case, Explainer
from truescope.judge.axioms.functions import Function, Term, random_function, random_point
from truescope.judge.axioms.outrank import Outranking, average_precision, outranking
from truescope.judge.axioms.search import Check, Counterexample, check_axiom, check_axioms, find_axiom

__all__ = [
    "AXIOMS",
    "Axiom",
    "Case",
    "Check",
    "Counterexample",
    "Explainer",
    "Function",
    "Outranking",
    "Term",
    "average_precision",
    "check_axiom",
    "check_axioms",
    "find_axiom",
    "outranking",
    "random_function",
    "random_point",
]
