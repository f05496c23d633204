"""Real graphs, read from a folder that is named: nothing is downloaded, nothing unpickled unrestricted.

Read in this order: `facebook` (social networks with named features).
"""

from truescope.gnn.data.facebook import LOCAL_INFO, NamedGraph, combined_edges, ego_network, facebook100

__all__ = ["LOCAL_INFO", "NamedGraph", "combined_edges", "ego_network", "facebook100"]
