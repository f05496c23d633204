"""Options that several commands share; each dataclass is spread over the command that takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

Flag = Parameter(negative=())
"""A switch that is off unless it is given."""
Words = Parameter(negative=(), show_default=False)
"""An option that may be given more than once."""


@Parameter(name="*")
@dataclass(frozen=True)
class Shown:
    """How a finished run is shown."""

    json: Annotated[bool, Flag] = False
    """Print one JSON object and exit; nothing is served."""

    no_browser: Annotated[bool, Flag] = False
    """Serve the page without opening a browser."""

    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8321
    """The port to serve on (0: any); the next free one is taken, and said, if it is in use."""
