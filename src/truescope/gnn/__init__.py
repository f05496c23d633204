"""Graph networks: white boxes whose mechanism is known, explainers of any PyTorch Geometric model, and the benchmark.

Read `whiteboxes` first (what is true), then `explainers` (what is said), then `benchmark` (how far they agree); `data`,
`training` and `subjects` bring real graphs, `audit` asks explainers for a dependence that was planted, `fidelity` takes
away what they name, and `axiom_checks` puts them through the judge's axioms.
"""

from truescope.gnn.audit import AUDITED, NOTICED, STRENGTHS, Audit, Dose, Effect, audit_feature, doses_of
from truescope.gnn.axiom_checks import CHECKED, axioms_of
from truescope.gnn.fidelity import Fidelity, fidelity, stability
from truescope.gnn.subjects import NAMED, find_subject, molecule_subject, social_subject, user_subject
from truescope.gnn.training import (
    NETWORK_KINDS,
    MoleculeNetwork,
    Trained,
    TwoLayerNetwork,
    build_molecule_network,
    build_network,
    train_network,
)

__all__ = [
    "AUDITED",
    "CHECKED",
    "NAMED",
    "NETWORK_KINDS",
    "NOTICED",
    "STRENGTHS",
    "Audit",
    "Dose",
    "Effect",
    "Fidelity",
    "MoleculeNetwork",
    "Trained",
    "TwoLayerNetwork",
    "audit_feature",
    "axioms_of",
    "build_molecule_network",
    "build_network",
    "doses_of",
    "fidelity",
    "find_subject",
    "molecule_subject",
    "social_subject",
    "stability",
    "train_network",
    "user_subject",
]
