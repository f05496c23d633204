"""`FastFrugalTreeClassifier`: the fan of trees as a scikit-learn estimator, the best of them deciding."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast, no_type_check

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from truescope.core.errors import TableError
from truescope.tabular.trees.cases import Cases
from truescope.tabular.trees.cues import Columns, encode
from truescope.tabular.trees.edits import edit
from truescope.tabular.trees.estimator import TwoClassEstimator
from truescope.tabular.trees.growing import Fan, Plan, with_text_thresholds
from truescope.tabular.trees.plots import Figure, plot, pocket_card
from truescope.tabular.trees.records import estimator_record, restore_estimator
from truescope.tabular.trees.reports import cue_table, level_table, tree_table, warn_of_odd_cues
from truescope.tabular.trees.scoring import leaf_numbers, score
from truescope.tabular.trees.settings import check_cue_names, check_settings
from truescope.tabular.trees.thresholds import Rules
from truescope.tabular.trees.tree import Exits, FastFrugalTree, plain
from truescope.tabular.trees.words import from_words, to_words

_ABOVE_HALF = 0.5 + 1e-9


class FastFrugalTreeClassifier(TwoClassEstimator):
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> FastFrugalTreeClassifier:
        """Grow all trees on ``X`` [cases, cues] and ``y`` [cases]; a weight of two is a case met twice.

        Raises:
            TableError: the table cannot be learned from (each with what to do).
            UsageError: a setting is none of those named above.
        """
        cases = self._prepare(X, y, sample_weight)
        cues = encode(cases.columns, cases.kept)
        warn_of_odd_cues(cues, cases.positive)
        plan = self._plan()
        fan = Fan(cues, cases.positive, cases.weights, plan)
        grown = fan.grow()
        if self.reproduce_upstream_faults:
            grown = list(dict.fromkeys(map(with_text_thresholds, grown)))
        self.cues_ = cue_table(cues, fan.whole, plan)
        labels = plain(self.negative_class_), plain(self.positive_class_)
        return self._take([FastFrugalTree(nodes, *labels) for nodes in grown], cases)

    def predict(self, X: Any) -> Shaped[np.ndarray, " cases"]:
        """What the deciding tree says of each case."""
        return self._labels(self._exits(self._read_again(X)).positive)

    def predict_proba(self, X: Any) -> Float[np.ndarray, "cases 2"]:
        """Each class's share in the leaf that a case leaves by, by Laplace's rule (k+1)/(n+2); see ``proba``."""
        columns = self._read_again(X)
        tree = self.tree_
        assert tree.scores is not None
        by_leaf = np.array([leaf.probability for leaf in tree.scores.leaves])
        if self.proba == "decision":
            decided = np.array([leaf.positive for leaf in tree.scores.leaves])
            by_leaf = np.where(decided, np.maximum(by_leaf, _ABOVE_HALF), np.minimum(by_leaf, 1 - _ABOVE_HALF))
        return self._both(by_leaf[leaf_numbers(tree, self._exits(columns))])

    def decision_path(self, X: Any, case: int | None = None) -> list[Any]:
        """What each case (or the one numbered ``case``) is asked: level, cue, value, fires, decision at the exit."""
        columns = self._read_again(X)
        missing = np.broadcast_to(self._missing(columns.n_cases), columns.n_cases)
        if case is not None:
            return self.tree_.path(columns, case, bool(missing[case]))
        return [self.tree_.path(columns, i, bool(missing[i])) for i in range(columns.n_cases)]

    def score_trees(self, X: Any, y: Any, sample_weight: Any = None) -> pd.DataFrame:
        """Every tree's statistics on other labelled cases, one row a tree, in the order of ``trees_``."""
        cases = self._labelled(X, y, sample_weight)
        return tree_table([self._scored(tree, cases) for tree in self.trees_])

    def words(self, tree: int | None = None, language: str = "en") -> str:
        """The deciding tree (or the one numbered ``tree``) in sentences; ``language`` is "en" or "de"."""
        check_is_fitted(self)
        return to_words(self.tree_ if tree is None else self._tree(tree), language)

    def plot(self, what: str = "all", *, tree: int | None = None, title: str = "Fast-and-frugal tree") -> Figure:
        """The deciding tree (or another one) as a figure: "all", "tree", "icontree", "cues" or "roc"."""
        check_is_fitted(self)
        chosen = self.tree_ if tree is None else self._tree(tree)
        cues = getattr(self, "cues_", None)
        return plot(chosen, self.trees_, cues, what=what, title=title, goal=self._goals.threshold)

    def card(self, *, tree: int | None = None, title: str = "Fast-and-frugal tree", note: str = "") -> Figure:
        """The deciding tree (or another one) as a pocket card of A6 size."""
        check_is_fitted(self)
        return pocket_card(self.tree_ if tree is None else self._tree(tree), title=title, note=note)

    def _repr_html_(self) -> str:
        if not hasattr(self, "tree_") or self.tree_.scores is None:
            return super()._repr_html_()
        return self.plot()._repr_html_()

    @classmethod
    def from_words(
        cls, text: str, X: Any, y: Any, sample_weight: Any = None, **settings: Any
    ) -> FastFrugalTreeClassifier:
        """A fitted estimator that decides by the tree in the words, scored on these cases.

        Raises:
            TableError: the words cannot be read, or ask for a column that is not there.
        """
        model = cls(**settings)
        cases = model._prepare(X, y, sample_weight)
        tree = from_words(text, positive=model.positive_class_)
        if str(tree.negative) != str(model.negative_class_):
            raise TableError(
                f"the words decide {tree.negative!r}, which the target never is",
                why=f"it is {model.negative_class_!s} or {model.positive_class_!s}",
            )
        labels = {"negative": plain(model.negative_class_), "positive": plain(model.positive_class_)}
        return model._take([replace(tree, **labels)], cases)

    def edit(
        self,
        *,
        tree: int | None = None,
        drop: int | None = None,
        reorder: Sequence[int] | None = None,
        flip: int | None = None,
    ) -> FastFrugalTree:
        """The deciding tree (or another one) with a node dropped, the nodes reordered or an exit flipped, re-scored.

        The scores are those on the training data; after unpickling it is gone, and the tree comes without scores.
        `with_tree` makes an estimator that decides by it.
        """
        check_is_fitted(self)
        changed = edit(self.tree_ if tree is None else self._tree(tree), drop=drop, reorder=reorder, flip=flip)
        return changed if self._training is None else self._scored(changed, self._training)

    def with_tree(self, tree: FastFrugalTree) -> FastFrugalTreeClassifier:
        """A fitted copy of this estimator that decides by ``tree``, which stands first among its trees."""
        check_is_fitted(self)
        copied = copy.copy(self)
        copied.trees_ = [tree, *(other for other in self.trees_ if other != tree)]
        copied._choose(1)
        return copied

    def to_dict(self) -> dict[str, Any]:
        """The fitted estimator as JSON: settings, classes, cues' names and trees with their scores, no data."""
        check_is_fitted(self)
        return estimator_record(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> FastFrugalTreeClassifier:
        """The fitted estimator that `to_dict` wrote.

        Raises:
            TableError: it is no such record.
        """
        return restore_estimator(cls, record)

    def __getstate__(self) -> dict[str, Any]:
        # The training data stay where they are; a pickled estimator is a few kilobytes.
        state: dict[str, Any] = dict(cast(Any, super().__getstate__()))
        return state | {"_training": None} if "_training" in state else state

    def _prepare(self, X: Any, y: Any, sample_weight: Any) -> Cases:
        """The training cases, once the settings are known to be good."""
        self._goals = check_settings(self)
        cases = self._read(X, y, sample_weight)
        check_cue_names(self.cost_cues, cases.columns.names)
        return cases

    def _plan(self) -> Plan:
        goals = self._goals
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

    def _missing(self, n: int) -> Any:
        """What a case without the last cue is decided: one answer for all, or one for each (a coin)."""
        if self.final_missing == "baseline":
            return check_random_state(self.random_state).random_sample(n) < self.base_rate_
        return {"positive": True, "negative": False}.get(self.final_missing, self.base_rate_ > 0.5)

    def _exits(self, columns: Columns, tree: FastFrugalTree | None = None) -> Exits:
        tree = tree or self.tree_
        return tree.decide(columns, self._missing(columns.n_cases), redecide=self.reproduce_upstream_faults)

    def _scored(self, tree: FastFrugalTree, cases: Cases) -> FastFrugalTree:
        exits = self._exits(cases.columns, tree)
        if not cases.kept.all():
            exits = Exits(exits.positive[cases.kept], exits.level[cases.kept])
        found = score(
            tree,
            exits,
            cases.positive,
            cases.weights,
            n_cues=self._n_cues,
            sens_w=self.sens_w,
            costs=self._goals.costs,
            cue_costs=dict(self.cost_cues or {}),
        )
        return tree.with_scores(found)

    def _take(self, trees: list[FastFrugalTree], cases: Cases) -> FastFrugalTreeClassifier:
        """Score the trees and rank them, best first; equally good ones stay in the order of creation."""
        self._training = cases
        trees = [self._scored(tree, cases) for tree in trees]
        goal = self._goals.goal
        values = np.array([tree.scores.statistics[goal] for tree in trees if tree.scores is not None])
        order = np.argsort(values if goal == "cost" else -values, kind="stable")
        self.trees_ = [trees[place] for place in order]
        self._choose(self.select)
        return self

    def _choose(self, number: int) -> None:
        self.tree_ = self._tree(number)
        self.stats_ = tree_table(self.trees_)
        self.level_stats_ = level_table(self.tree_)

    def _tree(self, number: int) -> FastFrugalTree:
        if not 1 <= number <= len(self.trees_):
            raise TableError(f"there are {len(self.trees_)} trees, no tree {number}", fix="1 is the best one")
        return self.trees_[number - 1]
