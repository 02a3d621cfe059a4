"""What the page's tests share: a browser, the page as a file, visits to it; and the path to their modules, which pytest's importlib
mode leaves alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from page_browser import opened_browser, written_page
from page_visits import visits


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_page(tmp_path_factory.mktemp("page"))


@pytest.fixture
def visit(browser: Any, path: Path) -> Iterator[Callable[..., Any]]:
    """`visit(hash, width, height, **options)` opens the page."""
    with visits(browser, path) as opened:
        yield opened


@pytest.fixture
def lab(browser: Any, path: Path) -> Iterator[Any]:
    """`lab(hash)` opens the page there; nothing may be logged to the console, and no address but the file's is asked for."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    complaints: list[str] = []

    def opened(state: str = "", width: int = 1280) -> Any:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if "http" in request.url else None)
        page.goto(f"{path.as_uri()}#v=1&{state}&scene=lab")
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield opened
    context.close()
    assert not complaints
