"""What a person sees in a terminal: receipts and bars on stderr, results on stdout, failing claims first."""

from __future__ import annotations

import json
import sys
from typing import Any

from truescope.core.progress import Watcher

BADGES = {"failed": ("red", "✗"), "undecided": ("yellow", "?"), "not_testable": ("dim", "–"), "held": ("green", "✓")}


class TerminalWatcher(Watcher):
    """One receipt a stage on stderr; a bar over what takes long where stderr is a terminal, plain lines elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__()
        from rich.console import Console

        self.console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True, emoji=False)
        self.notes = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._bar: Any = None
        self._said: dict[str, int] = {}

    def __enter__(self) -> TerminalWatcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def receipt(self, stage: str, text: str) -> None:
        from rich.markup import escape

        self._close_bar()
        self.console.print(f"  {escape(text)} [dim]in {self.seconds[stage]:.1f} s[/dim]")

    def note(self, text: str) -> None:
        from rich.markup import escape

        # Said under --json too: it goes to stderr, and somebody may wonder what is being waited for.
        self.notes.print(f"  [yellow]{escape(text)}[/yellow]")

    def progress(self, stage: str, done: int, total: int) -> None:
        if self.console.is_terminal:
            self._show_bar(stage, done, total)
        elif (tenth := 10 * done // max(total, 1)) > self._said.get(stage, 0) and done < total:
            # Where nobody watches, a line at every fifth is enough to see that it moves.
            self._said[stage] = tenth
            if tenth % 2 == 0:
                self.console.print(f"  {stage}: {done} of {total}")

    def close(self) -> None:
        """Take the bar off the screen, if one is on it."""
        self._close_bar()

    def _show_bar(self, stage: str, done: int, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._bar.start()
        tasks = {task.description: task.id for task in self._bar.tasks}
        task = tasks[stage] if stage in tasks else self._bar.add_task(stage, total=total)
        self._bar.update(task, completed=done, total=total)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def exit_status(claims: list[dict[str, Any]], *, strict: bool) -> int:
    """0, or under ``strict`` 1 where a claim failed."""
    return int(strict and any(claim["status"] == "failed" for claim in claims))


def print_json(record: dict[str, Any]) -> None:
    """One object on stdout, and nothing else."""
    json.dump(record, sys.stdout, ensure_ascii=False, indent=1, allow_nan=False)
    sys.stdout.write("\n")


def print_answer(summary: dict[str, Any]) -> None:
    """The prompt, what the model says, and how much of it the graph accounts for."""
    from rich.markup import escape

    console = stdout_console()
    graph = summary["graph"]
    r_low, r_high = graph["replacement"]
    c_low, c_high = graph["completeness"]
    console.print(
        f"\n[bold]{escape(summary['prompt'])}[/bold] → [bold]{escape(summary['answer'])}[/bold]"
        f"  (probability {summary['probability']:.3f})"
    )
    console.print(
        f"  graph: {graph['n_nodes']:,} nodes, {graph['n_edges']:,} edges; closure gap {graph['closure_gap']:.1e}; "
        f"replacement {r_low:.3f}–{r_high:.3f}; completeness {c_low:.3f}–{c_high:.3f}"
    )


def print_claims(claims: list[dict[str, Any]]) -> None:
    """Every verdict with its scores, intervals and controls; what failed stands first."""
    from rich.markup import escape

    console = stdout_console()
    order = list(BADGES)
    for claim in sorted(claims, key=lambda c: order.index(c["status"])):
        colour, sign = BADGES[claim["status"]]
        status = claim["status"].replace("_", " ")
        console.print(f"\n[{colour}]{sign} {status}[/{colour}] {claim['evidence_level']}  {escape(claim['text'])}")
        controls = {s["name"]: (c, s) for c in claim["controls"] for s in c["scores"]}
        for score in claim["scores"]:
            interval = f"[{score['low']:.4f}, {score['high']:.4f}]"
            line = f"    {score['name']:<13}{score['value']:8.4f}  {interval}  n={score['n']}"
            if found := controls.get(score["name"]):
                control, drawn = found
                line += f"   [dim]{control['n']} {control['name']}: {drawn['low']:.4f} … {drawn['high']:.4f}[/dim]"
            console.print(line)
        if claim.get("sentence"):
            console.print(f"    {escape(claim['sentence'])}")
        for note in claim["notes"]:
            console.print(f"    [dim]{escape(note)}[/dim]")


def print_top_logits(top_logits: list[dict[str, Any]], n: int = 5) -> None:
    """The likeliest next tokens, one a line, with a bar of their probability."""
    from rich.markup import escape

    console = stdout_console()
    for entry in top_logits[:n]:
        bar = "█" * round(24 * entry["probability"])
        console.print(f"    {escape(repr(entry['token'])):<14} {entry['probability']:.4f} [dim]{bar}[/dim]")


def stdout_console() -> Any:
    """Where results are printed."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, emoji=False)


def print_rows(head: list[str], rows: list[list[str]]) -> None:
    """A table on stdout: the first column to the left, the others to the right; nothing is cut off."""
    from rich.markup import escape

    console = stdout_console()
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for number, row in enumerate([head, *rows]):
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        line = escape("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
        console.print(f"  [dim]{line}[/dim]" if number == 0 else f"  {line}")


def print_facts(facts: dict[str, Any], indent: int = 2) -> None:
    """A nested record as aligned lines: numbers of bytes in MB, empty parts as "none"."""
    from rich.markup import escape

    console = stdout_console()
    for name, value in facts.items():
        label = f"{' ' * indent}[bold]{escape(name.replace('_', ' '))}[/bold]"
        if isinstance(value, dict) and value:
            console.print(label)
            print_facts(value, indent + 2)
        elif name.endswith("bytes") and isinstance(value, int):
            console.print(f"{label}: {float(value) / 1e6:,.1f} MB")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            console.print(f"{label}: {escape(str(shown)) if shown not in ('', {}, []) else 'none'}")
