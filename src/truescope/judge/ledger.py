"""The claims ledger: an append-only file of JSON lines, in which no claim can be changed after it was stated."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from truescope.core.claims import Claim, Verdict
from truescope.core.errors import ClaimError, StoreError
from truescope.core.ids import canonical_json, content_id
from truescope.judge.records import Entry, check_grounds, check_words, read_records
from truescope.store import commit, versions

try:
    import fcntl
except ImportError:  # no file locks on this system: one process at a time
    fcntl = None

_FIRST = "0" * 16


class Ledger:
    """Claims and verdicts in the order in which they came, in one file that only grows.

    A claim is stated before the run (`state`); a verdict is taken only for a claim that was (`append`). Each line is
    written in one piece, under a lock, and is on the disk when the call returns. A last line that was cut off by a
    crash was never an entry: it is not read, and the next writer takes it away.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def state(self, claim: Claim, provenance: dict[str, Any] | None = None) -> Entry:
        """Write a claim down before it is run; one that stands already is given back as it stands.

        Raises:
            ClaimError: its words say more than a claim of its type can ever show.
            StoreError: the file is damaged or cannot be written.
        """
        check_words(claim)
        with self._open() as file:
            entries = self._read(file)
            for entry in entries:
                if entry.kind == "claim" and entry.claim_id == claim.id:
                    return entry
            return self._write(file, entries, "claim", claim.id, claim.to_json(), provenance)

    def append(self, verdict: Verdict, provenance: dict[str, Any] | None = None) -> Entry:
        """Write the verdict on a claim that was stated before.

        Raises:
            ClaimError: the claim was not stated, or is not the one that was; or a mechanism rests on entries that are
                not there, did not hold, or are about something else.
            StoreError: the file is damaged or cannot be written.
        """
        claim = verdict.claim
        with self._open() as file:
            entries = self._read(file)
            if not any(entry.kind == "claim" and entry.claim_id == claim.id for entry in entries):
                raise ClaimError(
                    f"the claim {claim.text!r:.80} was not stated in this ledger",
                    why=f"no line before has its id {claim.id}: it was never written down, or has changed since",
                    fix="call Ledger.state(claim) before the run, and judge that claim",
                )
            check_grounds(verdict, read_records(entries))
            body = {k: v for k, v in verdict.to_json().items() if k not in ("id", "target", "population")}
            return self._write(file, entries, "verdict", claim.id, body, provenance)

    def entries(self) -> list[Entry]:
        """Every whole line, in order, checked.

        Raises:
            StoreError: a line is damaged, or was changed, taken out or put in after it was written.
            ClaimError: a claim does not have the id under which it was stated.
        """
        try:
            with self.path.open("rb") as file:
                return self._read(file)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"the ledger {self.path} cannot be read", why=str(error)) from error

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            with os.fdopen(descriptor, "r+b") as file:
                _sync_folder(self.path.parent)
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX)
                yield file
        except OSError as error:
            raise StoreError(
                f"the ledger {self.path} cannot be written", why=str(error), fix="free some space, or name another file"
            ) from error

    def _read(self, file: BinaryIO) -> list[Entry]:
        """The whole lines; the file is left at the end of the last one."""
        text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        entries: list[Entry] = []
        for number, line in enumerate(whole.splitlines(), 1):
            entries.append(self._parse(line, number, entries[-1].id if entries else _FIRST))
        file.seek(len(whole))
        return entries

    def _parse(self, line: bytes, number: int, previous: str) -> Entry:
        try:
            record = json.loads(line)
            stated_id = record.pop("id")
            entry = Entry(**record)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(
                f"line {number} of the ledger {self.path} is damaged", why=f"{type(error).__name__}: {error}"
            ) from error
        if entry.kind == "claim" and (now := content_id(entry.statement)) != entry.claim_id:
            raise ClaimError(
                f"the claim in line {number} of the ledger {self.path} was changed after it was stated",
                why=f"it was stated as {entry.claim_id}, its content now is {now}",
                fix="a changed claim is another claim: state it anew",
            )
        if entry.id != stated_id or entry.previous != previous:
            raise StoreError(
                f"line {number} of the ledger {self.path} was changed after it was written",
                why="its hash does not fit its content and the lines before it",
                fix="take the file from a backup",
            )
        return entry

    def _write(
        self,
        file: BinaryIO,
        entries: list[Entry],
        kind: str,
        claim_id: str,
        body: dict[str, Any],
        provenance: dict[str, Any] | None,
    ) -> Entry:
        # Through JSON and back, so that an entry given back equals the one that is read later.
        made_by = {"versions": versions(), "commit": commit()} | (provenance or {})
        plain = json.loads(canonical_json({"body": body, "provenance": made_by}))
        at = datetime.now(UTC).isoformat(timespec="seconds")
        previous = entries[-1].id if entries else _FIRST
        entry = Entry(kind, claim_id, plain["body"], plain["provenance"], at, previous)
        end = file.tell()
        try:
            file.truncate(end)
            file.write((canonical_json({**asdict(entry), "id": entry.id}) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), end)
            raise
        return entry


def _sync_folder(folder: Path) -> None:
    """Bring a new file's name to the disk; some systems cannot open folders, and need not."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
