"""`truescope claims`: list, show, export and run again what the ledger holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from truescope.cli.options import Flag

claims = App(
    name="claims",
    help="List, show, export and run again the claims of the ledger.",
    help_format="plaintext",
)


@Parameter(name="*")
@dataclass(frozen=True)
class Chosen:
    """Which claims of which ledger."""

    status: str | None = None
    """held, failed, undecided, not_testable, or stated (not judged yet)."""

    level: str | None = None
    """The evidence level: E0 … E5."""

    type: str | None = None
    """association, label, comparison, faithfulness, decodable, sufficiency, necessity, reliance or mechanism."""

    target: str | None = None
    """Text anywhere in the target: a model's hash, a feature such as 1/20, a group."""

    text: str | None = None
    """Text in the claim's own words or in the generated sentence."""

    ledger: Path | None = None
    """A ledger file; default: the store's own."""


@claims.command(name="list")
def list_(
    *,
    chosen: Chosen = Chosen(),
    json: Annotated[bool, Flag] = False,
) -> int:
    """List claims, failed ones first, with those that contradict each other.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    from truescope.cli.entries import print_ledger
    from truescope.cli.terminal import print_json
    from truescope.pipelines.claims import list_claims

    summary = list_claims(**asdict(chosen)).summary()
    if json:
        print_json(summary)
    else:
        print_ledger(summary)
    return 0


@claims.command
def show(id: str, /, *, ledger: Path | None = None, json: Annotated[bool, Flag] = False) -> int:
    """Show one claim in full: what was stated, what was measured, and what contradicts it.

    Parameters
    ----------
    id
        The claim's id, or enough of its beginning.
    ledger
        A ledger file; default: the store's own.
    json
        Print one JSON object.
    """
    from truescope.cli.entries import print_claim_record
    from truescope.cli.terminal import print_json
    from truescope.pipelines.claims import show_claim

    record = show_claim(id, ledger)
    if json:
        print_json(record)
    else:
        print_claim_record(record)
    return 0


@claims.command
def export(
    *,
    format: str = "jsonl",
    out: Path | None = None,
    chosen: Chosen = Chosen(),
    json: Annotated[bool, Flag] = False,
) -> int:
    """Write claims as json, jsonl, csv (a row for each score) or markdown.

    Parameters
    ----------
    format
        json, jsonl, csv or markdown.
    out
        The file to write; default: stdout.
    json
        Print one JSON object that says what was written; without --out, the same as --format json.
    """
    import sys

    from truescope.cli.terminal import print_json
    from truescope.pipelines.claims import export_claims
    from truescope.store import write_atomic

    text = export_claims("json" if json and out is None else format, **asdict(chosen))
    if out is None:
        sys.stdout.write(text)
        return 0
    write_atomic(out, text.encode())
    if json:
        print_json({"file": str(out.resolve()), "format": format, "bytes": len(text.encode())})
    else:
        print(f"Wrote {out}", file=sys.stderr)
    return 0


@claims.command
def rerun(
    id: str,
    /,
    *,
    model: str | None = None,
    dictionary: str | None = None,
    ledger: Path | None = None,
    record: Annotated[bool, Parameter(negative="--no-record")] = True,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Run a claim again from its entry alone and say whether it reproduced; status 1 if it did not.

    Parameters
    ----------
    id
        The claim's id, or enough of its beginning.
    model
        Where the model lies now, if it has moved; it is known by its hash.
    dictionary
        Where the dictionary lies now, if it has moved.
    ledger
        A ledger file; default: the store's own.
    record
        Append the new verdict to the ledger, marked as a rerun.
    json
        Print one JSON object.
    """
    from truescope.cli.entries import print_reproduction
    from truescope.cli.terminal import TerminalWatcher, print_json
    from truescope.pipelines.claims import rerun_claim

    with TerminalWatcher(quiet=json) as watcher:
        found = rerun_claim(id, ledger=ledger, model=model, dictionary=dictionary, record=record, watcher=watcher)
    if json:
        print_json(found.summary())
    else:
        print_reproduction(found.summary())
    return int(not found.reproduced)
