"""MUTAG: 188 molecules, and whether each is mutagenic; nodes are atoms, their features the kind of atom.

All molecules stand in one graph of many parts, so that one pass runs them all. Debnath et al. (1991); the text format
of Zhang et al.'s DGCNN: per molecule "atoms label", then per atom "kind n neighbours…".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.errors import GraphError
from truescope.gnn.whiteboxes import both_ways

ATOMS = ("C", "N", "O", "F", "I", "Cl", "Br")
"""The kinds of atoms by number."""


@dataclass(frozen=True, eq=False)
class Molecules:
    """Every atom of every molecule, which molecule it is in, and each molecule's class."""

    x: Float[Tensor, "n_atoms n_kinds"]
    edge_index: Int[Tensor, "2 n_arcs"]
    molecule: Int[Tensor, " n_atoms"]
    y: Int[Tensor, " n_molecules"]


def molecules(path: Path) -> Molecules:
    """Read MUTAG.txt. Raises GraphError where it is absent or damaged."""
    try:
        lines = iter(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise GraphError(f"there is no file {path}", fix="name MUTAG.txt") from error
    try:
        kinds, owner, labels, edges = [], [], [], []
        for number in range(int(next(lines))):
            n_atoms, label = map(int, next(lines).split())
            start = len(kinds)
            for atom in range(n_atoms):
                kind, _, *neighbours = map(int, next(lines).split())
                kinds.append(kind)
                owner.append(number)
                edges += [(start + atom, start + other) for other in neighbours]
            labels.append(int(label > 0))
    except (StopIteration, ValueError) as error:
        raise GraphError(f"{path.name} is damaged", why=f"{type(error).__name__}: {error}") from error
    x = torch.nn.functional.one_hot(torch.tensor(kinds), len(ATOMS)).float()
    arcs = torch.from_numpy(both_ways(np.array(edges)))
    return Molecules(x, arcs, torch.tensor(owner), torch.tensor(labels))
