"""Explainers of single cases put through the judge's executable axioms, with the smallest counterexample to each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from truescope.judge.axioms import Check, check_axioms
from truescope.tabular.posthoc.explainers import Explainer, Question


def axiom_checks(explainer: Explainer, *, axioms: Sequence[str] = (), **options: Any) -> list[Check]:
    """Every axiom (or those named), tried on random functions of up to four cues.

    The baseline of an axiom is the one row of the background, so this is for explainers that read the background
    (``Explainer.baseline``). ``options`` are those of `truescope.judge.axioms.check_axiom`.
    """

    def explain(model: Any, x: torch.Tensor, baseline: torch.Tensor) -> np.ndarray:
        def function(cases: np.ndarray) -> np.ndarray:
            return model(torch.as_tensor(cases, dtype=x.dtype)).numpy().astype(np.float64)

        point, known = (tensor.numpy().astype(np.float64)[None] for tensor in (x, baseline))
        return explainer.scores(Question(function, point, known))[0]

    return check_axioms(explain, axioms, **options) if axioms else check_axioms(explain, **options)
