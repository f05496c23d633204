"""`FastFrugalTreeClassifier`: the fan of trees as a scikit-learn estimator, the best of them deciding."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, no_type_check

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from truescope.core.errors import TableError
from truescope.tabular.trees.cues import Columns, Cue, columns_of, encode
from truescope.tabular.trees.growing import Fan, Plan, fifteen_digits
from truescope.tabular.trees.labels import as_positive, positive_class, two_classes
from truescope.tabular.trees.scoring import leaf_numbers, score
from truescope.tabular.trees.settings import Goals, check_settings
from truescope.tabular.trees.statistics import OutcomeCosts
from truescope.tabular.trees.thresholds import Rules, Split
from truescope.tabular.trees.tree import Exits, FastFrugalTree, Node

_ABOVE_HALF = 0.5 + 1e-9


class CueWarning(UserWarning):
    """A cue that can hardly be meant: nearly as many levels as rows, or a copy of the target or of another cue."""


class FastFrugalTreeClassifier(ClassifierMixin, BaseEstimator):
    """Fast-and-frugal trees by the published ifan and dfan algorithms (Phillips et al. 2017, JDM 12, 344–368).

    The trees, their order and their statistics are those of the R package FFTrees 2.1, without two of its faults
    (``reproduce_upstream_faults`` brings them back for comparison). Numeric columns are numeric cues; text, boolean and
    categorical columns are sets of levels.

    Parameters
    ----------
    algorithm
        "ifan" ranks the cues once, "dfan" anew on the undecided cases of each node.
    goal, goal_chase, goal_threshold
        What trees are ordered by, what cues are chosen by, what thresholds are chosen by: "acc", "bacc", "wacc",
        "dprime" or "cost". None: "cost" for the first two where costs are given, else "bacc" ("wacc" where ``sens_w``
        is not .5).
    max_levels
        The most nodes, 1 to 6.
    numthresh_method, numthresh_n
        "optimise" tries at most ``numthresh_n`` (3 to 20) thresholds spread over a cue's values, "median" the median.
    stopping_rule, stopping_par
        "exemplars": stop when fewer than this share is undecided; "levels": at this level; "statdelta": when "all
        decided here" gains less than this.
    sens_w
        The weight of sensitivity in wacc.
    cost_outcomes, cost_cues
        Costs by outcome (``{"hi": 0, "fa": 1, "mi": 1, "cr": 0}``) and by cue (1 where none is given).
    repeat_cues
        Whether dfan may ask a cue again.
    final_missing
        How a case without the last cue is decided: "majority", "positive", "negative", or "baseline" (a coin with the
        base rate; ``random_state``).
    positive
        The positive class. None: told by convention (True, 1, "yes", …), else by size or alphabet, with a warning.
    proba
        What `predict_proba` does with a leaf that decides against the majority of its training cases (which the
        published algorithms often grow): "decision" keeps it on its decision's side of one half, as scikit-learn's
        contract wants; "leaf" gives its share as it is, which is what calibration should be judged by.
    select
        Which tree decides: 1 is the best on the training data.
    reproduce_upstream_faults
        Copy two faults of FFTrees 2.1: a missing last cue re-decides decided cases, and thresholds have 15 digits.
    random_state
        Only for ``final_missing="baseline"``.

    Attributes
    ----------
    classes_, positive_class_, n_features_in_, feature_names_in_
        As scikit-learn has them; ``positive_class_`` is the class that "positive" means.
    trees_, tree_
        All trees, best first, each with its ``scores`` on the training data; the one that decides.
    cues_
        Each cue's best split on all training cases, best first.
    stats_, level_stats_
        One row for each tree; one row for each level of ``tree_``.
    """

    # scikit-learn wants wrong settings to be refused by fit, not here.
    @no_type_check
    def __init__(
        self,
        algorithm: str = "ifan",
        *,
        goal: str | None = None,
        goal_chase: str | None = None,
        goal_threshold: str | None = None,
        max_levels: int = 4,
        numthresh_method: str = "optimise",
        numthresh_n: int = 10,
        stopping_rule: str = "exemplars",
        stopping_par: float | int = 0.1,
        sens_w: float | int = 0.5,
        cost_outcomes: Mapping[str, float | int] | None = None,
        cost_cues: Mapping[str, float | int] | None = None,
        repeat_cues: bool = True,
        final_missing: str = "majority",
        positive: Any = None,
        proba: str = "decision",
        select: int = 1,
        reproduce_upstream_faults: bool = False,
        random_state: Any = None,
    ) -> None:
        self.algorithm = algorithm
        self.goal = goal
        self.goal_chase = goal_chase
        self.goal_threshold = goal_threshold
        self.max_levels = max_levels
        self.numthresh_method = numthresh_method
        self.numthresh_n = numthresh_n
        self.stopping_rule = stopping_rule
        self.stopping_par = stopping_par
        self.sens_w = sens_w
        self.cost_outcomes = cost_outcomes
        self.cost_cues = cost_cues
        self.repeat_cues = repeat_cues
        self.final_missing = final_missing
        self.positive = positive
        self.proba = proba
        self.select = select
        self.reproduce_upstream_faults = reproduce_upstream_faults
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> FastFrugalTreeClassifier:
        """Grow all trees on ``X`` [cases, cues] and ``y`` [cases]; a weight of two is a case met twice.

        Raises:
            TableError: the table cannot be learned from (each with what to do).
            UsageError: a setting is none of those named above.
        """
        goals = check_settings(self)
        columns, positive, weights, kept = self._read(X, y, sample_weight)
        cues = encode(columns, kept)
        _warn_of_odd_cues(cues, positive)
        plan = self._plan(goals)
        fan = Fan(cues, positive, weights, plan)
        grown = fan.grow()
        if self.reproduce_upstream_faults:
            grown = list(dict.fromkeys(tuple(map(_with_text_threshold, nodes)) for nodes in grown))
        self._goals, self._n_cues = goals, len(cues)
        self._training = (columns, positive, weights, kept)
        self.base_rate_ = float(positive.mean() if weights is None else weights[positive].sum() / weights.sum())
        labels = self.classes_[self.classes_ != self.positive_class_][0], self.positive_class_
        trees = [self._scored(FastFrugalTree(nodes, *labels), *self._training) for nodes in grown]
        self._rank(trees)
        self.cues_ = _cue_table(cues, fan.whole, plan)
        return self

    def predict(self, X: Any) -> Shaped[np.ndarray, " cases"]:
        """The class of each case."""
        positive = self._exits(self._read_again(X)).positive
        negative = self.classes_[self.classes_ != self.positive_class_][0]
        return np.where(positive, np.array(self.positive_class_), np.array(negative)).astype(self.classes_.dtype)

    def predict_proba(self, X: Any) -> Float[np.ndarray, "cases 2"]:
        """Each class's share in the leaf that a case leaves by, by Laplace's rule (k+1)/(n+2); see ``proba``."""
        columns = self._read_again(X)
        tree = self.tree_
        assert tree.scores is not None
        by_leaf = np.array([leaf.probability for leaf in tree.scores.leaves])
        if self.proba == "decision":
            decided = np.array([leaf.positive for leaf in tree.scores.leaves])
            by_leaf = np.where(decided, np.maximum(by_leaf, _ABOVE_HALF), np.minimum(by_leaf, 1 - _ABOVE_HALF))
        p = by_leaf[leaf_numbers(tree, self._exits(columns))]
        both = np.column_stack([1 - p, p])
        return both if self.classes_[1] == self.positive_class_ else both[:, ::-1]

    def decision_path(self, X: Any, case: int | None = None) -> list[list[dict[str, Any]]] | list[dict[str, Any]]:
        """What each case (or the one numbered ``case``) is asked: level, cue, value, fires, decision at the exit."""
        columns = self._read_again(X)
        missing = self._missing(columns.n_cases)
        answers = missing if isinstance(missing, np.ndarray) else np.full(columns.n_cases, missing)
        if case is not None:
            return self.tree_.path(columns, case, bool(answers[case]))
        return [self.tree_.path(columns, i, bool(answers[i])) for i in range(columns.n_cases)]

    def score_trees(self, X: Any, y: Any, sample_weight: Any = None) -> pd.DataFrame:
        """Every tree's statistics on other labelled cases, one row a tree, in the order of ``trees_``."""
        check_is_fitted(self)
        columns = self._read_again(X)
        positive = as_positive(column_or_1d(np.asarray(y)), self.positive_class_)
        check_consistent_length(X, positive)
        weights = None if sample_weight is None else np.asarray(_check_sample_weight(sample_weight, X), dtype=float)
        everyone = np.ones(len(positive), dtype=bool)
        return _tree_table([self._scored(tree, columns, positive, weights, everyone) for tree in self.trees_])

    def _plan(self, goals: Goals) -> Plan:
        rules = Rules(
            goals.threshold, goals.chase, self.numthresh_method, self.numthresh_n, float(self.sens_w), goals.costs
        )
        return Plan(
            self.algorithm,
            self.max_levels,
            self.stopping_rule,
            self.stopping_par,
            self.repeat_cues,
            rules,
            dict(self.cost_cues or {}),
            self.reproduce_upstream_faults,
        )

    def _read(self, X: Any, y: Any, sample_weight: Any) -> tuple[Columns, Any, Any, Any]:
        """The table, where the target is positive, the weights and the rows that count (weight above zero)."""
        name = getattr(y, "name", None)
        if name is not None and isinstance(X, pd.DataFrame) and name in X.columns:
            raise TableError(
                f"the target {name!r} is among the cues",
                why="a tree would only repeat it",
                fix="drop the column from X",
            )
        validate_data(self, cast(Any, X), y, skip_check_array=True)
        columns = columns_of(X)
        y = y.to_numpy(dtype=object) if isinstance(y, pd.Series) and y.isna().any() else np.asarray(y)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        kept = np.ones(len(y), dtype=bool)
        weights = None
        if sample_weight is not None:
            weights = np.asarray(_check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True))
            kept = weights > 0
            weights = weights[kept]
        if y.dtype.kind in "fc":
            check_classification_targets(y[kept])
        self.classes_ = two_classes(y[kept])
        self.positive_class_ = positive_class(self.classes_, self.positive)
        return columns, as_positive(y[kept], self.positive_class_), weights, kept

    def _read_again(self, X: Any) -> Columns:
        check_is_fitted(self)
        columns = columns_of(X, check_numbers=False)
        validate_data(self, X, skip_check_array=True, reset=False)
        if columns.frame is None and hasattr(self, "feature_names_in_"):
            return Columns(columns.array, list(self.feature_names_in_))
        return columns

    def _missing(self, n: int) -> Any:
        """What a case without the last cue is decided: one answer for all, or one for each (a coin)."""
        if self.final_missing == "baseline":
            return check_random_state(self.random_state).random_sample(n) < self.base_rate_
        return {"positive": True, "negative": False}.get(self.final_missing, self.base_rate_ > 0.5)

    def _exits(self, columns: Columns, tree: FastFrugalTree | None = None) -> Exits:
        tree = tree or self.tree_
        return tree.decide(columns, self._missing(columns.n_cases), redecide=self.reproduce_upstream_faults)

    def _scored(self, tree: FastFrugalTree, columns: Columns, positive: Any, weights: Any, kept: Any) -> FastFrugalTree:
        exits = self._exits(columns, tree)
        if not kept.all():
            exits = Exits(exits.positive[kept], exits.level[kept])
        costs, cue_costs = self._goals.costs, dict(self.cost_cues or {})
        found = score(
            tree, exits, positive, weights, n_cues=self._n_cues, sens_w=self.sens_w, costs=costs, cue_costs=cue_costs
        )
        return tree.with_scores(found)

    def _rank(self, trees: list[FastFrugalTree]) -> None:
        """Best first; trees that are equally good stay in the order of creation."""
        goal = self._goals.goal
        values = np.array([tree.scores.statistics[goal] for tree in trees if tree.scores is not None])
        order = np.argsort(values if goal == "cost" else -values, kind="stable")
        self.trees_ = [trees[place] for place in order]
        if not 1 <= self.select <= len(self.trees_):
            raise TableError(
                f"there are {len(self.trees_)} trees, no tree {self.select}", fix="select=1 is the best one"
            )
        self.tree_ = self.trees_[self.select - 1]
        self.stats_ = _tree_table(self.trees_)
        assert self.tree_.scores is not None
        nodes = [{"cue": node.cue, "exit": node.exit} for node in self.tree_.nodes]
        levels = self.tree_.scores.levels
        self.level_stats_ = pd.DataFrame([{**node, **found} for node, found in zip(nodes, levels, strict=True)])


