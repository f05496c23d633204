"""The documentation is true: its links lead somewhere, its commands parse, its case is one, its code runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from truescope.cli.main import build_app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, *languages: str) -> list[str]:
    found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [text for language, text in found if language in languages]


def commands(page: str) -> list[str]:
    """The calls of truescope in a page's blocks, as a person would type them."""
    lines = [line for text in blocks(page, "", "sh", "bash", "console") for line in text.splitlines()]
    calls = [re.fullmatch(r"(?:\$ )?(?:\.venv/bin/)?truescope (.+)", line) for line in lines]
    return [call[1] for call in calls if call and "…" not in call[1]]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    here = (ROOT / page).parent
    assert [t for t in targets if not re.match(r"[a-z]+:", t) and not (here / t).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_parse(page: str) -> None:
    app = build_app()
    for call in commands(page):
        app.parse_args(shlex.split(call, comments=True), exit_on_error=False, print_error=False)


def test_commands_are_found_where_they_are() -> None:
    assert any(call.startswith("trace ") for call in commands("docs/tracing.md"))
    assert any(call.startswith("judge ") for call in commands("docs/judging.md"))


@pytest.mark.parametrize("page", PAGES)
def test_python_is_python(page: str) -> None:
    for text in blocks(page, "python"):
        compile(text, page, "exec")


def test_the_case_in_the_documentation_is_one() -> None:
    from truescope.pipelines.cases import Case

    text, experiments = blocks("docs/judging.md", "json")
    case = Case.read(json.loads(text))
    prompts = json.loads(text)["prompts"]
    asked = Case.read(json.loads(experiments.replace("[…]", json.dumps(prompts)))).experiments
    assert [one.ask for one in asked] == ["dose-response", "necessity", "path"]
    assert [str(unit) for unit in case.claims[0].units] == ["1/20", "1/57"] and case.n_controls == 100


def test_tracing_from_python_as_it_is_written() -> None:
    (text,) = blocks("docs/tracing.md", "python")
    names: dict[str, object] = {}
    exec(compile(text, "docs/tracing.md", "exec"), names)
    report = names["report"]
    assert {path.name for path in report.folder.iterdir()} >= {"graph", "view.json", "units.json"}  # type: ignore[attr-defined]
    ids = {node.id for node in report.graph.nodes}  # type: ignore[attr-defined]
    assert any(re.fullmatch(r"unit\.\d+\.\d+\.\d+", node) for node in ids)
