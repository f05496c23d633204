"""Real graphs, read from a folder that is named: nothing is downloaded, nothing unpickled unrestricted.

Read in this order: `facebook` (social networks with named features), `planetoid` (citation graphs), `mutag`
(molecules).
"""

from truescope.gnn.data.facebook import LOCAL_INFO, NamedGraph, combined_edges, ego_network, facebook100
from truescope.gnn.data.mutag import ATOMS, Molecules, molecules
from truescope.gnn.data.planetoid import ArrayUnpickler, CitationGraph, citation_graph

__all__ = [
    "ATOMS",
    "LOCAL_INFO",
    "ArrayUnpickler",
    "CitationGraph",
    "Molecules",
    "NamedGraph",
    "citation_graph",
    "combined_edges",
    "ego_network",
    "facebook100",
    "molecules",
]
