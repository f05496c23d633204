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
from truescope.core.errors import UsageError
from truescope.core.features import Feature
from truescope.judge import NumberTask, Statement, token_numbers
from truescope.models import Model
from truescope.pipelines.cases.experiments import ExperimentEntry
from truescope.pipelines.cases.parts import (
    FORM,
    LARGEST,
    check_parts,
    kind_of,
    parse_prediction,
    read_count,
    read_text,
    read_texts,
    read_units,
    wrong_part,
)
from truescope.pipelines.subjects import ADDITION, NEURONS

PARTS = ("model", "dictionary", "prompts", "seed", "n_controls", "grouping", "claims", "experiments", "n_pairs")


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
    experiments: tuple[ExperimentEntry, ...]
    n_pairs: int
    record: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def read(case: Path | str | Mapping[str, Any]) -> Case:
        """The case in a file, or of a record.

        Raises:
            UsageError: the file is absent or no JSON, or a part is missing, misspelt or of another type; it is named.
            ClaimError: a prediction names no score, relation or threshold.
        """
        record = dict(case) if isinstance(case, Mapping) else _load(Path(case).expanduser())
        check_parts(record, PARTS, "a case")
        claims, experiments = record.get("claims", []), record.get("experiments", [])
        if not isinstance(claims, list) or not isinstance(experiments, list) or not claims + experiments:
            raise UsageError('a case needs "claims" or "experiments", a list of at least one', fix=FORM)
        grouping = record.get("grouping")
        if grouping is not None and not isinstance(grouping, dict):
            raise wrong_part("grouping", grouping, "an object that says how the groups were found")
        return Case(
            model=read_text(record, "model", ADDITION),
            dictionary=read_text(record, "dictionary", NEURONS),
            prompts=_prompts(record.get("prompts")),
            seed=read_count(record, "seed", 0),
            n_controls=read_count(record, "n_controls", 100),
            grouping=grouping,
            claims=tuple(_claim(entry, n) for n, entry in enumerate(claims, 1)),
            experiments=tuple(ExperimentEntry.read(entry, n) for n, entry in enumerate(experiments, 1)),
            n_pairs=read_count(record, "n_pairs", 200),
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
    alone = {part: value for part, value in record.items() if part != "experiments"}
    return [
        claim.with_procedure("judge", case={**alone, "claims": [entry]})
        for claim, entry in zip(claims, record.get("claims", []), strict=True)
    ]


def addition_task(model: Model) -> NumberTask:
    """The built-in world's 10,000 sums and their answers."""
    from truescope.truth.addition import addition_prompts

    tokens, answers = addition_prompts()
    return NumberTask(tokens, answers.numpy(), token_numbers(model.token_strings(range(model.n_vocab))))


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
        raise UsageError(f"{path} is no case", why=f"it holds a JSON {kind_of(record)}, not an object", fix=FORM)
    return record


def _claim(entry: Any, n: int) -> ClaimEntry:
    """Claim ``n`` of a case."""
    place = f"claim {n} of the case"
    if not isinstance(entry, dict):
        raise wrong_part(place, entry, "an object")
    check_parts(entry, ("group", "text", "units", "predictions"), place)
    for part in ("text", "units", "predictions"):
        if part not in entry:
            raise UsageError(
                f"{place} is incomplete: it has no {part}",
                fix='a claim has text, units ("layer/index") and predictions ("exact <= 0.6")',
            )
    predictions = read_texts(entry["predictions"], f"predictions of {place}", '["exact <= 0.6"]')
    if not predictions:
        raise UsageError(f"{place} predicts nothing", fix='say what a score must do: "exact <= 0.6"')
    return ClaimEntry(
        group=read_text(entry, "group", f"group {n}", place),
        text=read_text(entry, "text", "", place),
        units=read_units(entry, "units", place),
        predictions=tuple(parse_prediction(text) for text in predictions),
    )


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
        raise wrong_part(f"the answer of {place}", entry["answer"], "a text or a whole number")
    return read_text(entry, "prompt", "", place), answer


def _number(answer: str) -> int:
    value = int(answer) if len(answer.strip()) < 20 else LARGEST
    if value >= LARGEST:
        raise UsageError(f"the answer {answer:.40} is too large", fix="give answers below 2^53")
    return value


def _answer_token(model: Model, prompt: str, answer: str) -> int:
    """The one token that ``answer`` adds to ``prompt``."""
    before, after = model.tokens(prompt).tolist(), model.tokens(prompt + answer, beyond=1).tolist()
    if after[: len(before)] != before or len(after) != len(before) + 1:
        raise UsageError(
            f"the answer {answer!r} to {prompt!r} is not one token", fix="give answers of one token, with their space"
        )
    return after[-1]
