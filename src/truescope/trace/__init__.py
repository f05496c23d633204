"""Attribution graphs: which units, tokens and constants an answer came from, with every number accounted for.

Read in this order: `record` (what the model computes), `replacement`, `neurons` and `dictionaries` (what
stands in for the MLPs),
`sources` (the columns), `targets` and `explore` (the rows), `rows` (influence), `prune` (what is kept, and the bounds),
`attribute` (all of it), `files`. `patching` scores nodes by gradients and interventions instead.
"""

from truescope.trace.attribute import Trace, UnitScores, trace_graph
from truescope.trace.dictionaries import DictionaryReplacement
from truescope.trace.files import load_graph, load_units, save_graph
from truescope.trace.neurons import NeuronReplacement
from truescope.trace.replacement import LocalReplacement, Replacement, Units

__all__ = [
    "DictionaryReplacement",
    "LocalReplacement",
    "NeuronReplacement",
    "Replacement",
    "Trace",
    "UnitScores",
    "Units",
    "load_graph",
    "load_units",
    "save_graph",
    "trace_graph",
]
