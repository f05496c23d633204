"""Readable names for units that nobody has explained: what activates them → what they promote. Never a meaning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from truescope.core.features import Example

_VISIBLE = {"\n": "⏎", "\t": "⇥", " ": "␣"}


def visible(token: str) -> str:
    """The token without the spaces around it; one that is nothing but white space as a sign for it."""
    return token.strip() or "".join(_VISIBLE.get(character, "·") for character in token) or "∅"


def unit_name(activating: Sequence[str], promoted: Iterable[str], *, separator: str = ", ", n_promoted: int = 2) -> str:
    """``activating → promoted`` in tokens, say ``36 · 59 → 95, 85``; "never active" stands where nothing activates."""
    left = separator.join(visible(token) for token in activating) or "never active"
    right = ", ".join(visible(token) for token in [*promoted][:n_promoted])
    return f"{left} → {right}" if right else left


def focus_tokens(examples: Iterable[Example], n: int = 2) -> list[str]:
    """The first ``n`` different tokens on which the examples, strongest first, have their largest activation."""
    tokens = [example.tokens[example.focus] for example in examples]
    different = {visible(token): token for token in reversed(tokens)}
    return [*reversed(different.values())][:n]
