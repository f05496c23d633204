"""Which model a name means: the built-in world, a folder, or a name on the hub."""

from __future__ import annotations

from pathlib import Path

from truescope.models import Model

ADDITION = "addition"


def load_model(name: str | Path | Model, *, revision: str | None = None) -> Model:
    """The model itself; ``"addition"`` is the world that ships with the package.

    Raises:
        ModelError: it cannot be loaded.
    """
    if isinstance(name, Model):
        return name
    if str(name) == ADDITION:
        from truescope.truth.addition import ADDITION_FOLDER

        model = Model.from_pretrained(ADDITION_FOLDER)
        model.name = ADDITION
        return model
    return Model.from_pretrained(name, revision=revision)
