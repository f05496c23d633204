"""`compile_program`: the whole way from a program to a model of which everything is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from truescope.core.errors import UsageError
from truescope.core.graphs import NodeKind
from truescope.truth.compiled.ablation import ABLATED_KINDS, NEEDED, ablation_effects
from truescope.truth.compiled.derivation import true_graph
from truescope.truth.compiled.directions import Directions
from truescope.truth.compiled.graph import TrueGraph
from truescope.truth.compiled.layout import Layout, lay_out
from truescope.truth.compiled.program import Program
from truescope.truth.compiled.weights import Norms, build, build_tokenizer


@dataclass(frozen=True, eq=False)
class Compiled:
    """A program as a stock GPT-2 with relu neurons, and all that is known of it.

    ``model`` and ``tokenizer`` go into `truescope.models.Model`; ``directions`` names the coordinates of the residual
    stream, ``layout`` the heads and neurons.
    """

    program: Program
    norms: Norms
    model: GPT2LMHeadModel
    tokenizer: PreTrainedTokenizerFast
    directions: Directions
    layout: Layout

    @property
    def name(self) -> str:
        """The program's name and the variant."""
        return f"{self.program.name}-{self.norms}"

    def token_ids(self, tokens: Sequence[str]) -> Int[Tensor, " pos"]:
        """Ids of tokens, ``<bos>`` among them.

        Raises:
            UsageError: a token is not in the vocabulary.
        """
        known = {token: i for i, token in enumerate(self.program.vocabulary)}
        strange = [token for token in tokens if token not in known]
        if strange:
            raise UsageError(
                f"program {self.program.name!r} has no token {strange[0]!r}", fix=f"it knows {' '.join(known)}"
            )
        return torch.tensor([known[token] for token in tokens])

    @torch.no_grad()
    def logits(self, prompts: Sequence[Sequence[str]]) -> Float[Tensor, "prompt pos vocab"]:
        """The model's logits on prompts of one length."""
        return self.model(torch.stack([self.token_ids(prompt) for prompt in prompts])).logits

    def answers(self, prompts: Sequence[Sequence[str]]) -> list[list[str]]:
        """The model's most probable token at each position from 1 on."""
        best = self.logits(prompts)[:, 1:].argmax(-1)
        return [[self.program.vocabulary[i] for i in row] for row in best.tolist()]

    def truth(
        self, prompt_tokens: Sequence[str], targets: Sequence[str] | None = None, variables_at: str | None = None
    ) -> TrueGraph:
        """What is true of the model on a prompt (``<bos>`` first); ``targets`` are by default the answer alone.

        With ``variables_at`` ("mlp_out" or "resid_post") the units are not neurons but the features of
        `exact_autoencoder` at this site of every layer.
        """
        return true_graph(self.layout, prompt_tokens, targets, variables_at)

    def effects(self, prompt_tokens: Sequence[str], targets: Sequence[str] | None = None) -> dict[str, float]:
        """What silencing a node alone does to the targets: the largest change of their demeaned logits.

        For every active neuron, head, token and position embedding, by node id; 0.01 and more counts as a change.
        """
        true = self.truth(prompt_tokens, targets)
        nodes = [node for node in true.nodes if node.kind in ABLATED_KINDS]
        nodes = [node for node in nodes if node.kind != NodeKind.CONSTANT or node.layer == -1]
        ids = [true.node(target).index for target in true.targets]
        found = ablation_effects(self.model, self.directions, self.token_ids(prompt_tokens), nodes, ids)
        return {node.id: effect for node, effect in zip(nodes, found.tolist(), strict=True)}

    def needed(self, prompt_tokens: Sequence[str], targets: Sequence[str] | None = None) -> frozenset[str]:
        """The nodes without which the targets' logits change on this prompt."""
        effects = self.effects(prompt_tokens, targets)
        return frozenset(node for node, effect in effects.items() if effect >= NEEDED)

    def used(self, prompt_tokens: Sequence[str], targets: Sequence[str] | None = None) -> frozenset[str]:
        """The nodes that take part in the targets' logits on this prompt: on a path to them, or needed.

        A redundant part is on a path, though not needed. A part that keeps a neuron silent is needed, though on no path
        of active nodes.
        """
        return self.truth(prompt_tokens, targets).on_path | self.needed(prompt_tokens, targets)

    def used_parts(self, prompts: Iterable[Sequence[str]]) -> frozenset[tuple[str, int, int]]:
        """The neurons and heads, as (kind, layer, index), that are used at some position on some of the prompts."""
        parts = set()
        for prompt in prompts:
            known = {node.id: node for node in self.truth(prompt).nodes}
            used = [known[node] for node in self.used(prompt)]
            parts |= {(node.kind, node.layer, node.index) for node in used if node.kind in ("unit", "head")}
        return frozenset(parts)


def compile_program(program: Program, norms: Norms = "identity", *, decoys: bool = True) -> Compiled:
    """Compile a program: places → parts → named directions → weights.

    ``norms`` is "identity" (norm modules replaced by identities) or "balanced" (real LayerNorms, their denominators
    constant). With ``decoys`` there are heads and neurons that read and are active, but are read by nothing.
    In the manner of Tracr: Lindner et al., "Tracr: Compiled Transformers as a Laboratory for Interpretability", 2023.
    """
    layout = lay_out(program, decoys)
    model, directions = build(layout, norms)
    return Compiled(program, norms, model, build_tokenizer(layout), directions, layout)
