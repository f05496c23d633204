"""Edges sum to what they explain, and each is what an ablation in the frozen model says."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch
from frozen_by_hand import FrozenByHand, Nudge
from whole import whole

from small_models import VARIANTS, small_model, small_tokens
from truescope.core.graphs import NodeKind
from truescope.trace import trace_graph


@pytest.mark.parametrize("variant", VARIANTS)
def test_edges_sum_to_the_pre_activation(variant: str) -> None:
    model = small_model(variant)
    trace = trace_graph(model, small_tokens(1)[0], node_threshold=1.0, edge_threshold=1.0)
    graph = trace.graph
    assert graph.closure_gap <= 1e-5
    # Again from the graph alone: nothing was pruned, so its own edges must close.
    total = defaultdict(float)
    for target, weight in zip(graph.target.tolist(), graph.weight.tolist(), strict=True):
        total[target] += weight
    wanted = np.array([node.pre_activation for node in graph.nodes])
    is_target = [i for i, node in enumerate(graph.nodes) if node.kind in (NodeKind.UNIT, NodeKind.LOGIT)]
    scale = np.sqrt(np.mean(wanted[is_target] ** 2))
    assert len(is_target) > 400
    for i in is_target:
        assert abs(total[i] - wanted[i]) <= 1e-5 * max(abs(wanted[i]), scale)


@pytest.mark.parametrize("variant", VARIANTS)
def test_h_is_the_unmodified_models(variant: str) -> None:
    model, tokens = small_model(variant, seed=1), small_tokens(1)[0]
    graph = trace_graph(model, tokens).graph
    run = model.run(tokens, read=[f"mlp_neurons.{layer}" for layer in range(3)])
    for node in graph.nodes:
        if node.kind is NodeKind.UNIT:
            value = next(v for site, v in run.sites.items() if site.layer == node.layer)[0, node.position, node.index]
            assert node.activation == pytest.approx(float(value), rel=1e-6)
    logits = run.logits[0, -1].double()
    if (cap := model.parts.final_softcap) is not None:
        logits = cap * torch.atanh(logits / cap)
    for node in graph.nodes:
        if node.kind is NodeKind.LOGIT:
            wanted = float(logits[node.index] - logits.mean())
            assert node.pre_activation == pytest.approx(wanted, rel=1e-4, abs=1e-4)
            assert node.probability == pytest.approx(float(run.logits[0, -1].softmax(-1)[node.index]), rel=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_edge_is_what_ablating_its_source_takes_away(variant: str) -> None:
    model, tokens = small_model(variant), small_tokens(1)[0]
    found, by_hand = whole(model, tokens), FrozenByHand(model, tokens)
    before = by_hand.original
    chosen = [(layer, position, index) for layer, position, index in ((0, 2, 5), (0, 6, 11), (1, 4, 39), (2, 6, 0))]
    nudges = []
    for layer, position, index in chosen:
        column = found.columns("unit", layer=layer, position=position, index=index)
        down = model.parts.down(layer)
        matrix = torch.as_tensor(down.weight)
        weight = matrix[:, index] if isinstance(down, torch.nn.Linear) else matrix[index]
        activation = found.sources.units[layer].activation[column[0] - found.sources.unit_start[layer]]
        nudges.append((int(column[0]), Nudge(layer, position, -weight * float(activation))))
    for position in (0, 3):
        embedding = model.parts.embed(tokens)[position]
        nudges.append((int(found.columns("token", position=position)[0]), Nudge(-1, position, -embedding)))
    for column, nudge in nudges:
        after = by_hand.after(nudge)
        units = [(b - a)[tuple(torch.from_numpy(x).long() for x in (u.position, u.index))] for a, b, u in zip(
            after.h, before.h, found.sources.units, strict=True)]  # fmt: skip
        wanted = torch.cat([*units, (before.logits - after.logits)[torch.from_numpy(found.logits)]]).numpy()
        assert np.abs(wanted).max() > 1e-3
        np.testing.assert_allclose(found.edges[:, column], wanted, rtol=1e-3, atol=2e-5 * max(1, np.abs(wanted).max()))


def test_each_constant_is_one_node_a_kind_layer_and_position() -> None:
    found = whole(small_model("gpt2"), small_tokens(1)[0])
    sources = found.sources
    constants = np.flatnonzero(sources.kind == "constant")
    keys = {(str(sources.name[c]), int(sources.layer[c]), int(sources.position[c])) for c in constants}
    assert len(keys) == len(constants)
    per_layer = {"pre_attn_norm_bias", "attn_value_bias", "attn_out_bias", "pre_mlp_norm_bias", "mlp_out_bias",
                 "encoder_bias"}  # fmt: skip
    wanted = {(name, layer, position) for name in per_layer for layer in range(3) for position in range(7)}
    wanted |= {("pos_embed", -1, position) for position in range(7)}
    wanted |= {("final_norm_bias", 3, position) for position in range(7)}
    assert keys == wanted


def test_a_constant_left_out_would_show() -> None:
    """The gap is a test that can fail: without one kind of constant the books no longer close."""
    found = whole(small_model("gpt2"), small_tokens(1)[0])
    h = np.concatenate(found.explorer.h)
    for name in ("pos_embed", "attn_value_bias", "pre_mlp_norm_bias", "encoder_bias", "mlp_out_bias"):
        missing = found.edges[:, found.columns("constant", name=name)].sum(axis=1)
        assert np.abs(missing).max() / np.sqrt(np.mean(h**2)) > 1e-3, name


def test_the_batch_size_changes_nothing_but_rounding() -> None:
    model, tokens = small_model("qwen2"), small_tokens(1)[0]
    one, many = whole(model, tokens, batch=7).edges, whole(model, tokens, batch=400).edges
    np.testing.assert_allclose(one, many, rtol=1e-4, atol=1e-5)
