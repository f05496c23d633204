"""scikit-learn's own contract for estimators."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from truescope.tabular import FastFrugalTreeClassifier, TakeTheBestClassifier, TallyingClassifier


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [FastFrugalTreeClassifier(), FastFrugalTreeClassifier("dfan"), TallyingClassifier(), TakeTheBestClassifier()]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)
