"""`truescope serve`: the page of a run that is in the store."""

from __future__ import annotations

from truescope.cli.options import Shown


def serve(
    run: str | None = None,
    /,
    *,
    shown: Shown = Shown(),
) -> int:
    """Show the page of a run that is in the store; without one, of the newest. With --json, list the runs instead.

    Parameters
    ----------
    run
        The run's id, or enough of its beginning.
    """
    from truescope.cli.show import show_page
    from truescope.cli.terminal import print_json
    from truescope.pipelines.runs import find_page, list_runs

    if shown.json:
        print_json({"runs": list_runs()})
        return 0
    return show_page(find_page(run), shown)
