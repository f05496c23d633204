"""The trees, counts and statistics of the R package FFTrees 2.1.0 (run under R 4.2.2) on the data it comes with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from truescope.tabular import FastFrugalTreeClassifier

THAL = ("thal", "=", frozenset({"rd", "fd"}))
CP = ("cp", "=", frozenset({"a"}))
CA = ("ca", ">", 0.0)

# data, target, settings, trees, questions of tree 1, their exits, counts (hi, fa, mi, cr), bacc, mcu
PUBLISHED = [
    ("heart.train", "diagnosis", {}, 7, [THAL, CP, CA], (1, 0, 0.5), (54, 18, 12, 66), 0.801948, 1.7400),
    ("heart.train", "diagnosis", {"algorithm": "dfan"}, 7,
     [THAL, ("age", ">", 56.0), ("age", "<=", 63.0), ("slope", "=", frozenset({"flat", "down"}))],
     (1, 0, 0, 0.5), (55, 16, 11, 68), 0.821429, 1.9267),
    ("heart.train", "diagnosis", {"goal": "acc"}, 7, [THAL, CP, CA], (0, 1, 0.5), (44, 7, 22, 77), 0.791667, 1.5600),
    ("heart.train", "diagnosis", {"cost_outcomes": {"fa": 10, "mi": 20}, "cost_cues": "heart.cost"}, 7,
     [CP, ("sex", ">", 0.0), ("age", ">", 57.0), ("trestbps", ">", 148.0)],
     (1, 0, 1, 0.5), (59, 28, 7, 56), 0.780303, 2.1867),
    ("heartdisease", "diagnosis", {}, 7, [THAL, CP, CA], (1, 0, 0.5), (118, 37, 21, 127), 0.811656, 1.7327),
    ("breastcancer", "diagnosis", {}, 6, [("cellsize.unif", ">", 2.0), ("cellshape.unif", ">", 2.0)],
     (0, 0.5), (222, 20, 17, 424), 0.941913, 1.3880),
    ("titanic", "survived", {}, 4,
     [("sex", "=", frozenset({"female"})), ("class", "=", frozenset({"first", "second"})),
      ("age", "=", frozenset({"child"}))],
     (1, 0, 0.5), (360, 126, 351, 1364), 0.710883, 1.9496),
    ("mushrooms", "poisonous", {}, 6, [("odor", "=", frozenset("fsypcm")), ("sporepc", "=", frozenset("hwr"))],
     (0, 0.5), (3348, 0, 568, 4208), 0.927477, 1.4673),
    ("iris.v", "virginica", {}, 6, [("pet.len", ">", 4.7), ("pet.wid", ">", 1.6)],
     (1, 0.5), (50, 6, 0, 94), 0.97, 1.6333),
    ("iris.v", "virginica", {"algorithm": "dfan"}, 3, [("pet.len", ">", 4.7), ("pet.wid", ">", 1.6)],
     (1, 0.5), (50, 6, 0, 94), 0.97, 1.6333),
    ("sonar", "mine.crit", {"algorithm": "dfan"}, 6,
     [("V11", ">", 0.2139), ("V27", ">", 0.8694), ("V51", ">", 0.014), ("V2", "<=", 0.0275)],
     (0, 1, 1, 0.5), (80, 11, 31, 86), 0.803659, 2.0433),
]  # fmt: skip


def load(folder: Path, name: str, target: str) -> tuple[pd.DataFrame, Any]:
    """The cues and the target of one of the package's data sets."""
    table = pd.read_csv(folder / "tabular" / f"{name}.csv")
    return table.drop(columns=target), table[target]


def heart_costs(folder: Path) -> dict[str, float]:
    """The package's costs of the heart disease cues."""
    table = pd.read_csv(folder / "tabular" / "heart.cost.csv")
    return dict(zip(table["c"], table["v"].astype(float), strict=True))


