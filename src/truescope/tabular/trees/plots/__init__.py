"""Trees as pictures: SVG of our own, for a page, a notebook or a printer; readable without colour, and in words.

Read in this order: `svg` (shapes), `drawing` (the tree), `panels` (what stands around it), `figures`, `card`.
"""

from truescope.tabular.trees.plots.card import pocket_card
from truescope.tabular.trees.plots.figures import PARTS, plot
from truescope.tabular.trees.plots.svg import Figure

__all__ = ["PARTS", "Figure", "plot", "pocket_card"]
