"""What each kind of model needs done to the cues, as transformers that are fitted inside the folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from truescope.tabular.columns import Kind

MISSING = "NA"
MAX_LEVELS = 50
"""Levels beyond the most frequent ones are pooled: one column for each of 10,000 levels would be noise."""
_MAX_BINS = 255


def indicators(kinds: Mapping[str, Kind], *, fill: bool = True, scale: bool = False) -> ColumnTransformer:
    """One 0/1 column for each level ("NA" is one), and numbers as they are.

    ``fill``: missing numbers become the median, with a 0/1 column that says so; ``scale``: mean 0 and deviation 1.
    """
    steps = [("fill", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True))] if fill else []
    steps += [("scale", StandardScaler())] if scale else []
    words = [
        ("fill", SimpleImputer(strategy="constant", fill_value=MISSING, keep_empty_features=True)),
        (
            "levels",
            OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MAX_LEVELS, sparse_output=False),
        ),
    ]
    return _columns(kinds, Pipeline(steps) if steps else "passthrough", Pipeline(words))


def codes(kinds: Mapping[str, Kind]) -> ColumnTransformer:
    """Each level as a whole number, missing ones as NaN: for models that know categories themselves."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=_MAX_BINS - 1,
    )
    return _columns(kinds, "passthrough", encoder)


def n_numeric(kinds: Mapping[str, Kind]) -> int:
    """How many cues are numbers; they come first in what `codes` gives."""
    return sum(kind is Kind.NUMERIC for kind in kinds.values())


def cue_of(column: str, cues: Sequence[str]) -> str:
    """The cue that a prepared column comes from: itself, one of its levels, or whether it was missing."""
    bare = column.removeprefix("missingindicator_")
    fitting = [cue for cue in cues if bare == cue or bare.startswith(f"{cue}_")]
    return max(fitting, key=len, default=bare)


def _columns(kinds: Mapping[str, Kind], numbers: object, words: object) -> ColumnTransformer:
    parts = [
        (kind.value, how, [name for name, found in kinds.items() if found is kind])
        for kind, how in ((Kind.NUMERIC, numbers), (Kind.CATEGORICAL, words))
    ]
    return ColumnTransformer([part for part in parts if part[2]], verbose_feature_names_out=False)
