"""What every verb on graphs runs under, and what its results are traced by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from truescope.core.errors import ClaimError, UsageError
from truescope.store import commit, versions

if TYPE_CHECKING:
    from truescope.core.claims import Claim
    from truescope.gnn.networks import Subject


@contextmanager
def graphs() -> Iterator[None]:
    """A block that needs the extra `gnn`, on one thread.

    The matrices are small: two threads gain little on an idle machine, and on a busy one each waits for the other at
    every operation (ten times slower, where it was measured). Numbers come out the same on any machine, too.

    Raises:
        UsageError: the extra is not installed.
    """
    for package in ("torch_geometric", "threadpoolctl"):
        if find_spec(package) is None:
            raise UsageError(
                f"graph networks need {package}", why="it is not installed", fix='pip install "truescope[gnn]"'
            )
    import torch  # noqa: F401 - its threads are limited only once it is there
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def provenance(seed: int) -> dict[str, Any]:
    """What is written beside every claim and verdict."""
    return {"versions": versions(), "commit": commit(), "seed": seed}


def subject_hash(subject: Subject) -> str:
    """The SHA-256 of a graph, its features and the model's weights."""
    tensors = (subject.x, subject.edge_index, *subject.model.state_dict().values())
    return hashlib.sha256(b"".join(tensor.detach().numpy().tobytes() for tensor in tensors)).hexdigest()


def answers_hash(subject: Subject) -> str:
    """The SHA-256 of what the model puts out on its graph: another one where its code or its arguments are others.

    A stored answer is taken up again only where this is the same as well; weights alone do not say what a user's
    ``forward`` does with them.
    """
    return hashlib.sha256(subject.outputs.numpy().tobytes()).hexdigest()


def check_model(claim: Claim, subject: Subject, graph: str) -> None:
    """Refuse to run a claim again on another model: other weights, or other answers from the same ones.

    Raises:
        ClaimError: the graph or the weights do not have the hash ``graph``, or the answers that which the claim's
            target states (claims that were stated before it was there have none).
    """
    answers = answers_hash(subject)
    same_weights = subject_hash(subject) == graph
    if same_weights and answers == claim.target.get("answers", answers):
        return
    if same_weights:
        why = "the weights are the same and the answers are others: the model's code or its arguments were changed"
    else:
        why = "the graph, or the network that was trained on it, is another one, bit for bit"
    raise ClaimError(
        "this claim cannot be run again here",
        why=why,
        fix="use the data, the code and the versions that the entry was made with, or state it anew",
    )
