"""`judge`: claims about groups of units, stated and then tested on a model.

A *case* is a JSON file with the prompts, their answers and the claims::

    {"model": "addition", "dictionary": "neurons",         or the folder of a dictionary
     "prompts": "addition",                          or [{"prompt": "36+59=", "answer": "95"}, …], all of one length
     "seed": 0, "n_controls": 100,
     "claims": [{"group": "units digits", "text": "Setting … loses many exact answers",
                 "units": ["1/20", "1/57"], "predictions": ["within_5 >= 0.99", "exact <= 0.6"]}]}

The seed splits the prompts: means, sizes and live units are measured on one half, the claims are tested on the other.
Where every answer is a whole number the scores are ``exact``, ``within_5``, ``units_digit`` and ``error``; otherwise an
answer is one token, and ``exact`` alone means something.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from truescope.core.claims import Claim, Prediction, Verdict
from truescope.core.errors import ClaimError, UsageError
from truescope.core.features import Feature
from truescope.core.progress import Watcher
from truescope.dictionaries import Dictionary
from truescope.explain import UnitSet, last_activations
from truescope.judge import NEURONS, SCORES, Ledger, NumberTask, Statement, judge_suppression, token_numbers
from truescope.models import Model
from truescope.pipelines.subjects import ADDITION, load_dictionary, load_model
from truescope.statistics import UnitStatistics, split_half
from truescope.store import Store, commit, versions


@dataclass(frozen=True)
class Halves:
    """A task cut in two by a seed, and the units as the first half shows them."""

    task: NumberTask
    seed: int
    grouping: Int[np.ndarray, " n_grouping"]
    judging: Int[np.ndarray, " n_judging"]
    units: UnitStatistics
    dictionary: Dictionary | None = None

    @staticmethod
    def cut(
        model: Model,
        task: NumberTask,
        seed: int,
        activations: np.ndarray | None = None,
        dictionary: Dictionary | None = None,
    ) -> Halves:
        """Split the prompts and measure every unit at the last position over the grouping half."""
        grouping, judging = split_half(len(task), seed)
        # All prompts in one order, so that the means come out the same to the last bit whoever measures them.
        seen = last_activations(model, task.tokens, dictionary=dictionary) if activations is None else activations
        units = UnitStatistics.measure(seen[grouping], UnitSet(model, dictionary).every())
        return Halves(task, seed, grouping, judging, units, dictionary)

    @cached_property
    def judged(self) -> NumberTask:
        """The task on the judging half."""
        return self.task.rows(self.judging)

    def statement(self, model: Model, *, rule: Mapping[str, Any], n_controls: int) -> Statement:
        """What every claim on these halves shares."""
        return Statement(
            model_hash=model.hash,
            task=self.judged,
            units=self.units,
            rule=dict(rule),
            split_seed=self.seed,
            n_population=len(self.task),
            n_controls=n_controls,
            control_seed=self.seed,
            dictionary=NEURONS if self.dictionary is None else self.dictionary.name,
        )


def judge_claims(
    model: Model, claims: Sequence[Claim], halves: Halves, ledger: Ledger, watcher: Watcher
) -> list[Verdict]:
    """State the claims in the ledger, test them, and write the verdicts down."""
    provenance = {"versions": versions(), "commit": commit(), "seed": halves.seed, "model": model.name}
    for claim in claims:
        ledger.state(claim, provenance)
    with watcher.stage("judge") as said:
        verdicts = judge_suppression(
            model, claims, halves.judged, halves.units, dictionary=halves.dictionary, progress=watcher.progress
        )
        said["text"] = f"Judged {len(claims)} claims on {len(halves.judged):,} prompts, with {_n_controls(claims)}"
    for verdict in verdicts:
        ledger.append(verdict, provenance)
    return verdicts


def _n_controls(claims: Sequence[Claim]) -> str:
    return f"{sum(claim.control.n for claim in claims):,} matched random groups"


@dataclass(frozen=True)
class JudgeReport:
    """The verdicts on a case, and the ledger that holds them."""

    verdicts: tuple[Verdict, ...]
    ledger: Path
    seconds: Mapping[str, float]

    def summary(self) -> dict[str, Any]:
        """What ``truescope judge --json`` prints."""
        return {
            "claims": [verdict.to_json() for verdict in self.verdicts],
            "ledger": str(self.ledger),
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
        }


def judge(
    case: Path | str | Mapping[str, Any],
    *,
    model: str | Path | Model | None = None,
    n_controls: int | None = None,
    seed: int | None = None,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> JudgeReport:
    """Test the claims of a case, on its own model or on ``model``; ``n_controls`` and ``seed`` override the case's.

    Raises:
        UsageError: the case is absent, no JSON, or lacks a part; the part is named.
        ClaimError: a claim that cannot be judged as it stands.
    """
    watcher = watcher or Watcher()
    record = _read_case(case)
    if "grouping" in record and seed is not None and seed != record.get("seed", 0):
        raise UsageError(
            f"this case's groups were found on the half that seed {record.get('seed', 0)} gives",
            why=f"with seed {seed} they would be judged on prompts that they were found on",
            fix="leave --seed out, or find the groups anew: truescope demo --seed",
        )
    with watcher.stage("load") as said:
        subject = load_model(model if model is not None else record.get("model", ADDITION))
        said["text"] = f"Loaded {subject.name} ({subject.family.name}, {subject.n_layers} layers)"
    task = read_task(subject, record.get("prompts"))
    dictionary = load_dictionary(record.get("dictionary", NEURONS), subject)
    halves = Halves.cut(subject, task, int(record.get("seed", 0) if seed is None else seed), dictionary=dictionary)
    statement = halves.statement(
        subject,
        rule=record.get("grouping", {"rule": "named by the case"}),
        n_controls=int(record.get("n_controls", 100) if n_controls is None else n_controls),
    )
    claims = [_claim(statement, entry, n) for n, entry in enumerate(record["claims"], 1)]
    ledger = Ledger((store or Store.open()).path / "ledger.jsonl")
    verdicts = judge_claims(subject, claims, halves, ledger, watcher)
    return JudgeReport(tuple(verdicts), ledger.path, watcher.seconds)


def read_task(model: Model, prompts: Any) -> NumberTask:
    """The prompts and answers of a case as token ids and numbers.

    Raises:
        UsageError: a prompt or an answer is missing, an answer is not one token, or the prompts' lengths differ.
    """
    if prompts == ADDITION:
        from truescope.truth.addition import addition_prompts

        tokens, answers = addition_prompts()
        return NumberTask(tokens, answers.numpy(), token_numbers(model.token_strings(range(model.n_vocab))))
    if not isinstance(prompts, list) or len(prompts) < 2:
        raise UsageError(
            'a case needs "prompts"', fix='"addition", or a list of {"prompt": …, "answer": …}, two or more'
        )
    try:
        texts = [(str(entry["prompt"]), str(entry["answer"])) for entry in prompts]
    except (KeyError, TypeError) as error:
        raise UsageError(
            "every prompt of a case needs a prompt and an answer", why=f"{type(error).__name__}: {error}"
        ) from error
    rows = [model.tokens(prompt) for prompt, _ in texts]
    if len({len(row) for row in rows}) > 1:
        lengths = sorted({len(row) for row in rows})
        raise UsageError(
            f"the prompts have {lengths[0]} to {lengths[-1]} tokens", fix="judge prompts of one length together"
        )
    tokens = torch.stack(rows)
    if all(answer.strip().isascii() and answer.strip().isdigit() for _, answer in texts):
        numbers = token_numbers(model.token_strings(range(model.n_vocab)))
        return NumberTask(tokens, np.array([int(answer) for _, answer in texts]), numbers)
    answers = np.array([_answer_token(model, prompt, answer) for prompt, answer in texts])
    return NumberTask(tokens, answers, np.arange(model.n_vocab, dtype=np.float64))


def _answer_token(model: Model, prompt: str, answer: str) -> int:
    """The one token that ``answer`` adds to ``prompt``."""
    before, after = model.tokens(prompt).tolist(), model.tokens(prompt + answer).tolist()
    if after[: len(before)] != before or len(after) != len(before) + 1:
        raise UsageError(
            f"the answer {answer!r} to {prompt!r} is not one token", fix="give answers of one token, with their space"
        )
    return after[-1]


def _read_case(case: Path | str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(case, Mapping):
        record: Any = dict(case)
    else:
        path = Path(case)
        if not path.is_file():
            raise UsageError(f"there is no case {path}", fix="`truescope demo` writes one: case.json in its run folder")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{path} is not JSON", why=str(error)) from error
    if not isinstance(record, dict) or not isinstance(record.get("claims"), list) or not record["claims"]:
        raise UsageError('a case needs "claims", a list of at least one', fix="docs/judging.md shows the form")
    return record


def _claim(statement: Statement, entry: Any, n: int) -> Claim:
    """Claim ``n`` of a case, stated."""
    try:
        pairs = [str(unit).split("/") for unit in entry["units"]]
        units = [Feature(int(layer), int(index)) for layer, index in pairs]
        predictions = [parse_prediction(str(text)) for text in entry["predictions"]]
        text, group = str(entry["text"]), str(entry.get("group", f"group {n}"))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"claim {n} of the case is incomplete",
            why=f"{type(error).__name__}: {error}",
            fix='a claim has text, units ("layer/index") and predictions ("exact <= 0.6")',
        ) from error
    return statement.suppression(group, units, text, predictions)


def parse_prediction(text: str) -> Prediction:
    """Read ``exact <= 0.6``.

    Raises:
        ClaimError: the score, the relation or the threshold is none.
    """
    words = text.split()
    if len(words) != 3 or words[0] not in SCORES:
        raise ClaimError(
            f"{text!r} is no prediction", why=f"the scores are {', '.join(SCORES)}", fix="write: exact <= 0.6"
        )
    try:
        return Prediction(words[0], words[1], float(words[2]))
    except ValueError as error:
        raise ClaimError(f"{text!r} is no prediction", why=str(error), fix="write: exact <= 0.6") from error
