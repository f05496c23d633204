"""Which model and which dictionary a name means: the built-in ones, a folder, or a name on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from truescope.core.claims import Claim
from truescope.core.errors import ClaimError, DictionaryError, nearest
from truescope.dictionaries import Dictionary, joined
from truescope.models import Model
from truescope.trace import AutoencoderReplacement, DictionaryReplacement, Replacement

ADDITION = "addition"
NEURONS = "neurons"
BUILT_IN = ("transcoder", "clt")
"""The dictionaries that ship with the addition world."""
DICTIONARIES = "dictionaries"
"""The folder of them, in the world's own."""


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


def load_dictionary(name: str | Path | Sequence[str | Path], model: Model) -> Dictionary | None:
    """The dictionary itself: a folder, or one of `BUILT_IN` (of the addition world); None for ``"neurons"``.

    Several names are autoencoders of different sites, which make one dictionary.

    Raises:
        DictionaryError: it is absent, damaged, belongs to another model, or several do not go together.
    """
    if not isinstance(name, str | Path):
        if [str(part) for part in name] == [NEURONS]:
            return None
        parts = [load_dictionary(part, model) for part in name]
        if None in parts:
            raise DictionaryError("neurons are no autoencoder", fix="name the folders alone, or neurons alone")
        return joined([part for part in parts if part is not None])
    if str(name) == NEURONS:
        return None
    folder = built_in(str(name)) if str(name) in BUILT_IN else Path(name).expanduser()
    if not folder.is_dir():
        known = (NEURONS, *BUILT_IN)
        raise DictionaryError(
            f"there is no dictionary {str(name)!r}",
            why=f"it is no folder, and none of {', '.join(known)}",
            fix=nearest(str(name), known) or "train one: truescope train",
        )
    dictionary = Dictionary.load(folder)
    dictionary.check_model(model.hash, model.name)
    return dictionary


def built_in(name: str, world: str | Path = ADDITION) -> Path:
    """The folder of a built-in dictionary of the world that ships, or of one that was trained anew."""
    from truescope.truth.addition import ADDITION_FOLDER

    return (ADDITION_FOLDER if str(world) == ADDITION else Path(world)) / DICTIONARIES / name


def dictionary_id(dictionary: Dictionary | None) -> str:
    """What tells a dictionary from every other: "neurons", or its name and the hash of its tensors."""
    return NEURONS if dictionary is None else f"{dictionary.name} {dictionary.hash}"


def place_of(name: str | Path | Model) -> str:
    """Where it can be loaded from again, by another process in another folder: a folder's whole path, else the name."""
    if isinstance(name, Model):
        return name.name
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else str(name)


def same_model(claim: Claim, model: Model) -> None:
    """See that a claim was stated for this model.

    Raises:
        ClaimError: it was stated for another one.
    """
    stated = str(claim.target.get("model_hash", ""))
    if stated != model.hash:
        raise ClaimError(
            f"{model.name} is not the model that the claim was stated for",
            why=f"the claim says {stated[:16] or 'nothing'}, this model's weights hash to {model.hash[:16]}",
            fix="name the right one with --model; or judge the claim anew on this one, as a claim of its own",
        )


def replacement_of(model: Model, dictionary: Dictionary | None) -> Replacement | None:
    """What a graph's units are of; None for the neurons, the tracer's own default."""
    if dictionary is None:
        return None
    return (AutoencoderReplacement if dictionary.kind == "sae" else DictionaryReplacement)(model, dictionary)
