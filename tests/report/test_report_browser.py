"""The page in a real browser: no overflow on a phone, no errors, no request but for the file itself."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from synthetic_results import all_invalid_results, hostile_results, synthetic_results

from lastlayer.report import write_html

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CASES = {
    "default": synthetic_results,
    "hostile": hostile_results,
    "all invalid": all_invalid_results,
    "many": lambda: synthetic_results(("softmax", *(f"entmax:alpha={1 + i / 20:.2f}" for i in range(1, 50)))),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path; install one, on Debian with `apt-get install -y chromium`")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing; pip install 'lastlayer[dev]'"
    )
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=CASES)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_html(CASES[request.param](), tmp_path_factory.mktemp("report") / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1200])
def test_the_page_fits_and_is_quiet(browser: Any, report: Path, width: int, scheme: str) -> None:
    messages: list[str] = []
    requests: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri(), wait_until="load")
    scroll, inner = page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    beyond = page.evaluate(
        """[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && !e.closest('svg')
        && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    )
    context.close()
    assert scroll <= inner
    assert beyond == []
    assert messages == []
    assert requests == [report.as_uri()]
    brightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert brightness > 230 if scheme == "light" else brightness < 40


def test_text_in_figures_can_be_read_on_a_phone(browser: Any, report: Path) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(report.as_uri())
    heights = page.evaluate(
        """[...document.querySelectorAll('svg.drawing text')].map(e => {
        const svg = e.ownerSVGElement; return parseFloat(getComputedStyle(e).fontSize) * svg.getBoundingClientRect().width
        / svg.viewBox.baseVal.width; })"""
    )
    context.close()
    assert min(heights) >= 8.5


def test_no_figure_is_cut_in_print(browser: Any, report: Path, tmp_path: Path) -> None:
    """In print the page is as wide as A4 and its drawings are no taller than a sheet."""
    context = browser.new_context(viewport={"width": 680, "height": 1000}, color_scheme="dark")
    page = context.new_page()
    page.emulate_media(media="print")
    page.goto(report.as_uri())
    tallest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.panel')].map(e => e.getBoundingClientRect().height))"
    )
    breaks = page.evaluate(
        "[...document.querySelectorAll('.panel')].every(e => getComputedStyle(e).breakInside === 'avoid')"
    )
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    overflow = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    page.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True)
    context.close()
    assert tallest <= 990, "a sheet has 265 mm, 1001 px"
    assert breaks
    assert background == "rgb(255, 255, 255)"
    assert overflow <= 0
    assert (tmp_path / "report.pdf").stat().st_size > 10_000