def _with_text_threshold(node: Node) -> Node:
    if isinstance(node.threshold, tuple):
        return node
    return replace(node, threshold=fifteen_digits(node.threshold))


def _tree_table(trees: list[FastFrugalTree]) -> pd.DataFrame:
    rows = [
        {"tree": number, "nodes": len(tree.nodes), **(tree.scores.statistics if tree.scores else {})}
        for number, tree in enumerate(trees, start=1)
    ]
    return pd.DataFrame(rows)


def _cue_table(cues: list[Cue], splits: list[Split | None], plan: Plan) -> pd.DataFrame:
    rules, rows = plan.rules, []
    for cue, split in zip(cues, splits, strict=True):
        row: dict[str, Any] = {"cue": cue.name, "numeric": cue.numeric, "direction": None, "threshold": None}
        if split is not None:
            row |= {"direction": split.direction, "threshold": split.threshold}
            row |= split.counts.statistics(rules.sens_w, rules.costs)
            row |= {"cost_cue": plan.cost_of(cue.name), "chase": split.chase}
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.sort_values("chase", ascending=False, kind="stable", ignore_index=True) if "chase" in table else table


def _warn_of_odd_cues(cues: list[Cue], positive: Shaped[np.ndarray, " cases"]) -> None:
    n = len(positive)
    seen: dict[tuple[int, bytes], str] = {}
    for cue in cues:
        if not cue.numeric and cue.n_values > n / 2 and n > 2:
            warnings.warn(
                f"cue {cue.name!r} has {cue.n_values} levels in {n} rows: a tree can learn them by heart; leave it out "
                "or group its levels",
                CueWarning,
                stacklevel=3,
            )
        if cue.n_values == 2 and cue.codes.max() == 1 and len(set((2 * cue.codes + positive).tolist())) == 2:
            warnings.warn(
                f"cue {cue.name!r} tells the target in every case: is it a copy of it?", CueWarning, stacklevel=3
            )
        key = (cue.n_values, cue.codes.tobytes())
        if cue.n_values > 1 and key in seen:
            warnings.warn(f"cues {seen[key]!r} and {cue.name!r} hold the same", CueWarning, stacklevel=3)
        seen.setdefault(key, cue.name)


__all__ = ["CueWarning", "FastFrugalTreeClassifier", "OutcomeCosts"]
