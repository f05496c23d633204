"""Tracing a real pretrained model, and every way in which a trace can be asked for wrongly."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
import torch

from truescope.cli.main import main
from truescope.core.errors import DictionaryError, PromptError, UsageError
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, Group
from truescope.models import Model
from truescope.pipelines import describe_sites, find_page, list_runs, trace
from truescope.store import Store
from truescope.truth.addition import ADDITION_FOLDER

STORY = "Once upon a time, there was a little girl named"


def test_the_story_model_says_lily_and_every_edge_is_accounted_for(
    stories260k: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", STORY, "--model", str(stories260k), "--max-units", "256", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["top_logits"][0]["token"].strip() == "Lily"
    assert summary["top_logits"][0]["probability"] == pytest.approx(0.926, abs=5e-4)
    assert summary["graph"]["closure_gap"] <= 1e-5
    assert "claims" not in summary
    assert find_page() == Store.open().find(summary["run"]["id"]).folder


def test_examples_come_from_the_text_that_is_given(stories260k: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('"Lily was a little girl. She loved her dog."\n{"text": "Tim had a red ball."}\n')
    report = trace(STORY, stories260k, max_units=64, text=tmp_path / "a.jsonl")
    units = json.loads((report.folder / "units.json").read_text())
    seen = {token.strip() for unit in units.values() for example in unit["examples"] for token in example["tokens"]}
    assert {"Lily", "Tim"} <= seen and "named" not in seen


def _autoencoder(model: Model, site: Site, folder: Path) -> str:
    """Every direction of a site, both ways: an autoencoder that misses nothing."""
    both = torch.cat([torch.eye(model.d_model), -torch.eye(model.d_model)])
    zero = torch.zeros(len(both))
    group = Group(site, (site,), both, zero, both, threshold=zero)
    made = Dictionary("axes", "sae", "jumprelu", (group,), {site: torch.zeros(model.d_model)}, model_hash=model.hash)
    return str(made.save(folder))


def test_autoencoders_are_units_too(stories260k: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Model.from_pretrained(stories260k)
    folders = [_autoencoder(model, Site("resid_post", layer), tmp_path / str(layer)) for layer in (0, 3)]
    call = ["trace", "Once upon a time", "--model", str(stories260k), "--json"]
    assert main([*call, "--dictionary", folders[0], "--dictionary", folders[1]]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["graph"]["closure_gap"] <= 1e-5 and summary["graph"]["replacement"][1] == pytest.approx(
        1.0, abs=1e-4
    )
    view = json.loads((Store.open().find(summary["run"]["id"]).folder / "view.json").read_text())
    assert view["dictionary"] == "axes of resid_post.0, resid_post.3" and "MLP gates" in view["graph"]["frozen"]
    assert {node["layer"] for node in view["graph"]["nodes"] if node["kind"] == "unit"} == {0, 3}
    # The stream of layer 0 reaches the answer through layer 3 alone.
    logits = {i for i, node in enumerate(view["graph"]["nodes"]) if node["kind"] == "logit"}
    into = {edge["source"] for edge in view["graph"]["edges"] if edge["target"] in logits}
    assert all(view["graph"]["nodes"][i]["layer"] >= 3 for i in into)
    assert main([*call, "--dictionary", folders[0], "--dictionary", folders[0]]) == 1
    assert "resid_post.0 is read twice" in capsys.readouterr().err
    assert main([*call, "--dictionary", folders[0], "--dictionary", "neurons"]) == 1
    assert "neurons are no autoencoder" in capsys.readouterr().err


def test_the_same_inputs_are_loaded_and_not_computed_again() -> None:
    first = trace("12+34=")
    assert first.graph.top_logits[0][0] == "46"
    written = (first.folder / "view.json").stat().st_mtime_ns
    assert trace("12+34=").folder == first.folder
    assert (first.folder / "view.json").stat().st_mtime_ns == written
    assert trace("12+34=", max_targets=1, probability=0.5).folder != first.folder
    assert len(list_runs()) == 2
    assert trace("12+34=", fresh=True).graph.n_edges == first.graph.n_edges
    assert (first.folder / "view.json").stat().st_mtime_ns > written


def test_other_code_gives_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    first = trace("12+36=")
    monkeypatch.setattr(import_module("truescope.pipelines.trace"), "code_hash", lambda module: f"edited {module}")
    second = trace("12+36=")
    assert second.folder != first.folder and second.graph.n_edges == first.graph.n_edges
    assert second.view["run"]["code"] == "edited truescope.pipelines.trace"


def test_a_trace_that_was_killed_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("truescope.pipelines.trace")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "build_view", stop)
        with pytest.raises(KeyboardInterrupt):
            trace("12+35=")
    monkeypatch.setattr(module, "trace_graph", stop)  # would stop again if the graph were traced again
    assert trace("12+35=").graph.top_logits[0][0] == "47"


def test_targets_can_be_chosen() -> None:
    report = trace("36+59=", targets=["94", "95"])
    logits = [node for node in report.graph.nodes if node.kind == "logit"]
    assert {node.index for node in logits} == {94, 95}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: trace(""), PromptError),
        (lambda: trace("  \n "), PromptError),
        (lambda: trace("1+" * 400 + "1="), PromptError),
        (lambda: trace("36+59=", dictionary="neuron"), DictionaryError),
        (lambda: trace("36+59=", node_threshold=1.5), UsageError),
        (lambda: trace("36+59=", targets=["ninety-five apples"]), PromptError),
    ],
)
def test_a_trace_asked_for_wrongly_is_refused(call, error) -> None:
    with pytest.raises(error):
        call()
    assert not list(Store.open().path.glob("runs/*/*/graph"))


def test_sites_of_the_built_in_world_are_all_there_under_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    facts = describe_sites("addition")
    model = Model.from_pretrained(ADDITION_FOLDER)
    assert facts["family"] == "llama" and list(facts["sites"]) == [str(site) for site in model.sites()]
    run = model.run(model.tokens("36+59="), read=list(facts["sites"]))
    for site, value in run.sites.items():
        last = facts["sites"][str(site)].strip("[]").split(", ")[-1]
        assert last == "key" or int(last) == value.shape[-1]
    assert main(["sites", "addition"]) == 0
    shown = capsys.readouterr().out
    assert "attn_z.0 … attn_z.1" in shown and "resid_post.0 … resid_post.1" in shown and "\n    logits" in shown
