"""The code hash: it changes with every source that can change a result, and with no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from truescope.store import code_hash
from truescope.store.code import _hash_from, reached

FILES = {
    "truescope/__init__.py": "__version__ = '1'\n",
    "truescope/rooms/__init__.py": "from truescope.rooms.inner import thing\n",
    "truescope/rooms/inner.py": "thing = 1\n",
    "truescope/verbs/__init__.py": "from truescope.verbs.other import never\n",
    "truescope/verbs/verb.py": (
        "import numpy\nfrom truescope.rooms import (\n    thing,\n)\n\ndef verb():\n"
        "    from truescope import late\n    return late, thing\n"
    ),
    "truescope/verbs/other.py": "never = 1\n",
    "truescope/late.py": "import truescope.rooms.inner\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_is_reached_is_what_is_imported(package: Path) -> None:
    found = set(reached(package, "truescope.verbs.verb"))
    assert found == {
        "truescope",
        "truescope.verbs.verb",
        "truescope.rooms",
        "truescope.rooms.inner",
        "truescope.late",
    }


@pytest.mark.parametrize("name", FILES)
def test_the_hash_changes_with_what_is_reached_and_with_nothing_else(package: Path, name: str) -> None:
    before = _hash_from(package, "truescope.verbs.verb")
    assert _hash_from(package, "truescope.verbs.verb") == before
    (package / name).write_text(FILES[name] + "# changed\n")
    changed = _hash_from(package, "truescope.verbs.verb") != before
    assert changed == (name not in ("truescope/verbs/__init__.py", "truescope/verbs/other.py"))


def test_a_pipelines_hash_covers_what_it_runs_and_no_surface() -> None:
    root = Path(sys.modules["truescope"].__file__ or "").parents[1]
    found = reached(root, "truescope.pipelines.demo")
    assert {"truescope.judge.suppression", "truescope.models.tail", "truescope.truth.addition"} <= set(found)
    assert not [name for name in found if name.startswith(("truescope.cli", "truescope.web"))]
    assert len(code_hash("truescope.pipelines.demo")) == 64


def test_an_installed_copy_without_git_has_the_same_hash(tmp_path: Path) -> None:
    import truescope

    source = Path(truescope.__file__ or "").parent
    for path in source.rglob("*.py"):
        copy = tmp_path / "truescope" / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    words = "from truescope.store import code_hash; print(code_hash('truescope.pipelines.demo'))"
    done = subprocess.run([sys.executable, "-c", words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == code_hash("truescope.pipelines.demo")
