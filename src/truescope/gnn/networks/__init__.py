"""A graph network as its explainers see it: on one graph, step by step, and left as it was.

Read in this order: `subject` (a model on one graph), `untouched` (what puts it back), `chain`, `layers` and `unroll`
(its steps), `trees` (the steps behind each node, side by side), `neighbourhoods` (the part of the graph that a node
reads). For a model whose steps are not known: `rows`, `backward_steps`, `backward_record`, `row_backward` and
`any_model` (gradients of many nodes from autograd's record of a few runs).
"""

from truescope.gnn.networks.chain import Chain, Convolution, Gate, Head, Record, Term
from truescope.gnn.networks.neighbourhoods import Neighbourhood, count_hops, neighbourhood
from truescope.gnn.networks.subject import Subject
from truescope.gnn.networks.trees import Trees
from truescope.gnn.networks.unroll import NoChain, unroll
from truescope.gnn.networks.untouched import untouched

__all__ = [
    "Chain",
    "Convolution",
    "Gate",
    "Head",
    "Neighbourhood",
    "NoChain",
    "Record",
    "Subject",
    "Term",
    "Trees",
    "count_hops",
    "neighbourhood",
    "unroll",
    "untouched",
]
