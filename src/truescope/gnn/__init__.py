"""Graph networks: white boxes whose mechanism is known, explainers of any PyTorch Geometric model, and the benchmark.

Read `networks` first (what is explained), then `whiteboxes` (what is true), `explainers` (what is said), and
`benchmark` (how far they agree). `data`, `training` and `subjects` bring real graphs, `audit` asks explainers for a
dependence that was planted, `fidelity` takes away what they name, and `axiom_checks` puts them through the judge's
axioms. `bridge` makes sparse features of a network's hidden layer, and `bridge_claims` judges them.
"""

from truescope.gnn.audit import AUDITED, NOTICED, STRENGTHS, Audit, Dose, Effect, audit_feature, doses_of
from truescope.gnn.axiom_checks import CHECKED, axioms_of
from truescope.gnn.bridge import HIDDEN, HiddenLayer, NodeDictionary, NodeFeature, train_node_dictionary
from truescope.gnn.bridge_claims import (
    judge_naming_claim,
    judge_suppression_claim,
    matched_directions,
    naming_claim,
    suppression_claim,
)
from truescope.gnn.fidelity import Fidelity, Stability, fidelity, stability
from truescope.gnn.subjects import (
    NAMED,
    UserGraph,
    find_subject,
    molecule_subject,
    social_subject,
    user_graph,
    user_subject,
)
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
    "HIDDEN",
    "NAMED",
    "NETWORK_KINDS",
    "NOTICED",
    "STRENGTHS",
    "Audit",
    "Dose",
    "Effect",
    "Fidelity",
    "HiddenLayer",
    "MoleculeNetwork",
    "NodeDictionary",
    "NodeFeature",
    "Stability",
    "Trained",
    "TwoLayerNetwork",
    "UserGraph",
    "audit_feature",
    "axioms_of",
    "build_molecule_network",
    "build_network",
    "doses_of",
    "fidelity",
    "find_subject",
    "judge_naming_claim",
    "judge_suppression_claim",
    "matched_directions",
    "molecule_subject",
    "naming_claim",
    "social_subject",
    "stability",
    "suppression_claim",
    "train_network",
    "train_node_dictionary",
    "user_graph",
    "user_subject",
]
