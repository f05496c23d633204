"""The house's measures: no function of 60 lines, no file of more than 500, no room of more than 2,500."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "truescope"


def test_functions_are_short() -> None:
    long = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                n = (node.end_lineno or node.lineno) - node.lineno + 1
                if n >= 60:
                    long.append(f"{path.relative_to(SOURCE)}: {node.name} has {n} lines")
    assert long == []


def test_files_are_short() -> None:
    texts = [path for pattern in ("*.py", "*.js", "*.css") for path in SOURCE.rglob(pattern)]
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in texts}
    assert {str(path.relative_to(SOURCE)): n for path, n in sizes.items() if n > 500} == {}
    assert sorted(sizes.values())[len(sizes) // 2] < 200


def test_rooms_can_be_read_in_a_sitting() -> None:
    """A room is a folder with an ``__init__``; its inner rooms count for themselves."""
    sizes = {}
    for room in SOURCE.rglob("__init__.py"):
        texts = [path.read_text(encoding="utf-8") for path in room.parent.glob("*.py")]
        sizes[str(room.parent.relative_to(SOURCE))] = sum(len(text.splitlines()) for text in texts)
    assert {room: n for room, n in sizes.items() if n > 2500} == {}
