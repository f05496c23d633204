"""Every error this package raises on purpose, drawn as a tree.

TruescopeError
├── UsageError          the call's words are off (exit status 2)
├── PromptError         empty prompt, too long, text the tokenizer cannot read
├── SiteError           an address the model does not have
├── InterventionError   an edit that cannot be made
├── ModelError          a model that cannot be loaded, or whose weights are not finite
│   └── FamilyError     an architecture no family table describes
├── DictionaryError     a dictionary that is damaged or belongs to another model
├── GraphError          a graph file that is damaged or does not add up
├── TableError          a table that cannot be learned from
├── ClaimError          a claim without a control, or changed after it was stated
├── StoreError          the store cannot be read or written
└── SurfaceError        a server that cannot start, a browser that is missing
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TruescopeError(Exception):
    """What went wrong, why, and what to do about it.

    ``what`` names the thing and the place, ``why`` the cause, ``fix`` the next step for the person who reads it.
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"why: {self.why}")
        if self.fix:
            lines.append(f"fix: {self.fix}")
        return "\n".join(lines)


class UsageError(TruescopeError):
    """The call's words are off."""


class PromptError(TruescopeError):
    """A prompt that cannot be run."""


class SiteError(TruescopeError):
    """An address that the model does not have."""


class InterventionError(TruescopeError):
    """An edit that cannot be made."""


class ModelError(TruescopeError):
    """A model that cannot be loaded or trusted."""


class FamilyError(ModelError):
    """An architecture that no family table describes."""


class DictionaryError(TruescopeError):
    """A dictionary that is damaged or belongs to another model."""


class GraphError(TruescopeError):
    """A graph file that is damaged, or a graph that does not add up."""


class TableError(TruescopeError, ValueError):
    """A table that cannot be learned from (a ValueError too, as scikit-learn's estimators raise)."""


class ClaimError(TruescopeError):
    """A claim that cannot be judged as it stands."""


class StoreError(TruescopeError):
    """The store cannot be read or written."""


class SurfaceError(TruescopeError):
    """A server or a page that cannot be shown."""


def nearest(word: str, known: Iterable[str], n: int = 3) -> str:
    """The ``n`` known words nearest to ``word`` as "did you mean a, b or c?", or "" where none is near."""
    found = difflib.get_close_matches(word, list(known), n=n, cutoff=0.5)
    if not found:
        return ""
    head, last = found[:-1], found[-1]
    return f"did you mean {', '.join(head) + ' or ' if head else ''}{last}?"
