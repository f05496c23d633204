"""Graph networks: white boxes whose mechanism is known, explainers of any PyTorch Geometric model, and the benchmark.

Read `whiteboxes` first (what is true), then `explainers` (what is said), then `benchmark` (how far they agree); `data`,
`training` and `subjects` bring real graphs, `audit` asks explainers for a dependence that was planted.
"""

from truescope.gnn.audit import AUDITED, NOTICED, STRENGTHS, Audit, Dose, Effect, audit_feature, doses_of
from truescope.gnn.subjects import NAMED, find_subject, social_subject, user_subject
from truescope.gnn.training import NETWORK_KINDS, Trained, TwoLayerNetwork, build_network, train_network

__all__ = [
    "AUDITED",
    "NAMED",
    "NETWORK_KINDS",
    "NOTICED",
    "STRENGTHS",
    "Audit",
    "Dose",
    "Effect",
    "Trained",
    "TwoLayerNetwork",
    "audit_feature",
    "build_network",
    "doses_of",
    "find_subject",
    "social_subject",
    "train_network",
    "user_subject",
]
