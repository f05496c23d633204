"""The truth derived from a layout, against the model itself: activations, patterns, scores, and differences."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from jaxtyping import Float

from truescope.core.errors import UsageError
from truescope.core.sites import Site
from truescope.models import Model
from truescope.trace import trace_graph
from truescope.truth import Compiled, TrueGraph, compile_program, named_programs, prompts, random_program
from truescope.truth.compiled.weights import Norms

VARIANTS: tuple[Norms, ...] = ("identity", "balanced")
PROGRAMS = [*named_programs().values(), *(random_program(seed) for seed in range(10))]


def _cases(n: int = 2):
    for program in PROGRAMS:
        for prompt in prompts(program, n):
            yield program, prompt


@pytest.mark.parametrize("norms", VARIANTS)
def test_active_neurons_and_pre_activations_are_the_models(norms: Norms) -> None:
    for program, prompt in _cases():
        compiled = compile_program(program, norms)
        true = compiled.truth(prompt)
        model = Model(compiled.model, compiled.tokenizer)
        read = [Site("mlp_neurons", layer) for layer in range(model.n_layers)]
        run = model.run(compiled.token_ids(prompt), read=read)
        found = {
            f"unit.{site.layer}.{index}.{position}": float(value[0, position, index])
            for site, value in run.sites.items()
            for position, index in (value[0] > 1e-4).nonzero().tolist()
        }
        known = {node.id: node.activation for node in true.nodes if node.kind == "unit"}
        assert found.keys() == known.keys(), (program.name, prompt)
        for unit, value in known.items():
            assert found[unit] == pytest.approx(value, rel=2e-3), (program.name, prompt, unit)
        logit = true.pre_activations[true.targets[0]]
        raw = run.logits[0, -1]
        assert float(raw[int(true.targets[0].split(".")[1])] - raw.mean()) == pytest.approx(logit, rel=1e-4)


def _edges_sum(true: TrueGraph) -> None:
    total = dict.fromkeys(true.pre_activations, 0.0)
    for edge in true.value_edges:
        total[edge.target] += edge.weight
    for target, h in true.pre_activations.items():
        assert total[target] == pytest.approx(h, abs=1e-9)


def test_value_edges_are_what_an_exact_tracer_finds_weight_by_weight() -> None:
    for number, (program, prompt) in enumerate(_cases()):
        compiled = compile_program(program, VARIANTS[number % 2])
        true = compiled.truth(prompt)
        _edges_sum(true)
        target = int(true.targets[0].split(".")[1])
        model = Model(compiled.model, compiled.tokenizer)
        graph = trace_graph(
            model, compiled.token_ids(prompt), targets=[target], node_threshold=1.0, edge_threshold=1.0
        ).graph
        assert graph.closure_gap <= 1e-5
        ids = [node.id for node in graph.nodes]
        found = {
            (ids[s], ids[t]): float(w)
            for s, t, w in zip(graph.source, graph.target, graph.weight, strict=True)
            if abs(w) > 1e-6
        }
        edges = {(edge.source, edge.target): edge for edge in true.value_edges}
        assert found.keys() <= edges.keys(), (program.name, prompt)
        for pair, edge in edges.items():
            if edge.on_value_path:
                assert found[pair] == pytest.approx(edge.weight, rel=2e-3), (program.name, prompt, pair)


@torch.no_grad()
def _score(compiled: Compiled, prompt: tuple[str, ...], layer: int) -> Float[torch.Tensor, "heads pos pos"]:
    """Scores before the softmax, from the model's own queries and keys."""
    held: list[torch.Tensor] = []
    attn: Any = compiled.model.transformer.h[layer].attn
    handle = attn.c_attn.register_forward_hook(lambda module, args, output: held.append(output[0]))
    compiled.logits([prompt])
    handle.remove()
    query, key, _ = (part.unflatten(-1, (attn.num_heads, -1)).transpose(0, 1) for part in held[0].chunk(3, -1))
    return query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])


@pytest.mark.parametrize("norms", VARIANTS)
def test_choice_edges_sum_to_the_models_own_attention_scores(norms: Norms) -> None:
    for program, prompt in _cases(1):
        compiled = compile_program(program, norms)
        true = compiled.truth(prompt)
        total: dict[tuple[str, int, int], float] = {}
        for edge in true.choice_edges:
            at = (edge.head, edge.query, edge.key)
            total[at] = total.get(at, 0.0) + edge.weight
        for layer in range(compiled.layout.n_layers):
            scores = _score(compiled, prompt, layer)
            for head in compiled.layout.heads:
                if head.layer != layer:
                    continue
                for q in range(len(prompt)):
                    name = f"head.{layer}.{head.index}.{q}"
                    for k in range(q + 1):
                        wanted = total.get((name, q, k), 0.0)
                        assert float(scores[head.index, q, k]) == pytest.approx(wanted, rel=1e-3, abs=0.05)
                        share = float(scores[head.index, q, : q + 1].softmax(-1)[k])
                        assert share == pytest.approx(true.patterns.get((name, k), 0.0), abs=2e-3)


def test_two_hop_has_the_story_that_its_name_tells() -> None:
    true = compile_program(named_programs()["two_hop"]).truth(("<bos>", "Dallas", "capital"))
    names = {node.id: node.name for node in true.nodes}
    story = {
        (names[edge.source], names[edge.target]): (edge.sign, bool(edge.via))
        for edge in true.value_edges
        if edge.on_value_path and "bias" not in edge.source
    }
    dallas, austin = "state[tokens=Dallas]", "answer[asked=Texas, tokens=capital]"
    assert story[("tokens:Dallas", dallas)] == (1, False)
    assert story[(dallas, austin)] == (1, True)
    assert story[("tokens:capital", austin)] == (1, False)
    assert story[(austin, "Austin")] == (1, False)
    assert true.node(true.targets[0]).name == "Austin"
    # Where the state is fetched from is decided by the word that asks and by there being a state.
    pairs = {(names.get(e.query_source, "bias"), names[e.key_source]) for e in true.choice_edges if e.on_path}
    assert ("tokens:capital", dallas) in pairs


def test_decoys_are_active_and_lead_nowhere() -> None:
    n_active = 0
    for program, prompt in _cases(1):
        true = compile_program(program).truth(prompt)
        decoys = [node for node in true.nodes if node.decoy]
        assert not any(node.on_path for node in decoys)
        n_active += any(node.kind == "unit" for node in decoys)
        sources = {edge.source for edge in true.value_edges}
        assert not sources & {node.id for node in decoys}
    assert n_active > len(PROGRAMS) / 2


def test_an_unknown_target_is_refused() -> None:
    compiled = compile_program(named_programs()["two_hop"])
    with pytest.raises(UsageError, match="Austin"):
        compiled.truth(("<bos>", "Dallas", "capital"), targets=["Austn"])
