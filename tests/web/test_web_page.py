"""The one-file page: nothing from elsewhere, one policy with the scripts' hashes, no text read as markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from truescope.core.errors import SurfaceError
from truescope.web import page, self_contained
from web.example_view import HOSTILE

pytest.importorskip("plotly")


class Reader(HTMLParser):
    """Collects every tag and the text of every script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def small(view: dict[str, Any], units: dict[str, Any]) -> str:
    """Without an operand plot, and so without plotly's 5 MB."""
    return self_contained(view, {key: {**unit, "operand_plot": None} for key, unit in list(units.items())[:3]})


def test_records_survive_the_page(small: str, view: dict[str, Any]) -> None:
    assert any(node["label"] == HOSTILE for node in view["graph"]["nodes"])
    assert json.loads(Reader(small).scripts[0])["view"] == view


def test_hostile_text_makes_no_tag(small: str, view: dict[str, Any]) -> None:
    harmless = json.loads(json.dumps(view).replace(json.dumps(HOSTILE)[1:-1], "plain"))
    assert [tag for tag, _ in Reader(small).tags] == [tag for tag, _ in Reader(self_contained(harmless, {})).tags]


def test_a_hostile_title_stays_text(view: dict[str, Any]) -> None:
    assert HOSTILE not in self_contained({**view, "title": HOSTILE}, {})


def test_the_policy_names_each_script_by_its_hash(view: dict[str, Any], units: dict[str, Any]) -> None:
    text = self_contained(view, units)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    scripts = re.findall(r'<script type="(?:text/javascript|module)">(.*?)</script>', text, re.DOTALL)
    hashes = {f"sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}" for s in scripts}
    assert len(scripts) == 2
    assert set(re.findall(r"sha256-[^']+", policy[1])) == hashes
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")


def test_nothing_is_loaded_from_elsewhere(small: str) -> None:
    addresses = [
        value for _, attributes in Reader(small).tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert all(value is not None and value.startswith(("data:", "#")) for value in addresses)


def test_plotly_is_left_out_where_nothing_needs_it(small: str) -> None:
    assert len(small) < 1_000_000


def test_every_module_is_bundled_once() -> None:
    script = page.bundle()
    for module in page.STATIC.glob("*.js"):
        assert script.count(f"const module_{module.stem} = ") == 1, f"{module.name} is not reached from main.js"
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)


def test_modules_that_import_each_other_in_a_circle_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.js").write_text('import { b } from "./other.js";\nexport const a = 1;\n')
    (tmp_path / "other.js").write_text('import { a } from "./main.js";\nexport const b = 1;\n')
    monkeypatch.setattr(page, "STATIC", tmp_path)
    with pytest.raises(SurfaceError, match="main → other → main"):
        page.bundle()
