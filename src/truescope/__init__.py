"""Truescope: an open microscope for neural networks whose every explanation is checked against the model itself.

The Python API is one function for each verb (`truescope.pipelines`) and the nouns they speak of (`truescope.core`):

>>> import truescope
>>> report = truescope.demo()                      # doctest: +SKIP
>>> graph = truescope.trace("Once upon a time", model="path/or/hub-name").graph   # doctest: +SKIP

Importing the package imports neither torch nor numpy; what is needed is imported when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Dictionary": "truescope.dictionaries",
    "Model": "truescope.models",
    "Store": "truescope.store",
    "TruescopeError": "truescope.core",
    "compare": "truescope.pipelines",
    "demo": "truescope.pipelines",
    "judge": "truescope.pipelines",
    "load_graph": "truescope.trace",
    "trace": "truescope.pipelines",
    "train": "truescope.pipelines",
}

__all__ = [*_WHERE]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'truescope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_WHERE, "__version__"])


class _Package(ModuleType):
    """Some verbs have the name of a room (`trace`, `judge`, `train`): ``truescope.trace`` is always the verb.

    Python would bind a room to its name here as soon as anything imports it. The room itself is reached as ever, by
    ``from truescope.trace import …``.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _WHERE and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
