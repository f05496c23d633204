"""The page in a real browser: pointer, keys, address, exports, themes, narrow windows, one file."""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from truescope.web import self_contained
from web.example_view import HOSTILE

Open = Callable[..., Any]
Record = dict[str, Any]


def strongest(view: Record, node_id: str, side: str, rank: int = 0) -> str:
    """The node at the other end of the ``rank``-th weightiest edge into ("source") or out of ("target") a node."""
    nodes, edges = view["graph"]["nodes"], view["graph"]["edges"]
    here = next(i for i, node in enumerate(nodes) if node["id"] == node_id)
    own = "target" if side == "source" else "source"
    ranked = sorted((edge for edge in edges if edge[own] == here), key=lambda edge: -abs(edge["weight"]))
    return nodes[ranked[rank][side]]["id"]


@pytest.fixture(scope="session")
def unit(view: Record) -> Record:
    """The most influential units-digit unit of layer 1: it has no operand plot, and so needs no plotly."""
    return most_influential(view, layer=1)


@pytest.fixture(scope="session")
def plotted(view: Record) -> Record:
    """The most influential units-digit unit of layer 2, which has an operand plot."""
    return most_influential(view, layer=2)


def most_influential(view: Record, layer: int) -> Record:
    chosen = [n for n in view["graph"]["nodes"] if n["group"] == "units digits" and n["layer"] == layer]
    return max(chosen, key=lambda node: node["influence"])


def node(page: Any, node_id: str) -> Any:
    return page.locator(f'[data-id="{node_id}"]')


def selected(page: Any) -> str | None:
    return page.evaluate("document.querySelector('.node.selected')?.dataset.id ?? null")


def test_answer_scores_and_failed_claims_first(open_page: Open) -> None:
    page = open_page()
    heading = page.locator("h1").inner_text()
    assert "36+59=" in heading and "95" in heading and "0.9984" in heading
    metrics = page.locator(".metrics").inner_text()
    for number in ("0.912–0.974", "0.943–0.988", "3.1e−7", "2.6–8.8 %"):
        assert number in metrics
    cards = page.locator(".claim .claim-head .badge")
    assert [text[2:] for text in cards.all_inner_texts()] == ["failed", "undecided", "held"]
    first = page.locator(".claim").first
    assert "needs ≥ 0.99" in first.inner_text() and "0 of 100 matched random groups" in first.inner_text()
    assert "31 %" in page.locator(".claim").nth(2).inner_text(), "the group's share of influence"
    track = first.locator(".track").first
    assert "controls 0.91 to 0.995" in track.get_attribute("aria-label")


def test_nothing_in_the_graph_overlaps(open_page: Open, view: Record) -> None:
    page = open_page("", width=1500, height=1000)
    boxes = page.evaluate(
        "[...document.querySelectorAll('#graph .shape, #graph .more rect')].map(e => {"
        " const b = e.getBBox(), p = e.parentNode.transform.baseVal[0].matrix;"
        " return [b.x + p.e, b.y + p.f, b.width, b.height]; })"
    )
    assert len(boxes) == len(view["graph"]["nodes"])
    overlaps = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]) > 1 and min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]) > 1
    ]
    assert overlaps == []


def test_edges_say_their_sign_by_colour_and_dash(open_page: Open, view: Record) -> None:
    page = open_page("#edges=400")
    drawn = page.evaluate(
        "[...document.querySelectorAll('.edges .edge')].map(e => [Number(e.dataset.edge),"
        " getComputedStyle(e).strokeDasharray !== 'none', getComputedStyle(e).stroke])"
    )
    assert len(drawn) == 400
    for i, dashed, _ in drawn:
        assert dashed == (view["graph"]["edges"][i]["weight"] < 0)
    assert len({colour for _, _, colour in drawn}) == 2


