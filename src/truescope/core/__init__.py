"""The nouns, their ids and the error tree. Importing this room imports neither torch nor numpy.

Read in this order: `errors`, `ids`, `sites`, `interventions`, `dictionaries`, `features`, `graphs`, `evidence`,
`claims`, `wording`, `render`.
"""

from truescope.core.claims import (
    Claim,
    ControlPlan,
    ControlResult,
    DosePoint,
    Prediction,
    Score,
    Status,
    Verdict,
    claim_type,
)
from truescope.core.dictionaries import Dictionary
from truescope.core.errors import (
    ClaimError,
    DictionaryError,
    FamilyError,
    GraphError,
    InterventionError,
    ModelError,
    PromptError,
    SiteError,
    StoreError,
    SurfaceError,
    TableError,
    TruescopeError,
    UsageError,
    nearest,
)
from truescope.core.evidence import MIN_DOSES, ClaimType, ControlKind, EvidenceLevel, lacking
from truescope.core.features import Evidence, Example, Feature
from truescope.core.graphs import Graph, Node, NodeKind
from truescope.core.ids import canonical_json, content_id
from truescope.core.interventions import EDIT_KINDS, EditKind, Intervention
from truescope.core.sites import GLOBAL_KINDS, LAYER_KINDS, Site
from truescope.core.wording import Finding, lint, sentence

__all__ = [
    "EDIT_KINDS",
    "GLOBAL_KINDS",
    "LAYER_KINDS",
    "MIN_DOSES",
    "Claim",
    "ClaimError",
    "ClaimType",
    "ControlKind",
    "ControlPlan",
    "ControlResult",
    "Dictionary",
    "DictionaryError",
    "DosePoint",
    "EditKind",
    "Evidence",
    "EvidenceLevel",
    "Example",
    "FamilyError",
    "Feature",
    "Finding",
    "Graph",
    "GraphError",
    "Intervention",
    "InterventionError",
    "ModelError",
    "Node",
    "NodeKind",
    "Prediction",
    "PromptError",
    "Score",
    "Site",
    "SiteError",
    "Status",
    "StoreError",
    "SurfaceError",
    "TableError",
    "TruescopeError",
    "UsageError",
    "Verdict",
    "canonical_json",
    "claim_type",
    "content_id",
    "lacking",
    "lint",
    "nearest",
    "sentence",
]
