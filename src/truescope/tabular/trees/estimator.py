"""`TwoClassEstimator`: what all heuristics of this room share: a table and two classes in, labels out."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from truescope.core.errors import TableError
from truescope.tabular.trees.cases import Cases, read_target, read_weights, refuse_target_among_cues
from truescope.tabular.trees.cues import Columns, columns_of
from truescope.tabular.trees.labels import as_positive, positive_class, two_classes


class TwoClassEstimator(ClassifierMixin, BaseEstimator):
    """Abstract: a scikit-learn classifier of two classes that reads numbers, words and missing values.

    A subclass has the setting ``positive``, and calls `_read` first thing in `fit`.
    """

    positive: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    def _read(self, X: Any, y: Any, sample_weight: Any) -> Cases:
        """The training cases; sets what depends on the classes and the columns alone."""
        refuse_target_among_cues(X, y)
        columns = columns_of(X)
        validate_data(self, cast(Any, X), y, skip_check_array=True)
        y = read_target(X, y)
        weights, kept = read_weights(columns, sample_weight)
        self.classes_ = two_classes(y[kept])
        self.positive_class_ = positive_class(self.classes_, self.positive)
        self.negative_class_ = self.classes_[self.classes_ != self.positive_class_][0]
        self._n_cues = len(columns.names)
        cases = Cases(columns, as_positive(y[kept], self.positive_class_), weights, kept)
        self.base_rate_ = cases.base_rate
        return cases

    def _labelled(self, X: Any, y: Any, sample_weight: Any) -> Cases:
        """Other cases with their target, for scoring."""
        columns = self._read_again(X)
        weights, kept = read_weights(columns, sample_weight)
        y = read_target(X, y)[kept]
        strange = [label for label in np.unique(y) if label not in self.classes_]
        if strange:
            raise TableError(f"there is no class {strange[0]!s}", why=f"the trees decide {self.classes_.tolist()}")
        return Cases(columns, as_positive(y, self.positive_class_), weights, kept)

    def _read_again(self, X: Any) -> Columns:
        check_is_fitted(self)
        columns = columns_of(X, check_numbers=False)
        validate_data(self, X, skip_check_array=True, reset=False)
        if columns.frame is None and hasattr(self, "feature_names_in_"):
            return Columns(columns.array, list(self.feature_names_in_))
        return columns

    def _labels(self, positive: Bool[np.ndarray, " cases"]) -> Shaped[np.ndarray, " cases"]:
        """The classes that the decisions mean."""
        return self.classes_[(positive == (self.classes_[1] == self.positive_class_)).astype(np.int8)]

    def _towards_second(self, strength: Float[np.ndarray, " cases"]) -> Float[np.ndarray, " cases"]:
        """A strength for the positive class as scikit-learn has it: for ``classes_[1]``."""
        return strength if self.classes_[1] == self.positive_class_ else -strength

    def _both(self, p: Float[np.ndarray, " cases"]) -> Float[np.ndarray, "cases 2"]:
        """The probabilities of both classes, in the order of ``classes_``."""
        both = np.column_stack([1 - p, p])
        return both if self.classes_[1] == self.positive_class_ else both[:, ::-1]