def test_a_click_selects_and_the_panel_tells(open_page: Open, view: Record, units: Record, plotted: Record) -> None:
    page = open_page()
    node(page, plotted["id"]).click()
    page.wait_for_selector(".heat .main-svg")
    assert selected(page) == plotted["id"]
    panel = page.locator("#panel")
    text = panel.inner_text()
    assert f"unit {plotted['layer']}/{plotted['index']}" in text and "held" in text and "91 %" in text
    assert panel.locator(".heat").get_attribute("aria-label").startswith("Activation over second operand")
    assert_plot_shows(page, units[f"{plotted['layer']}/{plotted['index']}"]["operand_plot"])
    assert panel.locator(".examples li").count() == 5
    rows = panel.locator(".edge-row .edge-weight").all_inner_texts()
    n_inputs = min(10, sum(view["graph"]["nodes"][e["target"]]["id"] == plotted["id"] for e in view["graph"]["edges"]))
    weights = [abs(float(row.replace("−", "-"))) for row in rows[:n_inputs]]
    assert weights == sorted(weights, reverse=True)
    panel.locator(".edge-row").first.click()
    assert selected(page) == strongest(view, plotted["id"], "source")


def assert_plot_shows(page: Any, plot: Record) -> None:
    """The chart's numbers are the unit's own, row by row."""
    trace = page.evaluate("(({ type, z }) => ({ type, z }))(document.querySelector('.heat').data[0])")
    values = base64.b64decode(plot["values"])
    assert trace["type"] == "heatmap" and len(trace["z"]) == len(trace["z"][0]) == 100
    for a, b in ((0, 0), (36, 59), (99, 1)):
        assert trace["z"][a][b] == pytest.approx(values[100 * a + b] * plot["scale"] + plot["offset"])


def test_a_unit_without_evidence_is_told_kindly(browser: Any, address: str, view: Record, units: Record) -> None:
    inside = [n for n in view["graph"]["nodes"] if n["kind"] == "unit"]
    bare = next(n for n in inside if f"{n['layer']}/{n['index']}" not in units)
    # The browser itself notes the 404 in its console, so this page is opened by hand.
    page = browser.new_page()
    page.goto(f"{address}#select={bare['id']}")
    page.wait_for_selector("text=no evidence was gathered")
    page.close()


def test_hover_previews_without_selecting(open_page: Open, unit: Record) -> None:
    page = open_page()
    node(page, unit["id"]).hover()
    tip = page.locator("#tip")
    tip.wait_for(state="visible")
    assert unit["label"] in tip.inner_text() and "held" in tip.inner_text()
    assert page.locator(".edge.near").count() > 0
    assert selected(page) is None and "select" not in page.url
    page.locator("h1").hover()
    tip.wait_for(state="hidden")


def test_ctrl_click_pins_and_the_subgraph_is_listed(open_page: Open, view: Record, unit: Record) -> None:
    page = open_page()
    source = strongest(view, unit["id"], "source")
    node(page, unit["id"]).click(modifiers=["Control"])
    node(page, source).click(modifiers=["Control"])
    assert page.locator(".pins .pin").count() == 2
    assert page.locator(".edge.among").count() >= 2, "the pinned edge, and the legend's two samples"
    assert "→" in page.locator(".among-list").inner_text()
    assert selected(page) is None
    page.locator(".pin .remove").first.click()
    assert page.locator(".pins .pin").count() == 1


def test_arrows_travel_along_edges(open_page: Open, view: Record, unit: Record) -> None:
    page = open_page(f"#select={unit['id']}")
    node(page, unit["id"]).focus()
    page.keyboard.press("ArrowDown")
    assert selected(page) == strongest(view, unit["id"], "source")
    page.keyboard.press("ArrowRight")
    assert selected(page) == strongest(view, unit["id"], "source", 1)
    assert "along" in page.locator("#live").inner_text()
    page.keyboard.press("ArrowLeft")
    below = strongest(view, unit["id"], "source")
    assert selected(page) == below
    page.keyboard.press("ArrowUp")
    assert selected(page) == strongest(view, below, "target")
    assert page.evaluate("document.activeElement.dataset.id") == selected(page)


