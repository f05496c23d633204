"""One experiment of a case: a group's dose-response or necessity, or a path from units through others.

::

    {"ask": "dose-response", "group": "capitals", "text": "…", "units": ["0/3", "1/2"],
     "predictions": ["effect >= 0.5"], "doses": [0.25, 0.5, 0.75, 1]}
    {"ask": "necessity", …, "predictions": ["effect >= 0.25"]}
    {"ask": "path", "from": ["0/3"], "through": ["1/2"],
     "predictions": ["effect >= 0.5", "faithfulness >= 0.8", "completeness >= 0.8"]}

A path rests on the dose-response and the necessity that the same case asks of the same units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from truescope.core.claims import Prediction
from truescope.core.errors import UsageError, nearest
from truescope.core.features import Feature
from truescope.judge.experiments import CONTROLS, POSITIONS, SHARES
from truescope.pipelines.cases.parts import (
    FORM,
    check_parts,
    parse_prediction,
    read_text,
    read_texts,
    read_units,
    wrong_part,
)

ASKS = ("dose-response", "necessity", "path")
DOSES = (0.25, 0.5, 0.75, 1.0)
"""The doses of a dose-response, unless told."""
_SHARED = ("ask", "group", "text", "predictions", "positions", "controls")
_PARTS = {"dose-response": ("units", "doses"), "necessity": ("units",), "path": ("from", "through")}


@dataclass(frozen=True)
class ExperimentEntry:
    """What is asked of which units; ``through`` is empty but for a path."""

    ask: str
    group: str
    text: str
    units: tuple[Feature, ...]
    through: tuple[Feature, ...]
    predictions: tuple[Prediction, ...]
    doses: tuple[float, ...]
    positions: str
    controls: str

    @property
    def features(self) -> tuple[Feature, ...]:
        """Every unit of it, sorted."""
        return tuple(sorted({*self.units, *self.through}))

    @staticmethod
    def read(entry: Any, n: int) -> ExperimentEntry:
        """Experiment ``n`` of a case.

        Raises:
            UsageError: a part is missing, misspelt or of another type; it is named.
            ClaimError: a prediction names no score, relation or threshold.
        """
        place = f"experiment {n} of the case"
        if not isinstance(entry, dict):
            raise wrong_part(place, entry, "an object")
        ask = _word(entry, "ask", ASKS, ASKS[0], place)
        parts = (*_SHARED, *_PARTS[ask])
        check_parts(entry, parts, place)
        needed = ("text", "predictions", *(part for part in _PARTS[ask] if part != "doses"))
        missing = [part for part in needed if not entry.get(part)]
        if missing:
            raise UsageError(f"{place} is incomplete: it has no {' and no '.join(missing)}", fix=FORM)
        scores = SHARES if ask == "path" else SHARES[:1]
        texts = read_texts(entry["predictions"], f"predictions of {place}", '["effect >= 0.5"]')
        predictions = tuple(parse_prediction(text, scores) for text in texts)
        if ask != "path" and (len(predictions) != 1 or predictions[0].relation != ">="):
            raise UsageError(f"{place} predicts one effect and how large it is at least", fix='["effect >= 0.5"]')
        return ExperimentEntry(
            ask=ask,
            group=read_text(entry, "group", f"group {n}", place),
            text=read_text(entry, "text", "", place),
            units=read_units(entry, "from" if ask == "path" else "units", place),
            through=read_units(entry, "through", place) if ask == "path" else (),
            predictions=predictions,
            doses=_doses(entry, place),
            positions=_word(entry, "positions", POSITIONS, POSITIONS[0], place),
            controls=_word(entry, "controls", tuple(CONTROLS), "units", place),
        )


def grounds_of(entry: ExperimentEntry, others: tuple[ExperimentEntry, ...]) -> list[int]:
    """Which of a case's experiments a path rests on: those of the same units at the same positions."""
    if entry.ask != "path":
        return []
    here = (entry.features, entry.positions)
    return [i for i, one in enumerate(others) if one.ask != "path" and (one.features, one.positions) == here]


def _word(entry: Mapping[str, Any], part: str, known: tuple[str, ...], default: str, place: str) -> str:
    word = entry.get(part, default)
    if word not in known:
        raise UsageError(
            f"{part} of {place} is {word!r:.40}",
            why=f"it is one of {', '.join(known)}",
            fix=nearest(str(word), known) or f"give {known[0]}",
        )
    return str(word)


def _doses(entry: Mapping[str, Any], place: str) -> tuple[float, ...]:
    doses = entry.get("doses", list(DOSES))
    if not isinstance(doses, list) or not all(isinstance(d, int | float) and not isinstance(d, bool) for d in doses):
        raise wrong_part(f"doses of {place}", doses, "a list of numbers: [0.25, 0.5, 0.75, 1]")
    return tuple(float(dose) for dose in doses)
