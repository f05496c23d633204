"""A *case*: a JSON file with prompts, their answers, and claims about groups of units; every part is checked.

::

    {"model": "addition", "dictionary": "neurons",   or the folder of a dictionary
     "prompts": "addition",                          or [{"prompt": "36+59=", "answer": "95"}, …], all of one length
     "seed": 0, "n_controls": 100,
     "claims": [{"group": "units digits", "text": "Setting … loses many exact answers",
                 "units": ["1/20", "1/57"], "predictions": ["within_5 >= 0.99", "exact <= 0.6"]}]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from truescope.core.claims import Claim, Prediction
from truescope.core.errors import ClaimError, UsageError, nearest
from truescope.core.features import Feature
from truescope.judge import SCORES, NumberTask, Statement, token_numbers
from truescope.models import Model
from truescope.pipelines.subjects import ADDITION, NEURONS

FORM = "docs/judging.md shows the form"
LARGEST = 2**53
"""Answers and seeds up to here are the same number everywhere."""


@dataclass(frozen=True)
class ClaimEntry:
    """One claim of a case: a group of units, and what is predicted of the model without it."""

    group: str
    text: str
    units: tuple[Feature, ...]
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True)
class Case:
    """What a case's file says, read and checked; ``record`` is the file's own object."""

    model: str
    dictionary: str
    prompts: str | tuple[tuple[str, str], ...]
    seed: int
    n_controls: int
    grouping: Mapping[str, Any] | None
    claims: tuple[ClaimEntry, ...]
    record: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def read(case: Path | str | Mapping[str, Any]) -> Case:
        """The case in a file, or of a record.

        Raises:
            UsageError: the file is absent or no JSON, or a part is missing, misspelt or of another type; it is named.
            ClaimError: a prediction names no score, relation or threshold.
        """
        record = dict(case) if isinstance(case, Mapping) else _load(Path(case).expanduser())
        _check_parts(record, ("model", "dictionary", "prompts", "seed", "n_controls", "grouping", "claims"), "a case")
        claims = record.get("claims")
        if not isinstance(claims, list) or not claims:
            raise UsageError('a case needs "claims", a list of at least one', fix=FORM)
        grouping = record.get("grouping")
        if grouping is not None and not isinstance(grouping, dict):
            raise _wrong("grouping", grouping, "an object that says how the groups were found")
        return Case(
            model=_text(record, "model", ADDITION),
            dictionary=_text(record, "dictionary", NEURONS),
            prompts=_prompts(record.get("prompts")),
            seed=_count(record, "seed", 0),
            n_controls=_count(record, "n_controls", 100),
            grouping=grouping,
            claims=tuple(_claim(entry, n) for n, entry in enumerate(claims, 1)),
            record=record,
        )

    def task(self, model: Model) -> NumberTask:
        """The prompts and answers as token ids and numbers.

        Raises:
            UsageError: an answer is not one token, or the prompts' lengths differ.
            PromptError: a prompt cannot be read.
        """
        if isinstance(self.prompts, str):
            return addition_task(model)
        rows = [model.tokens(prompt) for prompt, _ in self.prompts]
        if len({len(row) for row in rows}) > 1:
            lengths = sorted({len(row) for row in rows})
            raise UsageError(
                f"the prompts have {lengths[0]} to {lengths[-1]} tokens", fix="judge prompts of one length together"
            )
        tokens = torch.stack(rows)
        if all(answer.strip().isascii() and answer.strip().isdigit() for _, answer in self.prompts):
            numbers = token_numbers(model.token_strings(range(model.n_vocab)))
            return NumberTask(tokens, np.array([_number(answer) for _, answer in self.prompts]), numbers)
        answers = np.array([_answer_token(model, prompt, answer) for prompt, answer in self.prompts])
        return NumberTask(tokens, answers, np.arange(model.n_vocab, dtype=np.float64))

    def stated(self, statement: Statement) -> list[Claim]:
        """The claims in full: what every one of them shares is in ``statement``.

        Raises:
            ClaimError: a unit was not measured.
        """
        return [statement.suppression(claim.group, claim.units, claim.text, claim.predictions) for claim in self.claims]


def with_procedures(claims: Sequence[Claim], record: Mapping[str, Any]) -> list[Claim]:
    """The claims of a case, each with what runs it again: the case with this claim alone."""
    return [
        claim.with_procedure("judge", case={**record, "claims": [entry]})
        for claim, entry in zip(claims, record["claims"], strict=True)
    ]


def addition_task(model: Model) -> NumberTask:
    """The built-in world's 10,000 sums and their answers."""
    from truescope.truth.addition import addition_prompts

    tokens, answers = addition_prompts()
    return NumberTask(tokens, answers.numpy(), token_numbers(model.token_strings(range(model.n_vocab))))


