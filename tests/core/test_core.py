"""The nouns: addresses parse, ids cannot collide, edits survive a round trip, and nothing heavy is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truescope.core as core
from truescope.core import (
    GLOBAL_KINDS,
    LAYER_KINDS,
    Claim,
    ClaimError,
    ControlPlan,
    EvidenceLevel,
    Graph,
    GraphError,
    Intervention,
    InterventionError,
    Node,
    NodeKind,
    Prediction,
    Score,
    Site,
    SiteError,
    Status,
    TruescopeError,
    Verdict,
    content_id,
    nearest,
)

CONTROL = ControlPlan("matched random groups", ("layer", "count"), n=100, seed=0)


def claim(text: str = "a claim", control: ControlPlan = CONTROL) -> Claim:
    return Claim(text, (Prediction("exact", "<=", 0.6),), control, {"model": "m"}, {"n": 10})


def test_importing_the_nouns_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, truescope, truescope.core, truescope.store, truescope.cli.main;"
        "print([m for m in ('torch', 'numpy', 'jaxtyping', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_exactly_all_and_each_is_documented() -> None:
    public = {name for name in vars(core) if not name.startswith("_")}
    modules = {name for name in public if type(getattr(core, name)).__name__ == "module"}
    assert public - modules - {"annotations"} == set(core.__all__)
    documented = [n for n in core.__all__ if callable(getattr(core, n)) and n != "EditKind"]
    assert [name for name in documented if not (getattr(core, name).__doc__ or "").strip()] == []


@given(st.sampled_from(LAYER_KINDS), st.integers(0, 200))
def test_every_site_reads_back_what_it_prints(kind: str, layer: int) -> None:
    assert Site.parse(str(Site(kind, layer))) == Site(kind, layer)


@pytest.mark.parametrize("kind", GLOBAL_KINDS)
def test_global_sites_have_no_layer(kind: str) -> None:
    assert Site.parse(kind) == Site(kind)
    with pytest.raises(SiteError, match="no layer"):
        Site(kind, 0)


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("blocks.10.hook_resid_post", Site("resid_post", 10)),
        ("blocks.0.attn.hook_pattern", Site("attn_pattern", 0)),
        ("blocks.3.mlp.hook_post", Site("mlp_neurons", 3)),
        ("hook_embed", Site("embed")),
        ("ln_final.hook_normalized", Site("final_norm")),
    ],
)
def test_transformer_lens_names_are_read(text: str, site: Site) -> None:
    assert Site.parse(text) == site


@pytest.mark.parametrize("text", ["resid_pst.3", "mlp_in", "resid_post.-1", "blocks.1.hook_resid_pots", "", "logits.2"])
def test_a_wrong_address_is_an_error_that_helps(text: str) -> None:
    with pytest.raises(SiteError) as caught:
        Site.parse(text)
    assert caught.value.fix


def test_nearest_words() -> None:
    assert nearest("resid_pst", LAYER_KINDS).startswith("did you mean resid_p")
    assert nearest("qqqqq", LAYER_KINDS) == ""


def test_errors_say_what_why_and_what_to_do() -> None:
    assert str(TruescopeError("no model", why="empty folder", fix="name another")) == (
        "no model\nwhy: empty folder\nfix: name another"
    )


@given(
    kind=st.sampled_from(["set", "add", "scale", "patch", "ablate_mean"]),
    value=st.one_of(st.floats(-5, 5), st.lists(st.floats(-5, 5), min_size=1, max_size=4)),
    positions=st.one_of(
        st.none(), st.lists(st.integers(-4, 4), min_size=1).map(tuple), st.builds(slice, st.integers(0, 3), st.none())
    ),
    units=st.one_of(st.none(), st.lists(st.integers(0, 50), min_size=1).map(tuple)),
)
def test_interventions_survive_json(kind, value, positions, units) -> None:
    edit = Intervention(Site("mlp_out", 2), kind, value, positions, units)
    assert Intervention.from_json(json.loads(json.dumps(edit.to_json()))) == edit


def test_arrays_in_interventions_become_lists() -> None:
    edit = Intervention(Site("mlp_out", 0), "set", np.ones((1, 2)))
    assert edit.to_json()["value"] == [[1.0, 1.0]]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Intervention(Site("mlp_out", 0), "sett", 1.0),
        lambda: Intervention(Site("mlp_out", 0), "set"),
        lambda: Intervention(Site("mlp_out", 0), "ablate_zero", 1.0),
        lambda: Intervention(Site("mlp_out", 0), "project_out", [1.0], units=(0,)),
        lambda: Intervention.from_json({"kind": "set"}),
    ],
)
def test_edits_that_make_no_sense_are_refused(make) -> None:
    with pytest.raises(InterventionError):
        make()


def test_node_ids_cannot_collide() -> None:
    # The peer's formats give the error node of layer 5 and feature 5 of layer 0 one id: 0_5_3.
    nodes = [
        Node(kind, layer, position, index, constant=name)
        for kind in NodeKind
        for layer in range(-1, 6)
        for position in range(4)
        for index in ([0, 1, 5, 11] if kind in (NodeKind.UNIT, NodeKind.TOKEN, NodeKind.LOGIT) else [-1])
        for name in (["pos_embed", "mlp_out_bias"] if kind is NodeKind.CONSTANT else [""])
        if kind not in (NodeKind.TOKEN, NodeKind.LOGIT) or layer == -1
    ]
    assert len({node.id for node in nodes}) == len(nodes)


def make_graph(nodes: tuple[Node, ...], n_edges: int = 0, n_weights: int = 0) -> Graph:
    return Graph(
        prompt="<b>",
        tokens=("a",),
        token_ids=(0,),
        nodes=nodes,
        source=np.zeros(n_edges, np.int32),
        target=np.zeros(n_edges, np.int32),
        weight=np.zeros(n_weights, np.float32),
        model_name="m",
        model_hash="h",
        dictionary="neurons",
        n_layers=1,
        closure_gap=0.0,
        replacement=(0.5, 1.0),
        completeness=(0.5, 1.0),
        top_logits=(("a", 1.0),),
    )


def test_a_graph_refuses_double_ids_and_uneven_edges_and_escapes_its_html() -> None:
    node = Node(NodeKind.UNIT, 0, 0, 3, label="<script>alert(1)</script>")
    with pytest.raises(GraphError, match="stand twice"):
        make_graph((node, node))
    with pytest.raises(GraphError, match="one weight an edge"):
        make_graph((node,), n_edges=2, n_weights=1)
    html = make_graph((node,))._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html and "&lt;b&gt;" in html


@pytest.mark.parametrize(
    ("relation", "low", "high", "status"),
    [
        (">=", 0.99, 1.0, Status.HELD),
        (">=", 0.98, 1.0, Status.UNDECIDED),
        (">=", 0.5, 0.98, Status.FAILED),
        ("<=", 0.5, 0.99, Status.HELD),
        ("<=", 0.98, 1.0, Status.UNDECIDED),
        ("<=", 0.995, 1.0, Status.FAILED),
    ],
)
def test_an_interval_that_straddles_the_threshold_is_undecided(relation, low, high, status) -> None:
    score = Score("s", (low + high) / 2, low, high, 10)
    assert Prediction("s", relation, 0.99).verdict(score) is status


def test_a_claims_id_changes_with_everything_it_states() -> None:
    assert claim().id == claim().id
    assert claim("another").id != claim().id
    assert claim(control=ControlPlan("matched random groups", ("layer", "count"), n=101, seed=0)).id != claim().id


def test_no_verdict_without_a_control() -> None:
    with pytest.raises(ClaimError, match="without a control"):
        Verdict(claim(), Status.HELD, EvidenceLevel.E4, (), ())
    with pytest.raises(ClaimError, match="at least one control"):
        ControlPlan("none", (), n=0, seed=0)


@given(st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.booleans())))
def test_content_ids_ignore_the_order_of_keys(record) -> None:
    assert content_id(record) == content_id(dict(reversed(list(record.items()))))
    with pytest.raises(ValueError):
        content_id({"x": float("nan")})
