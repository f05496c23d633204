"""The server's contract: what it answers, what it refuses, and what it says when something is missing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from truescope.core.errors import SurfaceError
from truescope.web import FolderSource, MemorySource, create_app, serve
from truescope.web.server import listen

testclient = pytest.importorskip("fastapi.testclient")
POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"


@pytest.fixture(scope="module")
def client(view: dict[str, Any], units: dict[str, Any]) -> Any:
    return testclient.TestClient(create_app(MemorySource(view, units)), base_url="http://127.0.0.1:8321")


@pytest.mark.parametrize(
    "path", ["/", "/static/main.js", "/api/view.json", "/api/units/9/9.json", "/plotly.min.js", "/no"]
)
def test_every_answer_carries_the_policy(client: Any, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"


def test_content_types(client: Any) -> None:
    kinds = {"/": "text/html", "/static/main.js": "text/javascript", "/static/style.css": "text/css"}
    kinds |= {"/api/view.json": "application/json", "/api/openapi.json": "application/json"}
    for path, kind in kinds.items():
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].split(";")[0] == kind


def test_view_and_units_come_back_as_given(client: Any, view: dict[str, Any], units: dict[str, Any]) -> None:
    assert client.get("/api/view.json").json() == view
    key, unit = next(iter(units.items()))
    assert client.get(f"/api/units/{key}.json").json() == unit


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8321", "localhost@evil.example", "", "10.0.0.7"]
)
def test_other_hosts_are_refused(client: Any, host: str) -> None:
    answer = client.get("/api/view.json", headers={"host": host})
    assert answer.status_code == 400
    assert "localhost" in answer.json()["reason"]


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:8321", "[::1]:8321"])
def test_this_machine_is_answered(client: Any, host: str) -> None:
    assert client.get("/api/view.json", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/../server.py",
        "/docs",
    ],
)
def test_nothing_outside_the_static_folder_is_served(client: Any, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["reason"]


def test_a_unit_without_evidence_is_a_404_with_its_reason(client: Any) -> None:
    answer = client.get("/api/units/0/999.json")
    assert answer.status_code == 404
    assert "0/999" in answer.json()["reason"]


def test_a_unit_that_is_no_number_is_a_usage_error(client: Any) -> None:
    assert client.get("/api/units/0/first.json").status_code == 422


def test_only_get_is_answered(client: Any) -> None:
    assert client.post("/api/view.json").status_code == 405


def test_a_folder_is_read_as_written(tmp_path: Path, view: dict[str, Any], units: dict[str, Any]) -> None:
    (tmp_path / "view.json").write_text(json.dumps(view), encoding="utf-8")
    source = FolderSource(tmp_path)
    assert source.view() == view
    assert source.unit(1, 13) is None
    (tmp_path / "units.json").write_text(json.dumps(units), encoding="utf-8")
    key = next(iter(units))
    assert FolderSource(tmp_path).unit(*map(int, key.split("/"))) == units[key]


@pytest.mark.parametrize("text", [None, '{"title": "half', "[]", ""])
def test_a_folder_without_a_whole_view_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "view.json").write_text(text, encoding="utf-8")
    with pytest.raises(SurfaceError) as caught:
        create_app(FolderSource(tmp_path))
    assert "view.json" in str(caught.value) and caught.value.fix


def test_a_number_that_is_not_finite_is_said_not_drawn(view: dict[str, Any]) -> None:
    with pytest.raises(SurfaceError, match="view"):
        create_app(MemorySource({**view, "probability": float("nan")}))


@pytest.mark.parametrize("package", ["fastapi", "plotly"])
def test_a_missing_extra_is_named(view: dict[str, Any], monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.delitem(sys.modules, "truescope.web.app", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SurfaceError) as caught:
        create_app(MemorySource(view))
    assert package in str(caught.value) and caught.value.fix == 'pip install "truescope[web]"'


def test_serving_without_uvicorn_is_named(view: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SurfaceError, match="uvicorn"):
        serve(MemorySource(view))


def test_a_taken_port_gives_the_next_free_one() -> None:
    with listen(0) as first:
        taken = first.getsockname()[1]
        with listen(taken) as second:
            assert taken < second.getsockname()[1] < taken + 50
            assert second.getsockname()[0] == "127.0.0.1"


def test_no_free_port_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("truescope.web.server.N_PORTS", 1)
    with listen(0) as first, pytest.raises(SurfaceError, match="no port"):
        listen(first.getsockname()[1])


SERVE = """
import sys
from truescope.web import serve
serve(sys.argv[1], port=int(sys.argv[2]), open_browser=False, on_ready=lambda url: print(url, flush=True))
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_serve_says_a_taken_port_answers_and_stops_at_ctrl_c(tmp_path: Path, view: dict[str, Any]) -> None:
    (tmp_path / "view.json").write_text(json.dumps(view), encoding="utf-8")
    with socket.socket() as blocker:
        blocker.bind(("127.0.0.1", 0))
        blocker.listen()
        taken = blocker.getsockname()[1]
        command = [sys.executable, "-c", SERVE, str(tmp_path), str(taken)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
        with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment) as process:
            assert process.stdout is not None and process.stderr is not None
            url = process.stdout.readline().strip()
            try:
                with urllib.request.urlopen(f"{url}api/view.json", timeout=20) as answer:
                    assert json.load(answer)["prompt"] == view["prompt"]
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(20)
            assert f"port {taken} is taken: using {url.rstrip('/').rsplit(':', 1)[1]}" in process.stderr.read()
