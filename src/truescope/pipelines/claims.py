"""`claims`: what the ledger holds, and running a claim again from its entry alone.

A claim's entry names what runs it again, {"verb": …, "arguments": {…}}; `RERUNS` says which function that is. Such a
function takes a `Rerun` (the claim, its arguments, and where the model and the dictionary lie now) and gives a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from truescope.core.claims import Verdict
from truescope.core.errors import ClaimError, StoreError, UsageError, nearest
from truescope.core.progress import Watcher
from truescope.judge import (
    ClaimRecord,
    Conflict,
    Entry,
    Ledger,
    conflicts_of,
    export,
    failed_first,
    find_conflicts,
    find_record,
    read_records,
    select_records,
)
from truescope.pipelines.reruns import Rerun
from truescope.store import Store

RERUNS: dict[str, str] = {
    "compare": "truescope.pipelines.tables.compare:rerun_comparison",
    "distil": "truescope.pipelines.tables.distil:rerun_distil",
    "calibrate": "truescope.pipelines.calibrate:rerun_expectation",
    "explainers": "truescope.pipelines.tables.explainers:rerun_explainer",
    "judge": "truescope.pipelines.judge:rerun_suppression",
    "judge experiment": "truescope.pipelines.judge:rerun_experiment",
    "gnn audit": "truescope.pipelines.graphs.audit:rerun_dose",
    "gnn benchmark": "truescope.pipelines.graphs.benchmark:rerun_finding",
    "gnn dictionary": "truescope.pipelines.graphs.dictionary:rerun_feature",
}
"""Verb → "module:function" that runs a claim of that verb again; loaded when it is needed."""


@dataclass(frozen=True)
class LedgerView:
    """Some or all claims of a ledger, failed ones first, and every conflict that one of them is part of."""

    path: Path
    records: tuple[ClaimRecord, ...]
    conflicts: tuple[Conflict, ...]
    n_all: int

    def summary(self) -> dict[str, Any]:
        """What ``truescope claims list --json`` prints, and the page reads."""
        return {
            "ledger": str(self.path),
            "n": self.n_all,
            "claims": [record.to_json() for record in self.records],
            "conflicts": [conflict.to_json() for conflict in self.conflicts],
        }


def list_claims(ledger: Path | str | None = None, **conditions: str | None) -> LedgerView:
    """The claims that meet the conditions (``status``, ``level``, ``type``, ``target``, ``text``).

    Raises:
        UsageError: a status, level or type that there is not, or a ledger that is not there.
        StoreError: the ledger is damaged.
    """
    opened = open_ledger(ledger)
    records = read_records(opened.entries())
    chosen = failed_first(select_records(records, **conditions))
    ids = {record.id for record in chosen}
    conflicts = tuple(c for c in find_conflicts(records) if ids & set(c.claims))
    return LedgerView(opened.path, tuple(chosen), conflicts, len(records))


def page_ledger(ledger: Path | str) -> dict[str, Any]:
    """What a page shows of a ledger: every claim without the prompts that run it again, and the conflicts."""
    summary = list_claims(ledger).summary()
    for claim in summary["claims"]:
        if "procedure" in claim:
            claim["procedure"] = {"verb": claim["procedure"].get("verb")}
    return {"claims": summary["claims"], "conflicts": summary["conflicts"]}


def show_claim(beginning: str, ledger: Path | str | None = None) -> dict[str, Any]:
    """One claim in full, with the conflicts that it is part of and the claims on the other side of them.

    Raises:
        UsageError: no claim, or several, begin so.
        StoreError: the ledger is damaged.
    """
    records = read_records(open_ledger(ledger).entries())
    record = find_record(records, beginning)
    conflicts = conflicts_of(find_conflicts(records), record.id)
    others = {name for conflict in conflicts for name in conflict.claims} - {record.id}
    return record.to_json() | {
        "conflicts": [conflict.to_json() for conflict in conflicts],
        "beside": [other.to_json() for other in records if other.id in others],
    }


def export_claims(format: str, ledger: Path | str | None = None, **conditions: str | None) -> str:
    """The claims that meet the conditions as text: json, jsonl, csv or markdown.

    Raises:
        UsageError: there is no such format, status, level, type or ledger.
        StoreError: the ledger is damaged.
    """
    view = list_claims(ledger, **conditions)
    return export(view.records, view.conflicts, format)


def open_ledger(path: Path | str | None = None) -> Ledger:
    """The store's own ledger, or the one in a file.

    Raises:
        UsageError: the file is not there.
    """
    if path is None:
        return Ledger(Store.open().path / "ledger.jsonl")
    found = Path(path).expanduser()
    if not found.is_file():
        raise UsageError(
            f"there is no ledger {found}", fix="name a ledger.jsonl, or leave --ledger out for the store's"
        )
    return Ledger(found)


@dataclass(frozen=True)
class Number:
    """One score as it was and as it is now: "equal", "within" the interval it had, "outside" it, or "missing"."""

    name: str
    before: float
    low: float
    high: float
    now: float | None
    outcome: str


@dataclass(frozen=True)
class Reproduction:
    """A claim run again: whether the status is the same and every number is equal or within its first interval."""

    before: Entry
    verdict: Verdict
    numbers: tuple[Number, ...]
    recorded: bool

    @property
    def reproduced(self) -> bool:
        """Whether it came out the same."""
        same = self.before.body["status"] == self.verdict.status.value
        return same and all(number.outcome in ("equal", "within") for number in self.numbers)

    def summary(self) -> dict[str, Any]:
        """What ``truescope claims rerun --json`` prints."""
        return {
            "id": self.before.claim_id,
            "reproduced": self.reproduced,
            "status": {"before": self.before.body["status"], "now": self.verdict.status.value},
            "evidence_level": {
                "before": self.before.body["evidence_level"],
                "now": self.verdict.evidence_level.value,
            },
            "numbers": [vars(number) for number in self.numbers],
            "recorded": self.recorded,
            "verdict": self.verdict.to_json(),
        }


def rerun_claim(
    beginning: str,
    *,
    ledger: Path | str | None = None,
    model: str | Path | None = None,
    dictionary: str | Path | None = None,
    record: bool = True,
    watcher: Watcher | None = None,
) -> Reproduction:
    """Run a claim again from its entry alone, and compare with the verdict that it was first given.

    ``model`` and ``dictionary`` say where they lie now, if they have moved; they are known by their hashes. The new
    verdict is appended to the ledger as one that was a rerun, unless ``record`` is False.

    Raises:
        UsageError: no claim, or several, begin so.
        ClaimError: the entry says not how to run it, or it was never judged, or the model is another one.
        ModelError, DictionaryError: the model or the dictionary is not there.
        StoreError: the ledger is damaged, or cannot be written.
    """
    opened = open_ledger(ledger)
    found = find_record(read_records(opened.entries()), beginning)
    first = next((entry for entry in found.verdicts if "rerun_of" not in entry.provenance), None)
    if first is None:
        raise ClaimError(
            f"the claim {found.id} was stated and never judged",
            why="there is no verdict to reproduce",
            fix="finish the run that stated it: the same command goes on where it stopped",
        )
    function, arguments = _procedure(found)
    verdict = function(Rerun(found.claim, arguments, model, dictionary, watcher or Watcher()))
    if verdict.claim.id != found.id:
        raise StoreError(f"running {found.id} again gave a verdict on another claim", why=f"on {verdict.claim.id}")
    if record:
        opened.append(verdict, {"rerun_of": first.id})
    return Reproduction(first, verdict, compare_scores(first.body["scores"], verdict), record)


def compare_scores(before: list[dict[str, Any]], verdict: Verdict) -> tuple[Number, ...]:
    """Each score that the first verdict has, beside the one that was measured now."""
    now = {score.name: score.value for score in verdict.scores}
    numbers = []
    for score in before:
        value = now.get(score["name"])
        if value is None:
            outcome = "missing"
        elif value == score["value"]:
            outcome = "equal"
        else:
            outcome = "within" if score["low"] <= value <= score["high"] else "outside"
        numbers.append(Number(score["name"], score["value"], score["low"], score["high"], value, outcome))
    return tuple(numbers)


def _procedure(record: ClaimRecord) -> tuple[Callable[[Rerun], Verdict], Mapping[str, Any]]:
    """The function that runs the claim again, and its arguments."""
    procedure = record.claim.procedure
    if not procedure:
        raise ClaimError(
            f"the entry of {record.id} does not say how the claim is run",
            why="it was stated by a version, or by code, that did not write its procedure",
            fix="state it with Claim.with_procedure(verb, …)",
        )
    verb = str(procedure.get("verb"))
    if verb not in RERUNS:
        raise ClaimError(
            f"no claim of {verb!r} can be run again here",
            why=f"those of {', '.join(RERUNS)} can",
            fix=nearest(verb, RERUNS) or "a newer version may know it",
        )
    module, _, name = RERUNS[verb].partition(":")
    return getattr(import_module(module), name), procedure.get("arguments") or {}
