"""The pictures: well-formed, told in words, countable, and readable without colour."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabular.test_published_trees import load
from truescope.core.errors import TableError, UsageError
from truescope.tabular import FastFrugalTreeClassifier
from truescope.tabular.trees.plots.drawing import icon_worth
from truescope.tabular.trees.plots.svg import RIGHT, WRONG
from truescope.tabular.trees.scores import Leaf

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def heart(real_data: Path) -> FastFrugalTreeClassifier:
    return FastFrugalTreeClassifier().fit(*load(real_data, "heart.train", "diagnosis"))


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("what", ["all", "tree", "icontree", "cues", "roc"])
def test_every_part_is_one_described_picture(heart: FastFrugalTreeClassifier, what: str) -> None:
    figure = heart.plot(what, title="Heart <disease>")
    root = ET.fromstring(figure.svg)
    assert root.get("role") == "img"
    named = {element.get("id"): element.text for element in root if element.tag in (f"{SVG}title", f"{SVG}desc")}
    assert set(str(root.get("aria-labelledby")).split()) == set(named)
    assert "Heart <disease>" in named.values()
    if what in ("all", "tree", "icontree"):
        description = next(text for text in named.values() if text and text.startswith("If"))
        assert heart.words().replace("\n", " ") in description and "54 hits" in description
    assert "http" not in figure.svg.replace("http://www.w3.org/2000/svg", "")


def test_what_is_drawn_is_what_was_counted(heart: FastFrugalTreeClassifier) -> None:
    shown = texts(heart.plot("all").svg)
    for text in ("54", "18", "12", "66", "N = 150", "thal", "47 right, 16 wrong", "1.74"):
        assert text in shown, text
    body = heart.plot("icontree").body
    legend = 1
    leaves = heart.tree_.scores.leaves
    worth = icon_worth(leaves)
    assert worth == 2
    discs = sum(max(round(leaf.n_right / worth), 1) for leaf in leaves)
    diamonds = sum(max(round((leaf.n - leaf.n_right) / worth), 1) for leaf in leaves)
    assert body.count(f'fill="{RIGHT}"') == discs + legend
    assert body.count("<path") == diamonds + legend
    assert "<circle" not in heart.plot("tree").body


@pytest.mark.parametrize(
    ("most", "worth"), [(1, 1), (60, 1), (61, 2), (121, 5), (301, 10), (4328, 100), (10**6, 20_000)]
)
def test_no_exit_needs_more_than_sixty_icons(most: int, worth: int) -> None:
    assert icon_worth((Leaf(1, True, float(most), 0.0),)) == worth


def test_right_and_wrong_differ_without_colour() -> None:
    """Shape tells them apart; so does lightness (WCAG relative luminance, against white and each other)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    assert all((1.05) / (luminance(colour) + 0.05) > 4.5 for colour in (RIGHT, WRONG))
    assert luminance(WRONG) > 1.3 * luminance(RIGHT)


def test_long_names_are_cut_and_shown_in_full_on_pointing() -> None:
    X = pd.DataFrame({"a very long name of a cue, longer than any box": np.arange(20.0)})
    figure = FastFrugalTreeClassifier().fit(X, np.arange(20) > 9).plot("tree")
    assert "<title>a very long name of a cue, longer than any box</title>" in figure.svg
    assert any(text.endswith("a very long name o…") for text in texts(figure.svg))


def test_the_card_is_a6_and_says_what_to_expect(heart: FastFrugalTreeClassifier, tmp_path: Path) -> None:
    card = heart.card(title="Heart disease?", note="From heart.train")
    root = ET.fromstring(card.svg)
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("105mm", "148mm", "0 0 1050 1480")
    shown = " ".join(texts(card.svg))
    assert "If thal = {rd,fd}, decide True." in shown and "From heart.train" in shown
    assert "44 are True: it finds 36 and misses 8. Of the 56 others it takes 12 for True." in shown
    places = [float(str(element.get("y"))) for element in root.iter(f"{SVG}text")]
    assert max(places) < 1480 - 30
    page = card.save(tmp_path / "card.html").read_text()
    assert "@page{size:105mm 148mm" in page and "<script" not in page
    assert ET.parse(card.save(tmp_path / "card.svg")).getroot().tag == f"{SVG}svg"
    with pytest.raises(UsageError, match=r"\.svg or \.html"):
        card.save(tmp_path / "card.png")


def test_six_questions_fit_the_card(real_data: Path) -> None:
    X, y = load(real_data, "sonar", "mine.crit")
    model = FastFrugalTreeClassifier("dfan", max_levels=6, stopping_par=0.001).fit(X, y)
    deepest = max(range(len(model.trees_)), key=lambda place: len(model.trees_[place].nodes)) + 1
    card = model.card(tree=deepest, note="n " * 60)
    assert len(model.trees_[deepest - 1].nodes) >= 5
    boxes = [
        (float(str(e.get("y"))), float(str(e.get("height"))))
        for e in ET.fromstring(card.svg).iter(f"{SVG}rect")
        if e.get("y")
    ]
    words = min(
        float(str(e.get("y"))) for e in ET.fromstring(card.svg).iter(f"{SVG}text") if (e.text or "").startswith("If ")
    )
    assert max(y + h for y, h in boxes[1:]) < words


def test_notebooks_show_the_tree(heart: FastFrugalTreeClassifier) -> None:
    assert "<svg" in heart._repr_html_() and "54 hits" in heart._repr_html_()
    assert "<svg" not in FastFrugalTreeClassifier()._repr_html_().split("<style>")[0]


def test_parts_that_cannot_be_drawn_say_why(heart: FastFrugalTreeClassifier) -> None:
    with pytest.raises(TableError, match="did you mean tree"):
        heart.plot("tre")
    bare = FastFrugalTreeClassifier.from_dict(heart.to_dict())
    with pytest.raises(TableError, match="knows no cues"):
        bare.plot("cues")
    unscored = heart.with_tree(heart.edit(drop=1).__class__(heart.tree_.nodes))
    with pytest.raises(TableError, match="no scores"):
        unscored.plot()
    assert "thal" in unscored.plot("tree").svg
