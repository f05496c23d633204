"""`truescope doctor`: what is installed, where things are kept, and what is missing."""

from __future__ import annotations

from typing import Annotated

from truescope.cli.options import Flag


def doctor(*, json: Annotated[bool, Flag] = False) -> int:
    """Print versions, devices, the store's place and size, and missing extras.

    Parameters
    ----------
    json
        Print one JSON object and exit.
    """
    from truescope.cli.terminal import print_facts, print_json
    from truescope.pipelines.doctor import examine

    facts = examine()
    if json:
        print_json(facts)
    else:
        print_facts(facts)
    return 0
