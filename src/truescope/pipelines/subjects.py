"""Which model and which dictionary a name means: the built-in ones, a folder, or a name on the hub."""

from __future__ import annotations

from pathlib import Path

from truescope.core.errors import DictionaryError, nearest
from truescope.dictionaries import Dictionary
from truescope.models import Model
from truescope.trace import DictionaryReplacement

ADDITION = "addition"
NEURONS = "neurons"
BUILT_IN = ("transcoder", "clt")
"""The dictionaries that ship with the addition world."""


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


def load_dictionary(name: str | Path, model: Model) -> Dictionary | None:
    """The dictionary itself; None for ``"neurons"``, whose units need none.

    ``"transcoder"`` and ``"clt"`` are those that ship with the addition world, unless there is a folder of that name.

    Raises:
        DictionaryError: it is absent, damaged, or belongs to another model.
    """
    if str(name) == NEURONS:
        return None
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if str(name) not in BUILT_IN:
            known = (NEURONS, *BUILT_IN)
            raise DictionaryError(
                f"there is no dictionary {str(name)!r}",
                why=f"it is no folder, and none of {', '.join(known)}",
                fix=nearest(str(name), known) or "train one: truescope train",
            )
        from truescope.truth.addition import ADDITION_FOLDER

        folder = ADDITION_FOLDER / "dictionaries" / str(name)
    dictionary = Dictionary.load(folder)
    dictionary.check_model(model.hash, model.name)
    return dictionary


def dictionary_id(dictionary: Dictionary | None) -> str:
    """What tells a dictionary from every other: "neurons", or its name and the hash of its tensors."""
    return NEURONS if dictionary is None else f"{dictionary.name} {dictionary.hash}"


def replacement_of(model: Model, dictionary: Dictionary | None) -> DictionaryReplacement | None:
    """What stands in for the MLPs in a graph; None for the neurons, the tracer's own default."""
    return None if dictionary is None else DictionaryReplacement(model, dictionary)
