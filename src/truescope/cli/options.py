"""Options that several commands share; each dataclass is spread over the command that takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

Flag = Parameter(negative=())
"""A switch that is off unless it is given."""
Words = Parameter(negative=())
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


@Parameter(name="*")
@dataclass(frozen=True)
class Pruning:
    """What a graph explains, and how much of it is kept."""

    probability: float = 0.95
    """Explain the likeliest tokens up to this cumulative probability …"""

    max_targets: int = 10
    """… but at most this many."""

    node_threshold: float = 0.8
    """Keep the most influential nodes up to this share of all influence."""

    edge_threshold: float = 0.98
    """Keep the most influential edges up to this share."""

    max_units: int = 4096
    """Compute incoming edges for at most this many units, the most influential first; what is left out is counted."""


@Parameter(name="*")
@dataclass(frozen=True)
class Training:
    """What is trained, and on how much."""

    kind: str = "transcoder"
    """"transcoder" (one a layer), "clt" (features also write to later layers), or "sae" (with --site)."""

    features: int = 1024
    """Features of each layer."""

    k: int = 32
    """Features kept at a position, of each layer; with jumprelu, the number to start from."""

    site: str | None = None
    """What an sae reads and writes, such as resid_post.2."""

    activation: str = "topk"
    """"topk" or "jumprelu"."""

    skip: Annotated[bool, Flag] = False
    """Add a linear map of the MLP's input to each reconstruction."""

    tokens: int = 3_000_000
    """How many tokens to train on; texts are gone through again in another order until there are as many."""

    batch: int = 1024
    """Tokens a step."""

    lr: float | None = None
    """The highest learning rate; default: 0.01 · √(1024 / features)."""

    closed_loop: float = 0.2
    """The share of steps, at the end, that also learn from the model with every MLP replaced."""

    seed: int = 0
    """Decides the start and the order of the data."""
