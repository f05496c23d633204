"""`truescope sites`: the addresses of a model's activations."""

from __future__ import annotations

from typing import Annotated, Any

from truescope.cli.options import Flag


def sites(
    model: str,
    /,
    *,
    revision: str | None = None,
    json: Annotated[bool, Flag] = False,
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
    from truescope.cli.terminal import print_json
    from truescope.pipelines.sites import describe_sites

    facts = describe_sites(model, revision=revision)
    if json:
        print_json(facts)
    else:
        _print(facts)
    return 0


def _print(facts: dict[str, Any]) -> None:
    """One line a site kind, by its canonical name; what every layer has is written once, with its first and last."""
    print(f"  {facts['model']} ({facts['family']}, {facts['n_layers']} layers)")
    lines: dict[str, list[str]] = {}
    for name in facts["sites"]:
        lines.setdefault(name.split(".")[0], []).append(name)
    shown = [(" … ".join(dict.fromkeys((names[0], names[-1]))), facts["sites"][names[0]]) for names in lines.values()]
    width = max(len(names) for names, _ in shown)
    for names, shape in shown:
        print(f"    {names:<{width}}  {shape}")
