"""The page in a real browser: no overflow on a phone, folded parts too, no errors, no request but for the file itself."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from synthetic_evaluation import CASES as EVALUATIONS
from synthetic_results import all_invalid_results, hostile_results, synthetic_results

from lastlayer.report import write_html
from lastlayer.report.evaluation import write_evaluation_html

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
LONG = (
    "Iris-setosa from the northern province",
    "an extraordinarily long class name with blanks",
    "AnExtraordinarilyLongClassNameWithoutBlanks",
    "γ-ray burst (unclassified)",
    "other",
    "unknown / not recorded",
    "Z",
)
#: Evaluations that a browser sees; the other ones differ from these in words alone.
SEEN = ("default", "a thousand classes", "long names", "many findings", "infinite", "hostile")
MODEL = Path("lastlayer-study/a-long-name-of-a-dataset-without-blanks/model.skops")
CASES = {
    "two classes": lambda: synthetic_results(n_classes=2, class_names=("no", "yes")),
    "long names": lambda: synthetic_results(n_classes=7, class_names=LONG, column_names=LONG * 5),
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


@pytest.fixture(scope="module", params=[*CASES, *(f"evaluation: {name}" for name in SEEN)])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    if request.param in CASES:
        return write_html(CASES[request.param](), path, model=MODEL)
    evaluation = EVALUATIONS[request.param.removeprefix("evaluation: ")]()
    return write_evaluation_html(evaluation, path, calibrator=MODEL.with_name("calibrator.json"))


def unfold(page: Any) -> None:
    """Open everything that is folded."""
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 768, 1280])
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
    unfold(page)
    scroll, inner = page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    beyond = page.evaluate(
        """[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') && !e.closest('svg')
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
    unfold(page)
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


def test_paper_has_what_is_folded_and_no_lonely_row(browser: Any, report: Path) -> None:
    """A table does not break within its first three or its last three rows, and no row is cut."""
    context = browser.new_context(viewport={"width": 680, "height": 1000})
    page = context.new_page()
    page.goto(report.as_uri())
    height = (
        "e => [...document.querySelectorAll('details table')].filter(e => e.getBoundingClientRect().height < 20).length"
    )
    folded = page.evaluate("[...document.querySelectorAll('details > *:not(summary)')].some(e => e.checkVisibility())")
    page.emulate_media(media="print")
    hidden = page.evaluate(height)
    kept = page.evaluate(
        """[...document.querySelectorAll('tbody')].every(body => [...body.rows].every((row, i, rows) =>
        getComputedStyle(row).breakInside === 'avoid' && (i === rows.length - 1 || (i >= 3 && i < rows.length - 3)
        || getComputedStyle(row).breakAfter === 'avoid')))"""
    )
    context.close()
    assert not folded
    assert hidden == 0
    assert kept


@pytest.mark.parametrize("width", [360, 390])
def test_a_phone_shows_the_verdicts_without_scrolling(browser: Any, report: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(report.as_uri())
    # The main table of a study, the ladder of an evaluation.
    ends = page.evaluate(
        "[...document.querySelectorAll('#metrics td.word, #maps td.word')].map(e => e.getBoundingClientRect().right)"
    )
    context.close()
    assert ends
    assert max(ends) <= width


def test_the_keyboard_can_skip_to_the_results(browser: Any, report: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(report.as_uri())
    away = page.evaluate("document.querySelector('.skip').getBoundingClientRect().right")
    page.keyboard.press("Tab")
    there = page.evaluate("document.activeElement.getBoundingClientRect().left")
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    top = page.evaluate("document.querySelector('#results').getBoundingClientRect().top")
    context.close()
    assert away < 0 <= there
    assert -1 <= top < 400
