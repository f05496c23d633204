"""How the ledger's entries look in a terminal."""

from __future__ import annotations

from typing import Any

from truescope.cli.terminal import BADGES, stdout_console


def print_ledger(summary: dict[str, Any]) -> None:
    """One line and one sentence a claim, failed ones first; then what contradicts what."""
    from rich.markup import escape

    console = stdout_console()
    claims = summary["claims"]
    if not claims:
        console.print(
            "no claim of the ledger is so" if summary["n"] else "the ledger has no claims yet: truescope demo"
        )
    for claim in claims:
        console.print(_headline(claim))
        console.print(f"    [dim]{escape(claim['sentence'])}[/dim]")
    _print_conflicts(summary["conflicts"])
    of_all = f" of {summary['n']:,}" if summary["n"] != len(claims) else ""
    console.print(f"\n{len(claims):,}{of_all} claims in {escape(summary['ledger'])}")


def print_claim_record(record: dict[str, Any]) -> None:
    """Everything about one claim."""
    from rich.markup import escape

    console = stdout_console()
    console.print(_headline(record))
    console.print(f"  {escape(record['sentence'])}")
    told = {s["name"]: s for s in record.get("scores", [])}
    for prediction in record["predictions"]:
        score = told.get(prediction.split()[0])
        found = f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}] n={score['n']:,}" if score else "–"
        console.print(f"  predicted {escape(prediction)}: {found}")
    control = record["control"]
    matched = f" matched on {', '.join(control['matched_on'])}" if control["matched_on"] else ""
    won = "; ".join(f"{c['n_won']:,} of {c['n']:,} did the same" for c in record.get("controls", []))
    console.print(f"  beside {control['n']:,} {escape(control['name'])}{escape(matched)}: {won or 'not run'}")
    for name in ("metric", "correction", "artefact"):
        if record.get(name):
            console.print(f"  {name}: {escape(str(record[name]))}")
    for name in ("assumptions", "threats", "scope", "depends_on", "notes"):
        if record.get(name):
            console.print(f"  {name.replace('_', ' ')}: {escape('; '.join(record[name]))}")
    for name in ("target", "population", "seeds"):
        if record.get(name):
            parts = ", ".join(f"{key} {_short(value)}" for key, value in record[name].items())
            console.print(f"  {name}: [dim]{escape(parts)}[/dim]")
    for event in record.get("history", []):
        console.print(f"  {event['at']}: {event['status'].replace('_', ' ')}{' (run again)' if event['rerun'] else ''}")
    _print_conflicts(record["conflicts"])
    if record.get("procedure"):
        console.print(f"\nrun it again: truescope claims rerun {record['id']}")


def print_reproduction(summary: dict[str, Any]) -> None:
    """Whether a claim that was run again came out the same."""
    console = stdout_console()
    reproduced = summary["reproduced"]
    before, now = summary["status"]["before"], summary["status"]["now"]
    word = "[green]✓ reproduced[/green]" if reproduced else "[red]✗ did not reproduce[/red]"
    console.print(f"\n{word}  {summary['id']}: {before} then, {now} now".replace("_", " "))
    for number in summary["numbers"]:
        value = "–" if number["now"] is None else f"{number['now']:.6g}"
        console.print(
            f"    {number['name']:<13}{number['before']:.6g} [{number['low']:.4g}, {number['high']:.4g}]"
            f" → {value}  {number['outcome']}"
        )


def _headline(claim: dict[str, Any]) -> str:
    from rich.markup import escape

    colour, sign = BADGES.get(claim["status"], ("dim", "·"))
    status = claim["status"].replace("_", " ")
    badge = f"\n[{colour}]{sign} {status}[/{colour}] {claim['evidence_level']}"
    return f"{badge}  {escape(claim['text'])}  [dim]{claim['id']}[/dim]"


def _print_conflicts(conflicts: list[dict[str, Any]]) -> None:
    from rich.markup import escape

    console = stdout_console()
    if conflicts:
        console.print("\n[bold]these contradict each other[/bold]")
    for conflict in conflicts:
        console.print(f"  {escape(conflict['sentence'])} [dim]{' '.join(conflict['claims'])}[/dim]")


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(one)}" for name, one in value.items())
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    if len(text) == 64 and " " not in text:  # a SHA-256
        return text[:16]
    return text if len(text) <= 72 else text[:69] + "…"
