"""A view like the ones that pipelines write: 6 tokens, 3 layers, 150 units, 1,500 edges, 3 claims."""

from __future__ import annotations

import base64
import math
import random
from typing import Any

TOKENS = ["<s>", "36", "+", "59", "=", " is"]
N_LAYERS = 3
N_EDGES = 1500
UNITS_AT = {1: 5, 3: 6, 4: 30, 5: 9}
HOSTILE = "</script><img src=x onerror=alert(1)>"


def example_view() -> dict[str, Any]:
    """The view of one prompt, its claims judged: one failed, one undecided, one held."""
    draw = random.Random(7)
    nodes = _nodes(draw)
    edges = _edges(nodes, draw)
    claims = _claims()
    return {
        "title": "truescope",
        "prompt": "36+59=",
        "answer": "95",
        "probability": 0.9984,
        "model": {"name": "addition world", "hash": "9f2c" * 16, "family": "llama"},
        "dictionary": "neurons",
        "tokens": TOKENS,
        "n_layers": N_LAYERS,
        "top_logits": [{"token": t, "probability": p} for t, p in (("95", 0.9984), ("85", 0.0009), ("94", 0.0003))],
        "graph": {
            "n_nodes": len(nodes),
            "n_edges": len(edges),
            "closure_gap": 3.1e-7,
            "replacement": [0.912, 0.974],
            "completeness": [0.943, 0.988],
            "left_out": {"units pruned": 618, "influence pruned": 0.2, "edges pruned": 21840},
            "frozen": ["attention patterns", "norm denominators", "MLP gates"],
            "nodes": nodes,
            "edges": edges,
        },
        "groups": _groups(),
        "claims": claims,
        "run": {
            "id": "a1b2c3d4e5f60718",
            "created": "2026-11-22T08:00:00Z",
            "seed": 0,
            "commit": {"hash": "0123456789abcdef0123456789abcdef01234567", "dirty": True},
            "code": "7e" * 32,
            "versions": {"truescope": "0.1.0", "torch": "2.13.0"},
            "data_hash": "d4" * 32,
            "model_hash": "9f2c" * 16,
        },
        "seconds": {"load": 1.8, "trace": 2.4, "judge": 21.7},
    }


def _node(kind: str, layer: int, position: int, **more: Any) -> dict[str, Any]:
    usual = {
        "index": -1,
        "constant": "",
        "activation": 1.0,
        "pre_activation": 0.0,
        "influence": 0.0,
        "probability": 0.0,
    }
    usual |= {"label": "", "group": None}
    return {"id": "", "kind": kind, "layer": layer, "position": position, **usual, **more}


def _nodes(draw: random.Random) -> list[dict[str, Any]]:
    nodes = []
    for position, token in enumerate(TOKENS):
        nodes.append(
            _node("token", -1, position, index=10 + position, label=token, influence=0.04 + 0.05 * draw.random())
        )
        if position:
            nodes.append(_node("constant", -1, position, constant="pos_embed", influence=0.01 * draw.random()))
    groups = ("units digits", "magnitude", "operands", None, None)
    for layer in range(N_LAYERS):
        for position, count in UNITS_AT.items():
            for rank in range(count):
                index = 11 * rank + position + 2
                label = HOSTILE if (layer, position, rank) == (1, 4, 1) else f"sums ≡ {index % 10} (mod 10)"
                group = groups[draw.randrange(5)] if position == 4 else None
                influence = 0.08 * math.exp(-rank / 8) * (0.5 + draw.random())
                activation = draw.uniform(0.1, 4.0)
                nodes.append(
                    _node(
                        "unit",
                        layer,
                        position,
                        index=index,
                        label=label if group or label == HOSTILE else "",
                        group=group,
                    )
                    | {"activation": activation, "pre_activation": activation, "influence": influence}
                )
            nodes.append(_node("error", layer, position, influence=0.004 * draw.random()))
            nodes.append(_node("constant", layer, position, constant="mlp_out_bias", influence=0.006 * draw.random()))
    for index, probability in ((95, 0.9984), (85, 0.0009)):
        nodes.append(_node("logit", N_LAYERS, 5, index=index, label=str(index), probability=probability))
        nodes[-1] |= {"activation": 11.2, "pre_activation": 11.2, "influence": probability}
    for node in nodes:
        node["id"] = _id(node)
    return nodes


def _id(node: dict[str, Any]) -> str:
    kind, layer, index, position = node["kind"], node["layer"], node["index"], node["position"]
    return {
        "unit": f"unit.{layer}.{index}.{position}",
        "error": f"error.{layer}.{position}",
        "token": f"token.{position}.{index}",
        "constant": f"constant.{node['constant']}.{layer}.{position}",
        "logit": f"logit.{index}.{position}",
    }[kind]


