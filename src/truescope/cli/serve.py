"""`truescope serve`: the page of a run that is in the store."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

Flag = Parameter(negative=())


def serve(
    run: str | None = None,
    /,
    *,
    no_browser: Annotated[bool, Flag] = False,
    port: int = 8321,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Show the page of a run that is in the store; without one, of the newest.

    Parameters
    ----------
    run
        The run's id, or enough of its beginning.
    no_browser
        Serve the page without opening a browser.
    port
        The port to serve on; the next free one is taken, and said, if it is in use.
    json
        Print the runs that are in the store as one JSON object and exit; nothing is served.
    """
    from truescope.cli.show import show_page
    from truescope.cli.terminal import print_json
    from truescope.pipelines.runs import find_page, list_runs

    if json:
        print_json({"runs": list_runs()})
        return 0
    show_page(find_page(run), no_browser=no_browser, port=port)
    return 0
