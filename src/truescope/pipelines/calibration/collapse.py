"""The collapse test: when does a cross-layer transcoder report a chain of hops as a single one?

A chain of depth D is a Boolean formula of D gates, ((b₁ ∘ b₂) ∘ b₃) ∘ …, one gate a layer, all bits brought to the last
position by the first layer's heads. The *collapsed* CLT has one feature of layer 0 for each case of the bits, which
writes what every later layer writes in that case: it misses nothing, is active once where the exact one is D times, and
its graph goes from the bits to the answer in one hop. Two signs tell it from the mechanism:

    hops        the mean number of units between the first gate's two tokens and the answer: D in the mechanism
    response    what its own replacement model says of flipping the first gate's output, as a share of what the model
                does: 1 for the mechanism, 0 where the middle variable is not read

Source: "Cross-Layer Transcoders are incentivized to learn unfaithful circuits", 2026 (the Boolean model).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from truescope.core.graphs import NodeKind
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary
from truescope.judge import Hops, hops
from truescope.models import Model
from truescope.pipelines.calibration.known import Frame, Known, Prompt, known_model
from truescope.pipelines.calibration.qualities import dictionary_of, learned, quality, unexplained
from truescope.pipelines.calibration.scoring import Row, row
from truescope.trace import DictionaryReplacement, DirectEffects, direct_effects
from truescope.trace.patching import LogitMetric, replaced_logits
from truescope.truth import Draft, Program, collapse, inputs, interpret

_GATES = (lambda a, b: a and b, lambda a, b: a != b, lambda a, b: a or b)
N_FEATURES = 96


@dataclass(frozen=True)
class Subject:
    """One dictionary of a chain: how it was made, and how many features it may keep at a position and layer."""

    name: str
    kind: str
    budget: int | None = None
    seed: int = 0


def chain(depth: int) -> Program:
    """((bit 1 and bit 2) xor bit 3) or bit 4 …: ``depth`` gates, one a layer."""
    draft = Draft("FT", depth + 1)
    for i in range(1, depth + 2):
        there = draft.select("position", "position", lambda key, query, i=i: key == i)
        draft.aggregate(f"bit_{i}", there, "tokens")
    value = "bit_1"
    for i in range(depth):
        gate = _GATES[i % len(_GATES)]

        def table(a: str, b: str, gate=gate) -> str:  # type: ignore[no-untyped-def]
            return "T" if gate(a == "T", b == "T") else "F"

        value = draft.map(f"gate_{i + 1}", (value, f"bit_{i + 2}"), table)
    return draft.finish(f"chain_{depth}", value, f"answers a Boolean formula of {depth} gates")


def subjects(budgets: Sequence[int], seeds: Sequence[int]) -> list[Subject]:
    """The dictionaries of a chain: exact ones, the collapsed one, and trained ones of every budget and seed."""
    made = [Subject("exact PLT", "PLT"), Subject("exact CLT", "CLT"), Subject("collapsed CLT", "CLT")]
    random = [Subject("random CLT", "CLT", seed=seed) for seed in seeds]
    return [*made, *random] + [
        Subject(f"trained {kind}", kind, k, s) for kind in ("PLT", "CLT") for k in budgets for s in seeds
    ]


def collapse_rows(depth: int, subject: Subject, n_prompts: int) -> Iterator[list[Row]]:
    """One list of rows for each prompt of the chain of ``depth``: hops, response, AUROC, and the dictionary's facts."""
    known = chain_model(depth, n_prompts, subject.seed)
    every = [known.compiled.token_ids(tokens) for tokens in inputs(known.compiled.program)]
    dictionary = _dictionary(known, subject, every)
    facts = [
        row("collapse", subject.name, "direct", "unexplained", unexplained(known.model, dictionary, every)),
        row("collapse", subject.name, "direct", "L0", _l0(known.model, dictionary, every)),
    ]
    for prompt in known.prompts:
        yield [*facts, *_prompt_rows(known, dictionary, prompt, subject.name)]


