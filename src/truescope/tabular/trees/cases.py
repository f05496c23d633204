"""Labelled cases: the columns, where the target is positive, and the weights, after their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, column_or_1d

from truescope.core.errors import TableError
from truescope.tabular.trees.cues import Columns


@dataclass(frozen=True, eq=False)
class Cases:
    """``kept`` marks the rows of ``columns`` that count; ``positive`` and ``weights`` are of those rows only."""

    columns: Columns
    positive: Bool[np.ndarray, " kept"]
    weights: Float[np.ndarray, " kept"] | None
    kept: Bool[np.ndarray, " cases"]

    @property
    def base_rate(self) -> float:
        """The (weighted) share of positive cases."""
        if self.weights is None:
            return float(self.positive.mean())
        return float(self.weights[self.positive].sum() / self.weights.sum())


def refuse_target_among_cues(X: Any, y: Any) -> None:
    """Raises `TableError` if the target's column is one of the cues."""
    if not isinstance(X, pd.DataFrame) or not isinstance(y, pd.Series):
        return
    name = y.name
    if name in X.columns and isinstance(X[name], pd.Series) and X[name].equals(y):
        raise TableError(
            f"the target {name!r} is among the cues", why="a tree would only repeat it", fix="drop it from X"
        )


def read_target(X: Any, y: Any) -> Shaped[np.ndarray, " cases"]:
    """The target as one array.

    Raises:
        TableError, ValueError: it is missing somewhere, is no column of labels, or does not fit ``X``.
    """
    missing = int(pd.isna(pd.Series(y)).sum()) if isinstance(y, pd.Series | list) else 0
    values = y.to_numpy() if isinstance(y, pd.Series) else np.asarray(y)
    if values.dtype == np.dtype(object) and values.ndim == 1:
        missing = int(pd.isna(values).sum())
    elif values.dtype.kind == "f":
        missing = int(np.isnan(values).sum())
    if missing:
        raise TableError(f"the target is missing in {missing} of {len(values)} cases", fix="leave these cases out")
    values = column_or_1d(values, warn=True)
    check_consistent_length(X, values)
    if values.dtype.kind in "fc":
        check_classification_targets(values)
    return values


def read_weights(
    columns: Columns, sample_weight: Any
) -> tuple[Float[np.ndarray, " kept"] | None, Bool[np.ndarray, " cases"]]:
    """The weights above zero (None where all count once), and which rows those are."""
    if sample_weight is None:
        return None, np.ones(columns.n_cases, dtype=bool)
    rows = np.empty((columns.n_cases, 0))
    weights = np.asarray(_check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True))
    kept = weights > 0
    return weights[kept], kept
