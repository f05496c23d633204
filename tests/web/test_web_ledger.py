"""The ledger on the page: every badge leads to its entry, failed ones come first, what conflicts stands together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from truescope.web import self_contained

Open = Callable[..., Any]


@pytest.fixture
def ledger_page(view: dict[str, Any], units: dict[str, Any], tmp_path: Any, open_page: Open) -> Open:
    """The example in one file, with a ledger in which two of its claims contradict each other."""
    claims = [claim | {"sentence": f"Sentence of {claim['id']}."} for claim in view["claims"]]
    ids = [claim["id"] for claim in claims[:2]]
    conflict = {"kind": "detects, does not control", "claims": ids, "sentence": "Detects, does not control: it."}
    path = tmp_path / "page.html"
    path.write_text(self_contained(view, units, {"claims": claims, "conflicts": [conflict]}), encoding="utf-8")
    return lambda state="", **options: open_page(state, url=path.as_uri(), **options)


def test_every_badge_leads_to_its_entry_and_conflicts_stand_together(ledger_page: Open, view: dict[str, Any]) -> None:
    page = ledger_page()
    for claim in view["claims"]:
        page.locator(f'[data-claim="{claim["id"]}"] .entry-link').click()
        chosen = page.locator("#ledger .entry.chosen")
        assert chosen.get_attribute("data-entry") == claim["id"]
        assert f"ledger={claim['id']}" in page.url
        page.keyboard.press("Escape")
        page.wait_for_function("!document.getElementById('ledger').open")
    page.keyboard.press("l")
    statuses = page.locator("#ledger .entry").evaluate_all("all => all.map((e) => e.classList[1])")
    order = ["failed", "undecided", "not_testable", "held"]
    assert statuses == sorted(statuses, key=order.index) and len(statuses) == len(view["claims"])
    together = page.locator("#ledger .conflict")
    assert "Detects, does not control" in together.inner_text() and together.locator(".entry-link").count() == 2


def test_the_badges_at_the_top_open_the_first_entry_of_their_status(ledger_page: Open, view: dict[str, Any]) -> None:
    page = ledger_page()
    badges = page.locator(".standing .badge")
    assert badges.count() == len({claim["status"] for claim in view["claims"]}) > 1
    for i in range(badges.count()):
        status = badges.nth(i).get_attribute("class").split()[1]
        badges.nth(i).click()
        chosen = page.locator("#ledger .entry.chosen").get_attribute("data-entry")
        assert chosen == next(claim["id"] for claim in view["claims"] if claim["status"] == status)
        page.keyboard.press("Escape")
        page.wait_for_function("!document.getElementById('ledger').open")


def test_the_badge_of_a_selected_unit_opens_the_entry_of_its_group(ledger_page: Open, view: dict[str, Any]) -> None:
    claims = {group["name"]: group["claim_id"] for group in view["groups"] if group["claim_id"]}
    node = next(node for node in view["graph"]["nodes"] if node["group"] in claims)
    page = ledger_page(f"#select={node['id']}")
    page.locator("#panel .group-line .entry-link").click()
    assert page.locator("#ledger .entry.chosen").get_attribute("data-entry") == claims[node["group"]]


def test_the_badges_of_the_legend_and_of_a_preview_open_their_entries(ledger_page: Open, view: dict[str, Any]) -> None:
    claims = {group["name"]: group["claim_id"] for group in view["groups"] if group["claim_id"]}
    page = ledger_page()
    for name, claim in claims.items():
        chip = page.locator(".legend .chip", has=page.locator(f'[data-group="{name}"]'))
        chip.locator(".entry-link").click()
        assert page.locator("#ledger .entry.chosen").get_attribute("data-entry") == claim
        assert chip.locator("button").get_attribute("aria-pressed") == "false"
        page.keyboard.press("Escape")
        page.wait_for_function("!document.getElementById('ledger').open")
    number, node = next((i, node) for i, node in enumerate(view["graph"]["nodes"]) if node["group"] in claims)
    page = ledger_page(f"#select={node['id']}")
    page.locator(f'.graph [data-i="{number}"]').first.hover()
    page.locator("#tip .entry-link").click()
    assert page.locator("#ledger .entry.chosen").get_attribute("data-entry") == claims[node["group"]]


def test_an_address_opens_the_entry_and_an_unknown_one_is_said(ledger_page: Open, view: dict[str, Any]) -> None:
    wanted = view["claims"][-1]["id"]
    page = ledger_page(f"#ledger={wanted}", color_scheme="dark")
    assert page.locator("#ledger .entry.chosen").get_attribute("data-entry") == wanted
    assert page.evaluate("document.activeElement.dataset.entry") == wanted
    page = ledger_page("#ledger=nowhere")
    assert page.locator("#ledger-missing").is_visible()


def test_the_server_hands_the_ledger_out(open_page: Open, view: dict[str, Any]) -> None:
    page = open_page("#ledger=all")
    page.wait_for_selector("#ledger .entry")
    assert page.locator("#ledger .entry").count() == len(view["claims"])
