"""The lab's forms to copy: command, Python, tables, link and pictures; what can run is run."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from page_lab import STATES, by_name, compared

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("state", list(STATES)[-3:])
def test_the_python_to_copy(lab: Any, state: str) -> None:
    code, names = lab(state).evaluate("LL.COPIES.Python(LL.state)"), {}
    with redirect_stdout(StringIO()) as printed:
        exec(code, names)
    answer = compared(STATES[state])
    assert by_name(names["comparison"].to_dict()) == by_name(answer)
    assert "softmax" in printed.getvalue() or "entmax" in printed.getvalue()


def test_the_tables_to_copy(lab: Any) -> None:
    page = lab("s=1000,0&y=1&m=softmax,ratio,spherical")
    markdown, latex = (page.evaluate(f"LL.COPIES.{kind}(LL.state)") for kind in ("Markdown", "LaTeX"))
    assert "| softmax | 1 | 0 | 1000 | 1 | −1 |" in markdown
    assert r"softmax & $1$ & $0$ & $1000$ & $1$ & $-1$ \\" in latex
    assert r"\infty" in latex
    assert len({line.count("|") for line in markdown.splitlines() if "|" in line}) == 1
    assert len({line.count(" & ") for line in latex.splitlines() if "&" in line}) == 1


def test_the_link_to_copy(lab: Any) -> None:
    page = lab("s=2,-1,0.5&y=1&t=0.5&a=1.3&m=softmax,entmax")
    state, link = page.evaluate("LL.state"), page.evaluate("LL.COPIES.Link(LL.state)")
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.evaluate("LL.state") == state


def test_pictures_to_copy(lab: Any, tmp_path: Path) -> None:
    page = lab("s=2,-1,0.5&y=1&m=softmax,ratio")
    picture = ElementTree.fromstring(page.evaluate("LL.COPIES.SVG(LL.state)"))
    text = "".join(picture.itertext())
    assert "[2, −1, 0.5]" in text
    assert "no answer here" in text
    for kind, begins in (("SVG file", b"<svg"), ("PNG file", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind).click()
        download.value.save_as(tmp_path / "picture")
        assert (tmp_path / "picture").read_bytes().startswith(begins)


def test_python_takes_huge_scores(lab: Any) -> None:
    page = lab("s=18446744073709551616,1e21,-1e300,3,0.5&m=softmax")
    code, names = page.evaluate("LL.COPIES.Python(LL.state)"), {}
    with redirect_stdout(StringIO()):
        exec(code, names)
    assert names["comparison"].to_dict()["scores"] == [2.0**64, 1e21, -1e300, 3, 0.5]


def test_copying_shows_what_was_copied(lab: Any) -> None:
    page = lab("s=1,0.5")
    page.get_by_role("button", name="Command", exact=True).click()
    page.wait_for_selector(".lab-copied:not([hidden])")
    assert page.locator(".lab-copied").inner_text() == "lastlayer compare 1 0.5 --label 1 --mappings softmax,ratio"