def _edges(nodes: list[dict[str, Any]], draw: random.Random) -> list[dict[str, Any]]:
    pairs = {
        (source, target)
        for target, to in enumerate(nodes)
        if to["kind"] in ("unit", "logit")
        for source, at in enumerate(nodes)
        if at["layer"] < to["layer"] and at["position"] <= to["position"] and at["kind"] != "logit"
    }
    chosen = sorted(draw.sample(sorted(pairs), N_EDGES))
    weights = [draw.gauss(0, 1) * (0.2 + nodes[source]["influence"] * 20) for source, _ in chosen]
    totals = [0.0] * len(nodes)
    for (_, target), weight in zip(chosen, weights, strict=True):
        totals[target] += abs(weight)
    return [
        {"source": source, "target": target, "weight": weight, "share": abs(weight) / totals[target]}
        for (source, target), weight in zip(chosen, weights, strict=True)
    ]


def _score(name: str, value: float, low: float, high: float, n: int) -> dict[str, Any]:
    return {"name": name, "value": value, "low": low, "high": high, "n": n}


def _claim(
    name: str, text: str, status: str, level: str, predictions: list[str], scores: list[Any], controls: list[Any]
):
    control = {"name": "matched_random_groups", "n": 100, "n_won": 0, "scores": controls}
    return {
        "id": name,
        "text": text,
        "status": status,
        "evidence_level": level,
        "predictions": predictions,
        "scores": scores,
        "controls": [control],
        "notes": ["Suppressed means: set to its mean at the last position."] if status == "held" else [],
        "facts": {"n_units": 61, "mean_error": 22.4} if status == "failed" else {},
    }


def _claims() -> list[dict[str, Any]]:
    return [
        _claim(
            "claim-units",
            "Without the units-digit units the answer keeps its size and loses its units digit.",
            "held",
            "E4",
            ["within_5 >= 0.99", "exact <= 0.6"],
            [_score("within_5", 0.9998, 0.9991, 1.0, 5000), _score("exact", 0.47, 0.456, 0.484, 5000)],
            [_score("within_5", 0.998, 0.993, 1.0, 1000), _score("exact", 0.93, 0.82, 0.99, 1000)],
        ),
        _claim(
            "claim-magnitude",
            "Without the magnitude units the answer keeps its units digit and loses its size.",
            "failed",
            "E1",
            ["units_digit >= 0.99", "exact <= 0.45"],
            [_score("units_digit", 0.962, 0.957, 0.967, 5000), _score("exact", 0.32, 0.307, 0.333, 5000)],
            [_score("units_digit", 0.97, 0.91, 0.995, 1000), _score("exact", 0.93, 0.84, 0.99, 1000)],
        ),
        _claim(
            "claim-operands",
            "Without the operand units the answer moves by no more than the second operand.",
            "undecided",
            "E2",
            ["mean_error <= 20"],
            [_score("mean_error", 19.6, 18.7, 20.5, 5000)],
            [_score("mean_error", 4.1, 1.2, 9.8, 1000)],
        ),
    ]


def _groups() -> list[dict[str, Any]]:
    rows = (("units digits", "claim-units", 34, 0.07, 0.31), ("magnitude", "claim-magnitude", 41, 0.09, 0.36))
    rows += (("operands", "claim-operands", 19, 0.04, 0.08),)
    keys = ("name", "claim_id", "n_units", "share_live", "share_influence")
    return [dict(zip(keys, row, strict=True)) | {"label": row[0]} for row in rows]


def example_units(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Evidence of every unit but the last of layer 0; those of layer 2 at the "=" have operand plots."""
    nodes = [node for node in view["graph"]["nodes"] if node["kind"] == "unit"]
    units = {f"{node['layer']}/{node['index']}": _unit(node) for node in nodes}
    last = [key for key in units if key.startswith("0/")][-1]
    return {key: unit for key, unit in units.items() if key != last}


def _plot(node: dict[str, Any]) -> dict[str, Any]:
    signed = node["group"] is None
    values = [
        round(127 * (1 + math.cos(2 * math.pi * (a + b - node["index"]) / 10)))
        if node["group"] == "units digits"
        else max(0, min(255, round(255 * math.exp(-(((a + b - 20 - node["index"]) / 25) ** 2)))))
        for a in range(100)
        for b in range(100)
    ]
    plot = {"x": list(range(100)), "y": list(range(100)), "x_label": "second operand", "y_label": "first operand"}
    plot |= {"values": base64.b64encode(bytes(values)).decode(), "scale": 0.016, "offset": -1.2 if signed else 0.0}
    return plot


def _unit(node: dict[str, Any]) -> dict[str, Any]:
    plot = _plot(node) if node["layer"] == 2 and node["position"] == 4 else None
    examples = [
        {"tokens": ["<s>", str(a), "+", str(b), "="], "activations": [0.0, 0.4, 0.1, -0.8, 4.0 - 0.3 * k], "focus": 4}
        for k, (a, b) in enumerate(((36, 59), (16, 79), (45, 50), (3, 92), (88, 7)))
    ]
    return {
        "layer": node["layer"],
        "index": node["index"],
        "name": node["label"] or "fires on large sums",
        "n": 10000,
        "density": 0.31,
        "dependence": {"units digits": 0.91, "magnitude": 0.04, "first operand": 0.02, "second operand": 0.01},
        "group": node["group"],
        "operand_plot": plot,
        "examples": examples,
        "promoted": [["95", 0.31], ["85", 0.29], ["5", 0.22], [" is", 0.1]],
        "suppressed": [["94", -0.28], ["96", -0.2], ["<s>", -0.05]],
    }
