"""Attribution graphs: which units, tokens and constants an answer came from, with every number accounted for.

Read in this order: `record` (what the model computes), `replacement`, `neurons`, `dictionaries` (what stands in for
the MLPs) and `autoencoders` (what stands at other sites), `sources` (the columns), `targets` and `explore` (the rows),
`rows` (influence), `prune` (what is kept, and the bounds), `attribute` (all of it), `files`. Beside it: `direct` (every
edge, unpruned), `choices` (why heads attend where they do), `patching` (scores of nodes and edges by gradients and
interventions).
"""

from truescope.trace.attribute import Trace, UnitScores, trace_graph
from truescope.trace.autoencoders import AutoencoderReplacement
from truescope.trace.choices import Choice, Glance, attribute_choices
from truescope.trace.dictionaries import DictionaryReplacement
from truescope.trace.direct import DirectEffects, direct_effects
from truescope.trace.files import load_graph, load_units, save_graph
from truescope.trace.neurons import NeuronReplacement
from truescope.trace.replacement import LocalReplacement, Replacement, Units

__all__ = [
    "AutoencoderReplacement",
    "Choice",
    "DictionaryReplacement",
    "DirectEffects",
    "Glance",
    "LocalReplacement",
    "NeuronReplacement",
    "Replacement",
    "Trace",
    "UnitScores",
    "Units",
    "attribute_choices",
    "direct_effects",
    "load_graph",
    "load_units",
    "save_graph",
    "trace_graph",
]
