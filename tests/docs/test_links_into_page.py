"""Every link of the documents into the page to play with opens it at the scores and the question that it names."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from lastlayer.explore.page import build

pytestmark = pytest.mark.browser

DOCS = Path(__file__).parents[2] / "docs"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LINK = re.compile(r"\]\((?:\.\./)?explore\.html#([^)]*)\)")
STATES = sorted({state for path in DOCS.rglob("*.md") for state in LINK.findall(path.read_text(encoding="utf-8"))})
#: The page's place for what `scene` names.
IN_SIGHT = """(scene) => {
  const place = document.getElementById(/^[0-9]$/.test(scene) ? `scene-${scene}` : scene).getBoundingClientRect();
  return place.top < innerHeight && place.bottom > 0;
}"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory):
    """A browser with the page, and what it has logged."""
    if CHROMIUM is None:
        pytest.skip("needs a system Chromium (apt-get install chromium)")
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    path = tmp_path_factory.mktemp("page") / "explore.html"
    path.write_text(build(), encoding="utf-8")
    logged: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("console", lambda message: logged.append(message.text))
        page.on("pageerror", lambda error: logged.append(str(error)))
        yield page, path, logged
        browser.close()


@pytest.mark.parametrize("state", STATES)
def test_a_link_opens_the_page_where_it_says(opened, state):
    page, path, logged = opened
    page.goto("about:blank")
    page.goto(f"{path.as_uri()}#{state}")
    page.wait_for_selector("html[data-ready]", state="attached")
    shown = page.evaluate("LL.state")
    wanted = dict(part.split("=") for part in state.split("&"))
    assert shown["scores"] == [float(score) for score in wanted.get("s", "1,0.5").split(",")]
    assert shown["scene"] == wanted["scene"]
    assert shown["ui"] == wanted.get("ui", "")
    if wanted.get("ui") != "present":
        page.wait_for_function(IN_SIGHT, arg=wanted["scene"])
    assert not logged
