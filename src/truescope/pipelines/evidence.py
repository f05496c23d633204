"""What is known of a graph's units: over the built-in world's whole domain, a corpus, or the prompt alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from truescope.core.features import Evidence, Feature
from truescope.core.graphs import Graph, NodeKind
from truescope.dictionaries import Dictionary
from truescope.explain import UnitSet, digit_dependence, domain_evidence, last_activations, text_evidence
from truescope.models import Model

N_TEXTS = 200
"""Examples are looked for in this many documents at most."""


def units_of(graph: Graph) -> list[Feature]:
    """The units that the graph shows, each once, whatever the position."""
    return sorted({Feature(node.layer, node.index) for node in graph.nodes if node.kind is NodeKind.UNIT})


@dataclass(frozen=True)
class Domain:
    """The built-in world's whole domain, 10,000 prompts "a+b=", and every unit's activation at the last position."""

    tokens: Int[torch.Tensor, "n_prompts pos"]
    answers: Int[torch.Tensor, " n_prompts"]
    first: Int[np.ndarray, " n_prompts"]
    second: Int[np.ndarray, " n_prompts"]
    activations: Float[np.ndarray, "n_prompts n_units"]
    units: tuple[Feature, ...]
    dictionary: Dictionary | None = None

    @staticmethod
    def of(model: Model, dictionary: Dictionary | None = None) -> Domain:
        """Run the model over the whole domain; units are its neurons, or the features of ``dictionary``."""
        from truescope.truth.addition import addition_prompts

        tokens, answers = addition_prompts()
        n = 100
        first, second = np.divmod(np.arange(n * n), n)
        seen = last_activations(model, tokens, dictionary=dictionary)
        units = tuple(UnitSet(model, dictionary).every())
        return Domain(tokens, answers, first, second, seen, units, dictionary)

    @cached_property
    def dependence(self) -> dict[str, Float[np.ndarray, " n_units"]]:
        """Each unit's dependence on the parts of the input, over the whole domain (for show; groups use one half)."""
        return digit_dependence(self.activations, self.first, self.second)

    def evidence(self, model: Model, features: Sequence[Feature]) -> list[Evidence]:
        """The evidence of ``features``, with operand plots."""
        return domain_evidence(
            model,
            self.tokens,
            self.activations,
            self.units,
            features=features,
            dictionary=self.dictionary,
            operands=(self.first, self.second),
            dependence=self.dependence,
        )


def prompt_evidence(
    model: Model, graph: Graph, texts: Sequence[str] | None, dictionary: Dictionary | None = None
) -> list[Evidence]:
    """The evidence of a graph's units over ``texts``; where none are given, over the graph's own prompt alone."""
    prompts = [torch.tensor(graph.token_ids)]
    if texts:
        cut = {"truncation": True, "max_length": model.context, "return_tensors": "pt"}
        prompts = [model.tokenizer(text, **cut).input_ids[0] for text in texts[:N_TEXTS]]
    return text_evidence(model, prompts, units_of(graph), dictionary=dictionary)
