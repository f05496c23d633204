"""Which of the two classes is the positive one: named, or told by a convention, never by the order of the data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

from truescope.core.errors import TableError, nearest

CONVENTIONS = (
    ("false", "true"),
    ("no", "yes"),
    ("n", "y"),
    ("f", "t"),
    ("0", "1"),
    ("-1", "1"),
    ("-", "+"),
    ("negative", "positive"),
    ("neg", "pos"),
    ("absent", "present"),
    ("healthy", "sick"),
    ("noise", "signal"),
    ("control", "case"),
    ("benign", "malignant"),
)
"""Pairs (negative, positive) that mean one thing, whatever their order in the alphabet."""


class PositiveClassWarning(UserWarning):
    """The positive class was not named and no convention tells it."""


def positive_class(classes: Shaped[np.ndarray, 2], named: Any = None) -> Any:
    """The positive one of two classes: ``named``, else by convention, else the larger number or the later word.

    The last of these is told with a `PositiveClassWarning`.

    Raises:
        TableError: ``named`` is neither of them.
    """
    if named is not None:
        for label in classes:
            if label == named or str(label) == str(named):
                return label
        raise TableError(
            f"there is no class {named!r}",
            why=f"the target holds {classes[0]!s} and {classes[1]!s}",
            fix=nearest(str(named), [str(label) for label in classes]),
        )
    by_convention = conventional(classes)
    if by_convention is not None:
        return by_convention
    positive = max(classes, key=_sortable)
    warnings.warn(
        f"which of {classes[0]!s} and {classes[1]!s} is positive was not said; took {positive!s} "
        f"(name it: positive={str(positive)!r})",
        PositiveClassWarning,
        stacklevel=4,
    )
    return positive


def conventional(classes: Shaped[np.ndarray, 2]) -> Any:
    """The positive class where a convention tells it, else None."""
    plain = [_spelling(label) for label in classes]
    for negative, positive in CONVENTIONS:
        if sorted(plain) == sorted((negative, positive)):
            return classes[plain.index(positive)]
    return None


def two_classes(y: Shaped[np.ndarray, " cases"]) -> Shaped[np.ndarray, 2]:
    """The two classes, sorted.

    Raises:
        TableError: there is one class, there are more than two, or they are of different kinds.
    """
    try:
        classes = np.unique(y)
    except TypeError as error:
        raise TableError("Unknown label type: the target mixes kinds of values", why=str(error)) from error
    if len(classes) == 1:
        raise TableError(
            f"the target holds one class only, {classes[0]!s}", why="a tree decides between two classes; there is "
            "nothing to learn from one class", fix="check the column and the rows"
        )  # fmt: skip
    if len(classes) > 2:
        raise TableError(
            f"Only binary classification is supported. The type of the target is multiclass: {len(classes)} classes",
            why="a fast-and-frugal tree decides between two",
            fix="one tree for each class: sklearn.multiclass.OneVsRestClassifier(FastFrugalTreeClassifier())",
        )
    return classes


def as_positive(y: Shaped[np.ndarray, " cases"], positive: Any) -> Bool[np.ndarray, " cases"]:
    """Where the target is the positive class."""
    return np.asarray(y == positive, dtype=bool)


def _spelling(label: Any) -> str:
    text = str(label).strip().lower()
    return text[:-2] if text.endswith(".0") else text


def _sortable(label: Any) -> tuple[bool, float, str]:
    """Numbers by size, also where they are text ("9" before "10"), words by the alphabet."""
    try:
        return (True, float(label), "")
    except (TypeError, ValueError):
        return (False, 0.0, str(label))