def parse_prediction(text: str) -> Prediction:
    """Read ``exact <= 0.6``.

    Raises:
        ClaimError: the score, the relation or the threshold is none.
    """
    words = text.split()
    if len(words) != 3 or words[0] not in SCORES:
        near = nearest(words[0], SCORES) if words else ""
        raise ClaimError(
            f"{text!r} is no prediction",
            why=f"the scores are {', '.join(SCORES)}",
            fix=" ".join(filter(None, (near, "write: exact <= 0.6"))),
        )
    try:
        return Prediction(words[0], words[1], float(words[2]))
    except ValueError as error:
        raise ClaimError(f"{text!r} is no prediction", why=str(error), fix="write: exact <= 0.6") from error


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError(f"there is no case {path}", fix="`truescope demo` writes one: case.json in its run folder")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON", why=str(error), fix=FORM) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=str(error)) from error
    if not isinstance(record, dict):
        raise UsageError(f"{path} is no case", why=f"it holds a JSON {_kind(record)}, not an object", fix=FORM)
    return record


def _claim(entry: Any, n: int) -> ClaimEntry:
    """Claim ``n`` of a case."""
    place = f"claim {n} of the case"
    if not isinstance(entry, dict):
        raise _wrong(place, entry, "an object")
    _check_parts(entry, ("group", "text", "units", "predictions"), place)
    for part in ("text", "units", "predictions"):
        if part not in entry:
            raise UsageError(
                f"{place} is incomplete: it has no {part}",
                fix='a claim has text, units ("layer/index") and predictions ("exact <= 0.6")',
            )
    predictions = _texts(entry["predictions"], f"predictions of {place}", '["exact <= 0.6"]')
    if not predictions:
        raise UsageError(f"{place} predicts nothing", fix='say what a score must do: "exact <= 0.6"')
    return ClaimEntry(
        group=_text(entry, "group", f"group {n}", place),
        text=_text(entry, "text", "", place),
        units=tuple(_unit(text, place) for text in _texts(entry["units"], f"units of {place}", '["1/20", "1/57"]')),
        predictions=tuple(parse_prediction(text) for text in predictions),
    )


def _unit(text: str, place: str) -> Feature:
    layer, _, index = text.partition("/")
    if not (layer.isascii() and layer.isdigit() and index.isascii() and index.isdigit()):
        raise UsageError(f"{place} is incomplete: {text!r} is no unit", fix='a unit is "layer/index", as in "1/20"')
    return Feature(int(layer), int(index))


def _prompts(prompts: Any) -> str | tuple[tuple[str, str], ...]:
    if prompts == ADDITION:
        return ADDITION
    if not isinstance(prompts, list) or len(prompts) < 2:
        raise UsageError(
            'a case needs "prompts"', fix='"addition", or a list of {"prompt": …, "answer": …}, two or more'
        )
    return tuple(_prompt(entry, n) for n, entry in enumerate(prompts, 1))


def _prompt(entry: Any, n: int) -> tuple[str, str]:
    place = f"prompt {n} of the case"
    if not isinstance(entry, dict) or not {"prompt", "answer"} <= set(entry):
        raise UsageError(
            f"{place} needs a prompt and an answer", why=f"it is {entry!r:.80}", fix='{"prompt": "1+1=", "answer": "2"}'
        )
    answer = entry["answer"]
    if isinstance(answer, int) and not isinstance(answer, bool):
        answer = str(answer)
    if not isinstance(answer, str) or not answer:
        raise _wrong(f"the answer of {place}", entry["answer"], "a text or a whole number")
    return _text(entry, "prompt", "", place), answer


def _number(answer: str) -> int:
    value = int(answer) if len(answer.strip()) < 20 else LARGEST
    if value >= LARGEST:
        raise UsageError(f"the answer {answer:.40} is too large", fix="give answers below 2^53")
    return value


def _answer_token(model: Model, prompt: str, answer: str) -> int:
    """The one token that ``answer`` adds to ``prompt``."""
    before, after = model.tokens(prompt).tolist(), model.tokens(prompt + answer).tolist()
    if after[: len(before)] != before or len(after) != len(before) + 1:
        raise UsageError(
            f"the answer {answer!r} to {prompt!r} is not one token", fix="give answers of one token, with their space"
        )
    return after[-1]


def _check_parts(record: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for part in record:
        if part not in known:
            raise UsageError(
                f"{place} has no part {part!r:.40}",
                why=f"its parts are {', '.join(known)}",
                fix=nearest(str(part), known) or "leave it out",
            )


def _count(record: Mapping[str, Any], part: str, default: int) -> int:
    value = record.get(part, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST:
        raise _wrong(part, value, "a whole number from 0 up")
    return value


def _text(record: Mapping[str, Any], part: str, default: str, place: str = "a case") -> str:
    value = record.get(part, default)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(f"{part} of {place}", value, "a text")
    return value


def _texts(value: Any, place: str, example: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise _wrong(place, value, f"a list of texts: {example}")
    return value


def _wrong(place: str, value: Any, wanted: str) -> UsageError:
    return UsageError(
        f"{place} is {value!r:.60}", why=f"a JSON {_kind(value)} stands where {wanted} belongs", fix=f"give {wanted}"
    )


def _kind(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
