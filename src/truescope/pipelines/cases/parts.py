"""The parts of a case, each read and checked: what is missing, misspelt or of another type is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from truescope.core.claims import Prediction
from truescope.core.errors import ClaimError, UsageError, nearest
from truescope.core.features import Feature
from truescope.judge import SCORES

FORM = "docs/judging.md shows the form"
LARGEST = 2**53
"""Answers and seeds up to here are the same number everywhere."""


def parse_prediction(text: str, scores: Sequence[str] = SCORES) -> Prediction:
    """Read ``exact <= 0.6``.

    Raises:
        ClaimError: the score, the relation or the threshold is none.
    """
    words = text.split()
    if len(words) != 3 or words[0] not in scores:
        near = nearest(words[0], scores) if words else ""
        raise ClaimError(
            f"{text!r} is no prediction",
            why=f"the scores are {', '.join(scores)}",
            fix=" ".join(filter(None, (near, f"write: {scores[0]} <= 0.6"))),
        )
    try:
        return Prediction(words[0], words[1], float(words[2]))
    except ValueError as error:
        raise ClaimError(f"{text!r} is no prediction", why=str(error), fix=f"write: {scores[0]} <= 0.6") from error


def read_units(entry: Mapping[str, Any], part: str, place: str) -> tuple[Feature, ...]:
    """The units that a list of "layer/index" names."""
    return tuple(_unit(text, place) for text in read_texts(entry[part], f"{part} of {place}", '["1/20", "1/57"]'))


def _unit(text: str, place: str) -> Feature:
    layer, _, index = text.partition("/")
    if not (layer.isascii() and layer.isdigit() and index.isascii() and index.isdigit()):
        raise UsageError(f"{place} is incomplete: {text!r} is no unit", fix='a unit is "layer/index", as in "1/20"')
    return Feature(int(layer), int(index))


def check_parts(record: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    """Refuse a part that is none."""
    for part in record:
        if part not in known:
            raise UsageError(
                f"{place} has no part {part!r:.40}",
                why=f"its parts are {', '.join(known)}",
                fix=nearest(str(part), known) or "leave it out",
            )


def read_count(record: Mapping[str, Any], part: str, default: int) -> int:
    """A whole number."""
    value = record.get(part, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST:
        raise wrong_part(part, value, "a whole number from 0 up")
    return value


def read_text(record: Mapping[str, Any], part: str, default: str, place: str = "a case") -> str:
    """A text that says something."""
    value = record.get(part, default)
    if not isinstance(value, str) or not value.strip():
        raise wrong_part(f"{part} of {place}", value, "a text")
    return value


def read_texts(value: Any, place: str, example: str) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise wrong_part(place, value, f"a list of texts: {example}")
    return value


def wrong_part(place: str, value: Any, wanted: str) -> UsageError:
    """What is wrong with a part, and what belongs there."""
    return UsageError(
        f"{place} is {value!r:.60}", why=f"a JSON {kind_of(value)} stands where {wanted} belongs", fix=f"give {wanted}"
    )


def kind_of(value: Any) -> str:
    """What JSON calls a value."""
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
