"""Evidence for a feature: what it depends on, what it promotes, where it is active."""

from __future__ import annotations

from truescope.explain.dependence import (
    DIGIT_PARTS,
    Grouping,
    GroupingRule,
    digit_dependence,
    digits,
    group_units,
)
from truescope.explain.evidence import domain_evidence, operand_plot, text_evidence
from truescope.explain.logits import direct_effects, token_effects
from truescope.explain.names import focus_tokens, unit_name, visible
from truescope.explain.reading import last_activations, token_activations
from truescope.explain.units import UnitSet

__all__ = [
    "DIGIT_PARTS",
    "Grouping",
    "GroupingRule",
    "UnitSet",
    "digit_dependence",
    "digits",
    "direct_effects",
    "domain_evidence",
    "focus_tokens",
    "group_units",
    "last_activations",
    "operand_plot",
    "text_evidence",
    "token_activations",
    "token_effects",
    "unit_name",
    "visible",
]
