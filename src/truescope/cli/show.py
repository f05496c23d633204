"""How a finished run is shown: as JSON, as a page that is served, or as a file where nobody sits at a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from truescope.cli.options import Shown
from truescope.cli.terminal import exit_status, print_answer, print_claims, print_json, print_top_logits


def show(report: Any, shown: Shown, *, strict: bool = False) -> int:
    """Print a report's summary, then its page's address; the exit status is 1 only for a failed claim under strict."""
    summary = report.summary()
    claims = summary.get("claims", [])
    status = exit_status(claims, strict=strict)
    if shown.json:
        print_json(summary)
        return status
    print_answer(summary)
    if claims:
        print_claims(claims)
    else:
        print_top_logits(summary["top_logits"])
    return show_page(report.folder, shown) or status


def show_page(folder: Path, shown: Shown) -> int:
    """Serve the run's page until Ctrl-C (status 130); on no terminal, write it into one file and print where."""
    from truescope.web import FolderSource, self_contained, serve

    if not sys.stdout.isatty():
        from truescope.store import write_atomic

        source = FolderSource(folder)
        page = folder / "page.html"
        write_atomic(page, self_contained(source.view(), source.units, source.ledger()).encode())
        print(f"\nthe page: {page.resolve().as_uri()}")
        return 0

    def say(url: str) -> None:
        print(f"\nthe page: {url}   (Ctrl-C stops the server)", flush=True)

    try:
        serve(folder, port=shown.port, open_browser=not shown.no_browser, on_ready=say)
    except KeyboardInterrupt:
        print(f"\ntruescope: stopped; `truescope serve {folder.name}` shows the page again", file=sys.stderr)
        return 130
    return 0
