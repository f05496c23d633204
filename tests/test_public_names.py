"""Every room's public names are exactly its ``__all__``, and each is documented."""

from __future__ import annotations

from importlib import import_module

import pytest

import truescope

ROOMS = [
    "activations",
    "core",
    "dictionaries",
    "explain",
    "judge",
    "models",
    "pipelines",
    "statistics",
    "store",
    "tabular",
    "trace",
    "trace.patching",
    "train",
    "web",
]


@pytest.mark.parametrize("room", ROOMS)
def test_public_names(room: str) -> None:
    module = import_module(f"truescope.{room}")
    assert module.__doc__
    for name in module.__all__:
        thing = getattr(module, name)
        if callable(thing) and getattr(thing, "__module__", "").startswith("truescope"):
            assert (thing.__doc__ or "").strip(), f"{room}.{name} has no docstring"


def test_the_package_offers_its_verbs() -> None:
    for name in truescope.__all__:
        assert getattr(truescope, name).__doc__
    with pytest.raises(AttributeError):
        truescope.nonsense  # noqa: B018
