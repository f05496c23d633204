"""Models whose mechanism is known: compiled transformers, and small trained worlds with a built-in shape.

    from truescope.truth import compile_program, named_programs, prompts

    program = named_programs()["two_hop"]                   # data: steps that select, aggregate, count or map
    compiled = compile_program(program, norms="balanced")   # or "identity"; a GPT2LMHeadModel with named directions
    prompt = ("<bos>", "Dallas", "capital")                 # or prompts(program, n=20, seed=0)
    model = truescope.models.Model(compiled.model, compiled.tokenizer, name=compiled.name)
    tokens = compiled.token_ids(prompt)                     # or model.tokens("Dallas capital")
    true = compiled.truth(prompt)                           # by default of the answer's logit at the last position

``true.nodes`` have the ids that attribution graphs give theirs (``core.Node.id``: "unit.<layer>.<index>.<pos>",
"token.<pos>.<id>", "constant.<name>.<layer>.<pos>", "logit.<id>.<pos>"), and heads "head.<layer>.<index>.<pos>".
``true.value_edges`` (source, target, weight, via) are what a graph with frozen attention must find, weight by weight;
those with ``on_value_path`` lead to the answer, the others into decoys or into attention choices alone.
``true.choice_edges`` (query_source, key_source, head, query, key, weight) are the terms of the attention scores.

Dictionaries: ``exact_transcoders(compiled)`` and ``exact_autoencoder(compiled, site)`` give `KnownFeatures` (matrices
laid out as a ``truescope.dictionaries.Group``), which `rotated`, `shuffled` and `random_like` spoil; `randomised` is
the model with its weights shuffled. ``collapse(compiled)`` gives two exact dictionaries of one chain, with and without
its second hop. Nodes: ``compiled.used(prompt)`` and ``compiled.needed(prompt)``; see docs/truth.md.

Read `compiled/` in the order its `__init__` says. Trained worlds are modules that also train anew (``python -m``):
`addition`; `sorter` and `induction`, on `tokens` and `attention_only`, whose `facts` can be checked.
"""

from truescope.truth.compiled.collapse import Collapse, collapse
from truescope.truth.compiled.compiling import Compiled, compile_program
from truescope.truth.compiled.dictionaries import (
    KnownFeatures,
    exact_autoencoder,
    exact_transcoders,
    random_like,
    randomised,
    rotated,
    shuffled,
)
from truescope.truth.compiled.directions import Directions
from truescope.truth.compiled.graph import ChoiceEdge, TrueGraph, TrueNode, ValueEdge
from truescope.truth.compiled.interpreter import answers, inputs, interpret, prompts
from truescope.truth.compiled.layout import Layout
from truescope.truth.compiled.named import named_programs
from truescope.truth.compiled.parts import Head, Neuron
from truescope.truth.compiled.program import Aggregate, Draft, Map, Mean, Program, Select, Width
from truescope.truth.compiled.random_programs import random_program
from truescope.truth.facts import CheckedFact, Fact

__all__ = [
    "Aggregate",
    "CheckedFact",
    "ChoiceEdge",
    "Collapse",
    "Compiled",
    "Directions",
    "Draft",
    "Fact",
    "Head",
    "KnownFeatures",
    "Layout",
    "Map",
    "Mean",
    "Neuron",
    "Program",
    "Select",
    "TrueGraph",
    "TrueNode",
    "ValueEdge",
    "Width",
    "answers",
    "collapse",
    "compile_program",
    "exact_autoencoder",
    "exact_transcoders",
    "inputs",
    "interpret",
    "named_programs",
    "prompts",
    "random_like",
    "random_program",
    "randomised",
    "rotated",
    "shuffled",
]
