"""The demo takes a while, so the tests that look at it share one run (a file's tests share a worker)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from truescope.cli.main import main


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds the demo's run, made by the command line."""
    home = tmp_path_factory.mktemp("demo") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUESCOPE_HOME", str(home))
        assert main(["demo"]) == 0
    return home


@pytest.fixture
def demo_store(demo_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same store, as this test's own."""
    monkeypatch.setenv("TRUESCOPE_HOME", str(demo_home))
    return demo_home


@pytest.fixture
def demo_json(demo_store: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What ``truescope demo --json`` prints (the run is in the store by now)."""
    capsys.readouterr()
    assert main(["demo", "--json"]) == 0
    return json.loads(capsys.readouterr().out)
