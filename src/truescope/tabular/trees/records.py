"""A fitted estimator as JSON and back: settings, classes, the cues' names, the trees with their scores, and no data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from truescope.core.errors import TableError
from truescope.tabular.trees.settings import check_settings
from truescope.tabular.trees.tree import FastFrugalTree, plain

if TYPE_CHECKING:
    from truescope.tabular.trees.classifier import FastFrugalTreeClassifier

FORMAT = "fast-and-frugal trees 1"


def estimator_record(model: FastFrugalTreeClassifier) -> dict[str, Any]:
    """What `restore_estimator` needs, as JSON."""
    names = getattr(model, "feature_names_in_", None)
    settings = {name: _json(value) for name, value in model.get_params(deep=False).items()}
    if not isinstance(settings["random_state"], int):
        settings["random_state"] = None
    return {
        "format": FORMAT,
        "settings": settings,
        "classes": [_json(label) for label in model.classes_],
        "positive": _json(model.positive_class_),
        "base_rate": model.base_rate_,
        "n_features": model.n_features_in_,
        "features": None if names is None else [str(name) for name in names],
        "chosen": model.trees_.index(model.tree_) + 1,
        "trees": [tree.to_dict() for tree in model.trees_],
    }


def restore_estimator(kind: type[Any], record: Mapping[str, Any]) -> Any:
    """The fitted estimator of a record.

    Raises:
        TableError: it is no such record.
    """
    if record.get("format") != FORMAT:
        raise TableError("this record holds no fast-and-frugal trees", why=f"its format is {record.get('format')!r}")
    try:
        model = kind(**record["settings"])
        model._goals = check_settings(model)
        model.classes_ = np.array(record["classes"])
        model.positive_class_ = next(label for label in model.classes_ if label == record["positive"])
        model.negative_class_ = model.classes_[model.classes_ != model.positive_class_][0]
        model.base_rate_, model.n_features_in_ = record["base_rate"], record["n_features"]
        if record["features"] is not None:
            model.feature_names_in_ = np.array(record["features"], dtype=object)
        model._n_cues, model._training = record["n_features"], None
        model.trees_ = [FastFrugalTree.from_dict(tree) for tree in record["trees"]]
        model._choose(record["chosen"])
    except (KeyError, TypeError, StopIteration) as error:
        raise TableError("this record is damaged", why=f"{type(error).__name__}: {error}") from error
    return model


def _json(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else plain(value)
