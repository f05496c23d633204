"""`truescope sites`: the addresses of a model's activations."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def sites(
    model: str,
    /,
    *,
    revision: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """List the addresses of a model's activations, with their shapes.

    Parameters
    ----------
    model
        A folder with a Hugging Face causal language model, a name on the hub, or "addition" for the built-in one.
    revision
        The hub revision to load.
    json
        Print one JSON object and exit.
    """
    from truescope.cli.terminal import print_facts, print_json
    from truescope.pipelines.sites import describe_sites

    facts = describe_sites(model, revision=revision)
    if json:
        print_json(facts)
    else:
        print_facts(facts)
    return 0
