"""Every model of the register on a table with everything in it: words, numbers, gaps, levels seen in test only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from truescope.tabular import Table
from truescope.tabular.compare import Plan, Split, registry, run_cell

HERE = [name for name, model in registry().items() if not model.missing_packages()]


def mixed(n: int = 400) -> Table:
    rng = np.random.default_rng(8)
    x, kind = rng.normal(size=n), rng.choice(["a", "b", "c"], size=n)
    p = 1 / (1 + np.exp(-(2.5 * x + 1.5 * (kind == "a") - 1)))
    made = pd.DataFrame({"x": x, "kind": kind, "day": pd.date_range("2024-01-01", periods=n), "flag": x > 1.5})
    made.loc[::11, "x"] = np.nan
    made.loc[::7, "kind"] = None
    made.loc[390:, "kind"] = "only in test"
    return Table.of(made.assign(y=(rng.random(n) < p).astype(int)), "y")


@pytest.mark.parametrize("name", HERE)
def test_every_model_learns_a_mixed_table(name: str) -> None:
    record = run_cell(name, mixed(), Split(0, 0, np.arange(300), np.arange(300, 400)), Plan(seed=3))
    assert "error" not in record, record
    assert record["bacc"] > 0.68 and record["auc"] > 0.7, (record["bacc"], record["auc"])
    assert record["warnings"] == []
    # The scores of Skope rules are no probabilities; a threshold is found for them all the same.
    assert name == "skope-rules" or (record["log_loss"] < 0.8 and record["brier"] < 0.26)
    assert record["best_bacc"] - record["bacc"] < 0.12
    complexity = record["complexity"]
    assert complexity["nodes"] >= 1 and 0 < complexity["cues"] <= 4
    assert (complexity["words"] is None) == (registry()[name].opaque or name.startswith("ebm"))


@pytest.mark.parametrize("name", HERE)
def test_the_same_seed_gives_the_same_model(name: str) -> None:
    split, table = Split(0, 0, np.arange(300), np.arange(300, 400)), mixed()
    first, second = (run_cell(name, table, split, Plan(seed=5))["probability"] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", ["fft-ifan", "fft-dfan"])
def test_a_tree_is_judged_by_its_leaves_shares(name: str) -> None:
    """A miss weighs more where positives are rare, so leaves decide yes over cases of which most are negative."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(600, 3))
    made = pd.DataFrame(x, columns=pd.Index(["a", "b", "c"]))
    y = rng.random(600) < 0.03 + 0.25 * (x[:, 0] > 0.5) + 0.1 * (x[:, 1] > 0)
    table = Table.of(made.assign(y=y.astype(int)), "y")
    fitted = registry()[name].build(table.kinds, "bacc", 0).fit(table.cues, table.positive)
    probability, decided = fitted.predict_proba(table.cues)[:, 1], fitted.predict(table.cues).astype(bool)
    for share in np.unique(probability):
        here = probability == share
        assert share == pytest.approx((table.positive[here].sum() + 1) / (here.sum() + 2), abs=1e-12)
    assert (decided & (probability < 0.5)).any()


def test_a_model_that_fails_is_a_result() -> None:
    table = mixed()
    one_class = np.flatnonzero(table.positive)[:50]
    record = run_cell("logistic", table, Split(0, 0, one_class, np.arange(300, 400)), Plan())
    assert "error" in record and record["model"] == "logistic"


@pytest.mark.slow
def test_a_rule_learner_that_predicts_at_chance_by_default_does_not_here() -> None:
    """SkopeRules' own decisions are chance though its ranking is good: our threshold is chosen on the training rows."""
    pytest.importorskip("imodels", reason="the extra interpretable is not installed")
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    from truescope.tabular.generated import nonlinear_table

    table = nonlinear_table(6_000)
    train, test = table.cues.iloc[:4_000], table.cues.iloc[4_000:]
    learned, truth = table.positive[:4_000], table.positive[4_000:]
    fitted = registry()["skope-rules"].build(table.kinds, "bacc", 0).fit(train, learned)
    own = fitted.estimator_.predict(test)
    ours = fitted.predict(test)
    assert balanced_accuracy_score(truth, own) == pytest.approx(0.5, abs=0.02)
    assert roc_auc_score(truth, fitted.predict_proba(test)[:, 1]) > 0.7
    assert balanced_accuracy_score(truth, ours) > 0.64


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ebm", "figs", "hs-tree", "rulefit", "skope-rules"])
def test_the_extras_learn_the_nonlinear_set(name: str) -> None:
    """Near what was measured when the set was first made: .713, .712, .704, .724; Skope rules .500 by default."""
    from truescope.tabular.generated import nonlinear_table

    if registry()[name].missing_packages():
        pytest.skip("the extra interpretable is not installed")
    record = run_cell(name, nonlinear_table(), Split(0, 0, np.arange(7_000), np.arange(7_000, 10_000)), Plan())
    assert "error" not in record, record
    assert record["bacc"] > 0.66
