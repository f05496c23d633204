"""The shipped world is no lucky draw: trained anew by its recipe, it reaches the same bars."""

from __future__ import annotations

import json

import pytest

from truescope.cli.main import main
from truescope.store import Store


@pytest.mark.slow
def test_a_world_trained_anew_reaches_the_same_bars(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--retrain", "--json"]) == 0
    demo = json.loads(capsys.readouterr().out)
    (world,) = Store.open().runs("world")
    card = json.loads((world.folder / "world" / "card.json").read_text(encoding="utf-8"))
    assert card["accuracy_held_out"] >= 0.999 and card["n_held_out"] == 2000
    assert demo["answer"] == "95" and demo["graph"]["closure_gap"] <= 1e-5
    for claim in demo["claims"]:
        assert claim["status"] == "held" and claim["controls"][0]["n_won"] == 0, claim["notes"]
    # The second call takes the world, and its demo, from the store.
    assert main(["demo", "--retrain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == demo
