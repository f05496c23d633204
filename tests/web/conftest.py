"""A served example and one headless Chromium a worker; browser tests skip, with the reason, where there is none."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from web.example_view import example_units, example_view

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def view() -> dict[str, Any]:
    return example_view()


@pytest.fixture(scope="session")
def units(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return example_units(view)


@pytest.fixture(scope="session")
def address(view: dict[str, Any], units: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The example, served by uvicorn on a free port."""
    import uvicorn

    from truescope.web import MemorySource, create_app
    from truescope.web.server import listen

    with listen(0) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(MemorySource(view, units)), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One headless Chromium: TRUESCOPE_CHROMIUM, or the system's."""
    path = os.environ.get("TRUESCOPE_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if not path:
        pytest.skip(f"no browser: set TRUESCOPE_CHROMIUM, or install one of {', '.join(CHROMIUM_NAMES)}")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens the page and waits until it is drawn; afterwards no console message or error may have come."""
    contexts, messages = [], []

    def opened(state: str = "", *, url: str = address, width: int = 1280, height: int = 800, **options: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(url + state)
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert messages == [], "the console must stay silent: no policy violation, no error"
