"""Every room's public names are exactly its ``__all__``, and each is documented, methods and constants too."""

from __future__ import annotations

import ast
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import truescope

SOURCE = Path(truescope.__file__).parent
ROOMS = sorted(".".join(p.parent.relative_to(SOURCE).parts) for p in SOURCE.glob("*/**/__init__.py"))


def room_of(name: str) -> ModuleType:
    return import_module(f"truescope.{name}")


def test_no_room_is_forgotten() -> None:
    assert {"core", "store", "models", "trace", "explain", "judge", "pipelines", "cli", "web", "truth"} <= set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_exactly_all(room: str) -> None:
    module = room_of(room)
    submodules = {found.name for found in pkgutil.iter_modules(module.__path__)}
    # A submodule is an attribute once it was imported; the other two come of `from __future__` and the shape hook.
    seen = {name for name in vars(module) if not name.startswith("_")} - submodules - {"annotations", "jaxtyping"}
    offered = getattr(module, "__all__", [])
    assert (module.__doc__ or "").strip()
    assert seen - set(offered) == set(), "public, but not in __all__"
    assert [name for name in offered if not hasattr(module, name)] == [], "in __all__, but not there"


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_documented(room: str) -> None:
    module = room_of(room)
    documented = set(_documented_constants(SOURCE.joinpath(*room.split("."))))
    bare = []
    for name in getattr(module, "__all__", []):
        thing = inspect.unwrap(getattr(module, name))
        if inspect.isclass(thing) or inspect.isfunction(thing):
            bare += [f"{name}{part}" for part in _undocumented(thing)]
        elif name not in documented and not (inspect.ismodule(thing) and thing.__doc__):
            bare.append(name)
    assert bare == []


def _undocumented(thing: Any) -> Iterator[str]:
    text = (thing.__doc__ or "").strip()
    # A dataclass without a docstring is given its own signature as one.
    if not text or text.startswith(f"{thing.__name__}("):
        yield ""
    if not inspect.isclass(thing) or not thing.__module__.startswith("truescope"):
        return
    for name, member in vars(thing).items():
        member = getattr(member, "__func__", member)
        own = inspect.isfunction(member) or isinstance(member, property)
        # A method that fills in a protocol or a base has its documentation there.
        if own and not name.startswith("_") and not member.__doc__ and not inspect.getdoc(getattr(thing, name)):
            yield f".{name}"


def _documented_constants(folder: Path) -> Iterator[str]:
    """Names that are assigned at the top of a file of ``folder`` and followed by a docstring."""
    for path in folder.glob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for statement, after in pairwise(body):
            told = (
                isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            )
            if told and isinstance(statement, (ast.Assign, ast.AnnAssign)):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_the_package_offers_its_verbs() -> None:
    assert set(dir(truescope)) == {*truescope.__all__, "__version__"}
    for name in truescope.__all__:
        thing = getattr(truescope, name)
        assert callable(thing) and thing.__doc__
    with pytest.raises(AttributeError):
        truescope.nonsense  # noqa: B018


@pytest.mark.parametrize(
    "first", ["truescope.trace", "truescope.pipelines", "truescope.judge.ledger", "truescope.train"]
)
def test_a_verb_is_a_verb_whatever_was_imported_before(first: str) -> None:
    words = (
        f"import {first}, truescope\n"
        "for _ in range(2):\n"
        "    assert all(callable(getattr(truescope, name)) for name in ('demo', 'trace', 'judge', 'train'))\n"
        "from truescope import trace\n"
        "from truescope.trace import load_graph\n"
        "assert trace is truescope.trace and trace.__module__ == 'truescope.pipelines.trace'\n"
    )
    subprocess.run([sys.executable, "-c", words], env=os.environ | {"PYTHONPATH": str(SOURCE.parent)}, check=True)