def test_the_keyboard_alone_reaches_the_graph(open_page: Open, view: Record) -> None:
    page = open_page()
    page.keyboard.press("ArrowDown")
    assert selected(page) == "logit.95.5", "with nothing selected, travel starts at the answer"
    page.keyboard.press("ArrowDown")
    assert selected(page) == strongest(view, "logit.95.5", "source")
    page.keyboard.press("p")
    assert page.locator(".pins .pin").count() == 1
    page.keyboard.press("z")
    page.wait_for_selector(".pins", state="hidden")


def test_slash_searches_and_escape_leaves(open_page: Open, unit: Record) -> None:
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("units digits ≡ 7")
    page.wait_for_selector("#results [role=option]")
    for text in page.locator("#results [role=option]").all_inner_texts():
        assert "≡ 7" in text
    assert page.locator(".node.found").count() == page.locator(".node:not(.dim)[data-i]").count() > 0
    page.keyboard.press("Enter")
    assert "≡ 7" in page.locator("#panel h2").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#search").input_value() == ""
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert selected(page) is None
    assert page.locator("#panel h2").inner_text() == "This graph"


def test_question_mark_opens_help_and_escape_closes_it(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 1
    assert "travel along" in page.locator("dialog[open]").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_state_is_in_the_address_and_survives_a_reload(open_page: Open, unit: Record) -> None:
    page = open_page()
    node(page, unit["id"]).click()
    page.locator("#pin").click()
    page.select_option("#layer", "1")
    page.locator("#theme").click()
    page.locator("#theme").click()
    page.locator("#edges").fill("70")
    page.keyboard.press("/")
    page.keyboard.type("sums")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert selected(page) == unit["id"]
    assert page.locator(".node.pinned").count() == 1
    assert page.locator("#layer").input_value() == "1"
    assert page.locator("#search").input_value() == "sums"
    assert page.locator("#edges").input_value() == "70"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.locator('.node.kind-unit[data-id^="unit.0."]').count() == 0, "other layers are left out"


def test_back_undoes_a_selection(open_page: Open, unit: Record) -> None:
    page = open_page()
    node(page, unit["id"]).click()
    node(page, "logit.95.5").click()
    page.go_back()
    assert selected(page) == unit["id"]
    page.locator("#undo").click()
    page.wait_for_selector(".node.selected", state="detached")


def test_a_group_lights_up_and_shows_its_verdict(open_page: Open, view: Record) -> None:
    page = open_page()
    chip = page.locator('.legend [data-group="magnitude"]')
    assert "failed" in chip.locator("..").inner_text()
    chip.click()
    members = sum(n["group"] == "magnitude" for n in view["graph"]["nodes"])
    assert page.locator(".node:not(.dim)[data-i]").count() == members
    assert chip.get_attribute("aria-pressed") == "true"
    assert page.evaluate("getComputedStyle(document.querySelector('#graph .failed .shape')).strokeDasharray") != "none"


def test_svg_and_json_are_saved(open_page: Open, view: Record, unit: Record, tmp_path: Path) -> None:
    page = open_page(f"#select={unit['id']}")
    with page.expect_download() as saved:
        page.locator("#save-svg").click()
    saved.value.save_as(tmp_path / "graph.svg")
    root = ET.parse(tmp_path / "graph.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = (tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert text.count("data-id=") == len(view["graph"]["nodes"])
    assert "stroke-dasharray" in text and "color-mix" not in text and "color(srgb" not in text
    with page.expect_download() as saved:
        page.locator("#save-json").click()
    saved.value.save_as(tmp_path / "view.json")
    assert json.loads((tmp_path / "view.json").read_text(encoding="utf-8")) == view
    assert re.fullmatch(r"truescope-\w+\.json", saved.value.suggested_filename)


def test_the_system_s_dark_mode_is_followed(open_page: Open) -> None:
    page = open_page("", color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="light")
    page.wait_for_selector("html[data-theme=light]")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (dark, light)]
    assert brightness[0] < 120 and brightness[1] > 650


def test_no_window_scrolls_sideways(open_page: Open) -> None:
    page = open_page()
    for width in (360, 390, 768, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#graph").is_visible() and page.locator(".metrics").is_visible()


@pytest.mark.parametrize("width", [400, 900, 1280])
def test_error_share_and_scores_stay_in_sight(open_page: Open, width: int) -> None:
    page = open_page("", width=width, height=800)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    box = page.locator(".metrics").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 800
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    covered = "([x, y]) => document.elementFromPoint(x, y).closest('.metrics') === null"
    assert not page.evaluate(covered, middle)
    assert {"error share", "replacement", "completeness", "closure gap"} <= set(
        page.locator(".metrics dt").all_inner_texts()
    )


def test_where_the_numbers_come_from_is_told(open_page: Open, view: Record) -> None:
    text = open_page().locator("#panel").inner_text()
    for known in ("a1b2c3d4e5f60718", "0123456789ab, with changes", "torch 2.13.0", "d4d4d4", "9f2c9f", "7e7e7e"):
        assert known in text
    assert "[object" not in text and "undefined" not in text


def test_on_a_narrow_window_the_panel_is_a_sheet(open_page: Open, unit: Record) -> None:
    page = open_page(f"#select={unit['id']}", width=390, height=844)
    box = page.locator("#panel").bounding_box()
    assert box["width"] == 390 and box["y"] > 300 and abs(box["y"] + box["height"] - 844) < 2
    page.locator("#panel [aria-label=Close]").click()
    assert selected(page) is None
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_table_says_the_same_as_the_graph(open_page: Open, view: Record, unit: Record) -> None:
    page = open_page()
    page.keyboard.press("v")
    table = page.locator("#table-view table")
    assert table.locator("tbody tr").count() == len(view["graph"]["nodes"])
    assert table.locator("th[scope=col][aria-sort=descending]").inner_text().startswith("influence")
    table.locator("button", has_text=unit["label"]).first.click()
    assert page.locator("#panel h2").inner_text() == unit["label"]
    assert table.locator("tr[aria-selected=true]").count() == 1
    table.locator("thead button", has_text="layer").click()
    assert table.locator("tbody tr td:nth-child(3)").first.inner_text() == "-1"


def test_a_screen_reader_finds_names_and_roles(open_page: Open, unit: Record) -> None:
    page = open_page()
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select, [role=button], [role=img], aside, section')]"
        ".filter(e => !e.getAttribute('aria-label') && !e.textContent.trim() && !e.labels?.length)"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []
    label = node(page, unit["id"]).get_attribute("aria-label")
    assert "layer 1" in label and "units digits, held" in label
    assert page.locator("#graph .nodes [tabindex='0'][data-i]").count() == 1, "one stop for Tab, arrows inside"
    assert page.locator("#live[aria-live]").count() == 1


def test_text_of_a_model_is_never_markup(open_page: Open, view: Record) -> None:
    hostile = next(n for n in view["graph"]["nodes"] if n["label"] == HOSTILE)
    page = open_page(f"#select={hostile['id']}&pin={hostile['id']}&search={quote('onerror')}")
    page.wait_for_selector(".panel h2")
    assert page.locator(".panel h2").inner_text() == HOSTILE
    assert page.locator("img").count() == 0


def test_an_unjudged_graph_says_so(open_page: Open, view: Record, tmp_path: Path) -> None:
    nodes = [{**node, "group": None} for node in view["graph"]["nodes"]]
    plain = {**view, "claims": [], "groups": [], "graph": {**view["graph"], "nodes": nodes}}
    (tmp_path / "page.html").write_text(self_contained(plain, {}), encoding="utf-8")
    page = open_page(url=(tmp_path / "page.html").as_uri())
    assert "not judged" in page.locator(".standing").inner_text()
    assert "Not judged" in page.locator("#claims").inner_text()


def test_one_file_works_from_a_disk(
    open_page: Open, view: Record, units: Record, plotted: Record, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text(self_contained(view, units), encoding="utf-8")
    page = open_page(url=(tmp_path / "page.html").as_uri())
    node(page, plotted["id"]).click()
    page.wait_for_selector(".heat .main-svg")
    assert plotted["id"] in page.url
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert selected(page) == plotted["id"]
    page.go_back()
    page.wait_for_selector(".node.selected", state="detached")
