"""The models of a comparison by name: how each is built for a table, and how much of it a person must hold in mind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from truescope.core.errors import UsageError, nearest
from truescope.tabular.columns import Kind

Kinds = Mapping[str, Kind]


@dataclass(frozen=True)
class Complexity:
    """How much of a fitted model there is to hold in mind.

    ``nodes``: questions, terms or rules. ``cues``: cues asked of a case, on average. ``words``: words that say it all,
    None for a model that cannot be said in words.
    """

    nodes: float
    cues: float
    words: int | None


Build = Callable[[Kinds, str, int], Any]
"""From the cues' kinds, the goal and a seed to an unfitted classifier for a data frame, its preparation within it."""
Describe = Callable[[Any, pd.DataFrame], tuple[str, Complexity]]
"""From a fitted classifier and cases to what it says in words ("" if it cannot) and its complexity on them."""


@dataclass(frozen=True)
class TableModel:
    """One model of a comparison. ``opaque``: not meant to be read. ``packages``: what it needs beyond the room."""

    name: str
    title: str
    opaque: bool
    build: Build
    describe: Describe
    packages: tuple[str, ...] = ()

    def missing_packages(self) -> list[str]:
        """Which of the packages are not installed."""
        from importlib.util import find_spec

        return [package for package in self.packages if find_spec(package) is None]


@cache
def registry() -> dict[str, TableModel]:
    """Every model by name, the interpretable ones first."""
    from truescope.tabular.compare import boosted, fast_and_frugal, plain, rules

    models = (*fast_and_frugal.MODELS, *plain.INTERPRETABLE, *boosted.MODELS, *rules.MODELS, *plain.OPAQUE)
    return {model.name: model for model in models}


DEFAULT = ("fft-ifan", "fft-dfan", "tallying", "logistic", "tree", "hist-gradient-boosting", "random-forest")
"""What is compared unless told: what needs no extra, from two questions to hundreds of trees."""

SETS: dict[str, Callable[[TableModel], bool]] = {
    "default": lambda model: model.name in DEFAULT,
    "interpretable": lambda model: not model.opaque,
    "opaque": lambda model: model.opaque,
    "all": lambda model: True,
}
"""Words that stand for several models; those whose extra is not installed are left out of them."""


def models_named(names: Iterable[str], notes: list[str] | None = None) -> tuple[TableModel, ...]:
    """The models of these names (or of the words in `SETS`), each once.

    Raises:
        UsageError: an unknown name, with the nearest ones, or a model whose extra is not installed.
    """
    known = registry()
    chosen: dict[str, TableModel] = {}
    for name in names:
        if name in SETS:
            for model in filter(SETS[name], known.values()):
                if model.missing_packages():
                    (notes if notes is not None else []).append(f"{model.name} is left out: {_how_to_get(model)}")
                else:
                    chosen[model.name] = model
        elif name not in known:
            raise UsageError(
                f"there is no model {name!r}",
                why=f"there are {', '.join(known)}, and the sets {', '.join(SETS)}",
                fix=nearest(name, [*known, *SETS]),
            )
        elif missing := known[name].missing_packages():
            raise UsageError(f"{name} needs {' and '.join(missing)}", fix=_how_to_get(known[name]))
        else:
            chosen[name] = known[name]
    return tuple(chosen.values())


def _how_to_get(model: TableModel) -> str:
    return f"pip install 'truescope[interpretable]' brings {', '.join(model.packages)}"


def count_words(text: str) -> int | None:
    """How many words a text has; None for no text."""
    return len(text.split()) or None
