"""`lastlayer explore`: the file it writes, the browser it opens, what it says about bad input."""

from __future__ import annotations

import json
import re
import webbrowser

import pytest

from lastlayer.explore.page import PageState, build


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """The addresses that a browser was asked to open; the command runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    addresses = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or True)
    return addresses


def test_it_writes_the_page_and_opens_it(lastlayer, opened, tmp_path):
    run = lastlayer("explore")
    assert (run.code, run.out) == (0, "page: lastlayer-explore.html\n")
    path = tmp_path / "lastlayer-explore.html"
    assert path.read_text(encoding="utf-8") == build()
    assert opened == [path.as_uri()]


@pytest.mark.parametrize("scores", [["2", "-1", ".5"], ["[2, -1, .5]"], ["2,-1,0.5"], ["[2,", "−1,", "0.5]"]])
def test_the_scores_are_inside(lastlayer, opened, tmp_path, scores):
    run = lastlayer("explore", *scores, "--label", "0", "--no-open", "--out", "sub/page.html")
    assert run.out == "page: sub/page.html\n"
    page = (tmp_path / "sub" / "page.html").read_text(encoding="utf-8")
    assert page == build(PageState((2.0, -1.0, 0.5), 0))
    assert json.loads(re.search(r"START: (\{.*\}) \};", page)[1])["scores"] == [2, -1, 0.5]
    assert opened == []


def test_temperature_and_softcap_are_inside(lastlayer, opened, tmp_path):
    assert lastlayer("explore", "1", "0.5", "--temperature", "0.5", "--softcap", "3", "--no-open").code == 0
    expected = build(PageState((1.0, 0.5), parameters={"softcap": 3.0, "temperature": 0.5}))
    assert (tmp_path / "lastlayer-explore.html").read_text(encoding="utf-8") == expected
    lastlayer("explore", "1", "0.5", "--temperature", "1", "--no-open")
    assert (tmp_path / "lastlayer-explore.html").read_text(encoding="utf-8") == build(PageState((1.0, 0.5)))


def test_a_folder_gets_the_default_name(lastlayer, opened, tmp_path):
    assert lastlayer("explore", "--no-open", "--out", str(tmp_path)).code == 0
    assert (tmp_path / "lastlayer-explore.html").exists()


def test_without_a_browser_it_says_so(lastlayer, opened, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    run = lastlayer("explore")
    assert run.code == 0
    assert "open the file in one" in run.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["1", "inf"], "Score 1 is inf; the page draws scores from -1e300 to 1e300."),
        (["1", "-2e300"], "Score 1 is -2e+300; the page draws scores from -1e300 to 1e300."),
        (["1", "2", "--temperature", "0"], "temperature is 0; the page takes numbers from 0.001 to 1000."),
        (["1", "2", "--temperature", "nan"], "temperature is nan; the page takes"),
        (["1", "2", "--softcap", "-1"], "softcap is -1; the page takes numbers from 0.001 to 100000."),
        (["1", "x"], "Score 1 is 'x'"),
        (["1", "2", "--label", "2"], "label is 2; give a class from 0 to 1."),
        (["1"] * 51, "There are 51 scores; the page has room for 1 to 50."),
        (["--out", "/dev/null/page.html"], "The page cannot be written to /dev/null/page.html"),
        (["--out", ""], "The path is empty"),
    ],
)
def test_bad_input_is_one_sentence(lastlayer, opened, arguments, says):
    assert says in lastlayer("explore", "--no-open", *arguments).error()
    assert opened == []


def test_an_earlier_page_is_replaced_and_nothing_else(lastlayer, opened, tmp_path):
    assert lastlayer("explore", "--no-open").code == 0
    assert lastlayer("explore", "2", "1", "--no-open").code == 0
    assert (tmp_path / "lastlayer-explore.html").read_text(encoding="utf-8") == build(PageState((2.0, 1.0)))
    (tmp_path / "data.csv").write_bytes(b"\xff1,2\n")
    assert "data.csv is there already" in lastlayer("explore", "--no-open", "--out", "data.csv").error()
    assert (tmp_path / "data.csv").read_bytes() == b"\xff1,2\n"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("-", "cannot be written to standard output"),
        ("a" * 300 + ".html", "name too long"),
        ("/dev/null", "not a file"),
    ],
)
def test_what_is_no_place_for_a_page(lastlayer, opened, tmp_path, path, says):
    assert says in lastlayer("explore", "--no-open", "--out", path).error()
    assert list(tmp_path.iterdir()) == []
