"""`joined`: autoencoders of several sites, each trained by itself, as one dictionary."""

from __future__ import annotations

from collections.abc import Sequence

from truescope.core.errors import DictionaryError
from truescope.dictionaries.dictionary import Dictionary


def joined(dictionaries: Sequence[Dictionary]) -> Dictionary:
    """Autoencoders of several sites as one dictionary; a single dictionary as it is.

    Raises:
        DictionaryError: none, others than autoencoders, unequal activations or k, a site twice, or several models.
    """
    if len(dictionaries) == 1:
        return dictionaries[0]
    names = ", ".join(dictionary.name for dictionary in dictionaries) or "none"
    wrong = [d.name for d in dictionaries if d.kind != "sae"]
    sites = [site for dictionary in dictionaries for site in dictionary.reads]
    twice = [str(site) for site in sites if sites.count(site) > 1]
    made = {(d.activation, d.k, d.model_hash) for d in dictionaries}
    for is_wrong, why in (
        (not dictionaries, "there is none"),
        (wrong, f"{', '.join(wrong)} is no autoencoder"),
        (twice, f"{', '.join(twice[:1])} is read twice"),
        (len(made) > 1, "they differ in their activation, in k, or in the model that they were made for"),
    ):
        if is_wrong:
            raise DictionaryError(
                f"these dictionaries do not make one: {names}",
                why=why,
                fix="give autoencoders of different sites of one model, or a single dictionary",
            )
    first = dictionaries[0]
    return Dictionary(
        name=" + ".join(dict.fromkeys(dictionary.name for dictionary in dictionaries)),
        kind=first.kind,
        activation=first.activation,
        groups=tuple(group for dictionary in dictionaries for group in dictionary.groups),
        b_dec={site: bias for dictionary in dictionaries for site, bias in dictionary.b_dec.items()},
        k=first.k,
        model_hash=first.model_hash,
        info={"parts": [dict(dictionary.info) for dictionary in dictionaries]},
    )