def questions(model: FastFrugalTreeClassifier) -> list[tuple[str, str, Any]]:
    """The deciding tree's questions; sets of levels in no order."""
    return [
        (n.cue, n.direction, frozenset(n.threshold) if isinstance(n.threshold, tuple) else n.threshold)
        for n in model.tree_.nodes
    ]


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row[0]}-{'-'.join(map(str, row[2].values()))[:20]}")
def test_the_published_tree(row: tuple[Any, ...], real_data: Path) -> None:
    name, target, settings, n_trees, asked, exits, counts, bacc, mcu = row
    if settings.get("cost_cues") == "heart.cost":
        settings = settings | {"cost_cues": heart_costs(real_data)}
    model = FastFrugalTreeClassifier(**settings).fit(*load(real_data, name, target))
    found = model.tree_.scores.statistics
    assert len(model.trees_) == n_trees
    assert questions(model) == asked
    assert model.tree_.exits == exits
    assert tuple(found[key] for key in ("hi", "fa", "mi", "cr")) == counts
    hi, fa, mi, cr = counts
    # The counts fix the statistics; the published ones are rounded.
    assert found["bacc"] == pytest.approx((hi / (hi + mi) + cr / (cr + fa)) / 2, abs=1e-9)
    assert found["bacc"] == pytest.approx(bacc, abs=5.1e-7)
    assert found["mcu"] == pytest.approx(mcu, abs=5.1e-5)


def test_all_statistics_of_the_first_heart_tree(real_data: Path) -> None:
    model = FastFrugalTreeClassifier().fit(*load(real_data, "heart.train", "diagnosis"))
    train = model.tree_.scores.statistics
    assert train["dprime"] == pytest.approx(1.685, abs=5.1e-4)
    assert train["pci"] == pytest.approx(1 - 1.74 / 13, abs=1e-9)
    assert train["cost"] == pytest.approx(1.94, abs=1e-9)
    test = model.score_trees(*load(real_data, "heart.test", "diagnosis")).iloc[0]
    assert [test[key] for key in ("hi", "fa", "mi", "cr")] == [64, 19, 9, 61]
    expected = {
        "sens": 64 / 73, "spec": 61 / 80, "far": 19 / 80, "acc": 125 / 153, "bacc": (64 / 73 + 61 / 80) / 2,
        "ppv": 64 / 83, "npv": 61 / 70, "cost_dec": 28 / 153,
    }  # fmt: skip
    for key, value in expected.items():
        assert test[key] == pytest.approx(value, abs=1e-9), key
    rounded = {"sens": 0.8767, "spec": 0.7625, "acc": 0.8170, "bacc": 0.8196, "ppv": 0.7711, "npv": 0.8714}
    rounded |= {"pci": 0.8673}
    for key, value in rounded.items():
        assert test[key] == pytest.approx(value, abs=5.1e-5), key
    for key, value in {"dprime": 1.855, "mcu": 1.725, "cost": 1.908}.items():
        assert test[key] == pytest.approx(value, abs=6e-4), key


def test_all_seven_heart_trees_on_training_and_test_cases(real_data: Path) -> None:
    model = FastFrugalTreeClassifier().fit(*load(real_data, "heart.train", "diagnosis"))
    assert model.stats_["bacc"].round(4).tolist() == [0.8019, 0.8009, 0.7917, 0.7700, 0.7002, 0.6531, 0.6515]
    test = model.score_trees(*load(real_data, "heart.test", "diagnosis"))
    assert test["bacc"].round(4).tolist() == [0.8196, 0.7964, 0.7856, 0.7476, 0.6918, 0.6507, 0.6432]


def test_the_cost_of_the_cost_tree(real_data: Path) -> None:
    settings = {"cost_outcomes": {"fa": 10, "mi": 20}, "cost_cues": heart_costs(real_data)}
    model = FastFrugalTreeClassifier(**settings).fit(*load(real_data, "heart.train", "diagnosis"))
    assert model.tree_.scores.statistics["cost"] == pytest.approx(4.987, abs=5.1e-4)
