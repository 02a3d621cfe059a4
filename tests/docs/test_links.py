"""The check of a built site finds every kind of wrong link."""

from __future__ import annotations

import html
from pathlib import Path

import links
import pytest

PAGE = """<html><head><link rel="stylesheet" href="style.css"></head><body>
<h1 id="top">One</h1><a href="two.html#here">two</a><a href="#top">up</a><a href="https://example.org/x">elsewhere</a>
<a href="explore.html#s=1,0.5&amp;scene=2">play</a><a href="explore.html#lab">lab</a><img src="data:image/png;base64,AA=="></body></html>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "two.html").write_text('<p id="here"><a href="index.html">one</a></p>', encoding="utf-8")
    (tmp_path / "explore.html").write_text('<section id="lab"></section>', encoding="utf-8")
    (tmp_path / "style.css").write_text("", encoding="utf-8")
    return tmp_path


def test_right_links_pass(site: Path, capsys: pytest.CaptureFixture[str]):
    assert links.main([str(site)]) == 0
    assert "every link leads somewhere" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ("two.html#here", "three.html", "no such file"),
        ("two.html#here", "two.html#there", "no such anchor"),
        ("#top", "#bottom", "no such anchor"),
        ("explore.html#lab", "explore.html#nothing", "no such anchor"),
        ("explore.html#s=1,0.5&amp;scene=2", "explore.html#s=1&amp;scne=2", "the page knows no scne"),
        ("style.css", "https://fonts.example.org/font.css", "loaded from elsewhere"),
        ("data:image/png;base64,AA==", "//example.org/picture.png", "loaded from elsewhere"),
    ],
)
def test_a_wrong_link_is_found(site: Path, capsys: pytest.CaptureFixture[str], right: str, wrong: str, reason: str):
    (site / "index.html").write_text(PAGE.replace(right, wrong), encoding="utf-8")
    assert links.main([str(site)]) == 1
    assert f"index.html: {html.unescape(wrong)}: {reason}" in capsys.readouterr().err
