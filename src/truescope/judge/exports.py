"""A ledger's claims as files: JSON, JSON lines, CSV (a row for each score) and Markdown (what failed first)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from truescope.core.errors import UsageError, nearest
from truescope.core.ids import canonical_json
from truescope.judge.conflicts import Conflict
from truescope.judge.records import STATED, ClaimRecord

ORDER = ("failed", "undecided", "not_testable", "held", STATED)
"""Statuses in the order in which they are shown: what went wrong is read first."""

COLUMNS = (
    *("id", "status", "evidence_level", "type", "text", "score", "predicted", "value", "low", "high", "n"),
    *(
        "control",
        "n_controls",
        "n_controls_won",
        "correction",
        "seeds",
        "assumptions",
        "threats",
        "scope",
        "depends_on",
    ),
    *("model_hash", "dictionary", "data_hash", "artefact", "code_version", "commit", "stated_at", "judged_at"),
    "sentence",
)


def failed_first(records: Sequence[ClaimRecord]) -> list[ClaimRecord]:
    """The claims in the order in which they are shown; those of one status stay in the order of the ledger."""
    return sorted(records, key=lambda record: ORDER.index(record.status))


def export(records: Sequence[ClaimRecord], conflicts: Sequence[Conflict], format: str) -> str:
    """The claims as text in one of `FORMATS`.

    Raises:
        UsageError: there is no such format.
    """
    if format not in FORMATS:
        raise UsageError(
            f"there is no format {format!r}",
            why=f"there are {', '.join(FORMATS)}",
            fix=nearest(format, FORMATS) or "give one of these",
        )
    return FORMATS[format](records, conflicts)


def _json(records: Sequence[ClaimRecord], conflicts: Sequence[Conflict]) -> str:
    whole = {"claims": [r.to_json() for r in records], "conflicts": [c.to_json() for c in conflicts]}
    return json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _jsonl(records: Sequence[ClaimRecord], conflicts: Sequence[Conflict]) -> str:
    return "".join(canonical_json(record.to_json()) + "\n" for record in records)


def _csv(records: Sequence[ClaimRecord], conflicts: Sequence[Conflict]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        for row in _rows(record):
            writer.writerow({name: _cell(row.get(name, "")) for name in COLUMNS})
    return text.getvalue()


def _rows(record: ClaimRecord) -> list[dict[str, Any]]:
    """One row for each measured score, or a single one where none was."""
    whole = record.to_json()
    predicted = {p.score: f"{p.relation} {p.threshold:g}" for p in record.claim.predictions}
    made_by = whole.get("judged_by", whole["stated_by"])
    shared = {name: whole[name] for name in COLUMNS if name in whole}
    shared |= {name: record.claim.target.get(name, "") for name in ("model_hash", "dictionary")}
    shared |= {"data_hash": record.claim.population.get("data_hash", ""), "control": record.claim.control.name}
    shared |= {"code_version": made_by.get("versions", {}).get("truescope", "")}
    shared |= {"commit": (made_by.get("commit") or {}).get("hash", "")}
    controls = whole.get("controls") or []
    if controls:
        shared |= {"n_controls": controls[0]["n"], "n_controls_won": controls[0]["n_won"]}
    return [
        shared
        | {name: score[name] for name in ("value", "low", "high", "n")}
        | {"score": score["name"], "predicted": predicted.get(score["name"], "")}
        for score in whole.get("scores") or []
    ] or [shared]


def _cell(value: Any) -> str:
    """A cell's text; one that a spreadsheet would run as a formula is written as the text that it is."""
    if isinstance(value, list | tuple | dict):
        value = (
            "; ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "; ".join(map(str, value))
        )
    if isinstance(value, str) and value[:1] in ("=", "+", "@", "-"):
        return "'" + value
    return str(value)


def _markdown(records: Sequence[ClaimRecord], conflicts: Sequence[Conflict]) -> str:
    lines = ["# Claims", "", f"{len(records)} claims, {len(conflicts)} conflicts; what failed stands first.", ""]
    if conflicts:
        lines += ["## Conflicts", ""]
        lines += [f"- {_escaped(c.sentence)} ({', '.join(f'`{name}`' for name in c.claims)})" for c in conflicts]
        lines += [""]
    for status in ORDER:
        chosen = [record for record in records if record.status == status]
        if chosen:
            lines += [f"## {status.replace('_', ' ').capitalize()}", ""]
            lines += [f"- `{r.id}` {r.level.value}: {_escaped(r.sentence)} *{_escaped(r.claim.text)}*" for r in chosen]
            lines += [""]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    for sign in "\\`*_<[|":
        text = text.replace(sign, "\\" + sign)
    return " ".join(text.split())


FORMATS: dict[str, Callable[[Sequence[ClaimRecord], Sequence[Conflict]], str]] = {
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "markdown": _markdown,
}
"""The formats that `export` writes."""