def chain_model(depth: int, n_prompts: int, seed: int) -> Known:
    """A compiled chain with prompts of full length in which the answer hangs on the first gate."""
    known = known_model(chain(depth), "identity", 16 * depth, seed, decoys=False)
    whole = [p for p in known.prompts if len(p.tokens) == depth + 2 and abs(_flip_effect(known, p)) > 1e-3]
    return Known(known.compiled, known.model, tuple(whole[:n_prompts]))


def _dictionary(known: Known, subject: Subject, prompts: list[torch.Tensor]) -> Dictionary:
    if subject.budget is not None:
        return learned(known.model, subject.kind, subject.seed, prompts, k=subject.budget, n_features=N_FEATURES)
    if subject.name == "collapsed CLT":
        return dictionary_of(known.model, subject.name, subject.kind, collapse(known.compiled).cross_layer)
    return quality(known, subject.name.split()[0], subject.kind, subject.seed, prompts)


def _l0(model: Model, dictionary: Dictionary, prompts: list[torch.Tensor]) -> float:
    """Active features of all layers together, at the last position."""
    runs = [model.run(tokens, read=dictionary.reads).sites for tokens in prompts]
    counts = [sum(int((dictionary.encode(s, run[s][0, -1:]) > 0).sum()) for s in dictionary.reads) for run in runs]
    return float(np.mean(counts))


def _prompt_rows(known: Known, dictionary: Dictionary, prompt: Prompt, name: str) -> Iterator[Row]:
    frame = known.frame(prompt)
    replacement = DictionaryReplacement(known.model, dictionary)
    effects = direct_effects(known.model, prompt.tokens, targets=[prompt.target], replacement=replacement)
    true, found = (_hops(e) for e in (frame.effects, effects))
    yield row("collapse", name, "direct", "hops, true", true.mean)
    yield row("collapse", name, "direct", "hops, graph", found.mean)
    yield row("collapse", name, "direct", "one-hop share", found.at_most_one)
    yield row("collapse", name, "direct", "response", _response(known, dictionary, frame))


def _hops(effects: DirectEffects) -> Hops:
    n = effects.n_units
    is_unit = np.array([node.kind is NodeKind.UNIT for node in effects.sources])
    is_first = np.array([node.kind is NodeKind.TOKEN and node.position in (1, 2) for node in effects.sources])
    return hops(effects.weight, is_unit, np.arange(n, len(effects.targets)), is_first)


def _response(known: Known, dictionary: Dictionary, frame: Frame) -> float:
    """What the replacement model says of flipping the first gate's output, as a share of what the model does."""
    tokens, edit = frame.prompt.tokens[None], _flip(known, frame.prompt)
    metric = LogitMetric(torch.tensor([frame.prompt.target]), demean=True)
    before = metric(known.model.run(tokens).logits)
    says = float(metric(replaced_logits(known.model, dictionary, tokens, edit)) - before)
    return says / _flip_effect(known, frame.prompt)


def _flip_effect(known: Known, prompt: Prompt) -> float:
    """What the answer's logit gains where the first gate's output is flipped in the model."""
    tokens = prompt.tokens[None]
    metric = LogitMetric(torch.tensor([prompt.target]), demean=True)
    before, after = known.model.run(tokens).logits, known.model.run(tokens, edit=_flip(known, prompt)).logits
    return float(metric(after) - metric(before))


def _flip(known: Known, prompt: Prompt) -> list[Intervention]:
    names, flip = known.compiled.directions, torch.zeros(known.model.d_model)
    value = interpret(known.compiled.program, prompt.truth.tokens)["gate_1"][-1]
    other = "F" if value == "T" else "T"
    flip[names.index(f"gate_1:{value}")], flip[names.index(f"gate_1:{other}")] = -1.0, 1.0
    return [Intervention(Site("mlp_out", 0), "add", flip, (-1,))]
