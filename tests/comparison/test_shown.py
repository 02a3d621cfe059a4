"""What a prompt and a notebook show: text, HTML, the figure, the page."""

from __future__ import annotations

import dataclasses
import html.parser
import sys

import pytest

import lastlayer as ll
from lastlayer.comparison import card
from lastlayer.explore.page import PageState, build
from lastlayer.marks import HUES, marks


class Reader(html.parser.HTMLParser):
    """Collects the text, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.widths: list[float] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("br", "rect", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        if tag == "rect" and "var(" in dict(attrs)["fill"]:
            self.widths.append(float(dict(attrs)["width"]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] != "style":
            self.words.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_the_prompt_shows_the_text():
    shown = repr(ll.compare([1, 0.5]))
    assert shown.startswith("In short: both put class 0 first.")
    assert "--" not in shown
    assert len(shown) < 3000


def test_the_width_can_be_chosen():
    assert max(map(len, ll.compare([1, 0.5]).text(width=60).splitlines())) <= 60
    assert "Difference quotients" in ll.compare([1, 0.5]).text(everything=True)


@pytest.mark.parametrize("scores", [[1, 0.5], [2, -1, 0.5], list(range(50)), [5], [float("inf"), 0]])
@pytest.mark.parametrize("label", [None, 0])
def test_a_notebook_shows_html_without_matplotlib(scores, label, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    comparison = ll.compare(scores, label=label)
    reader = read(comparison._repr_html_())
    words = " ".join(reader.words)
    assert comparison.in_short in words
    assert "Classes are counted from 0." in words
    for claim in comparison.claims:
        assert claim.evidence in words
    for row in comparison.rows:
        assert row.name in words
    assert reader.widths == [
        pytest.approx(220 * float(row.probabilities[max(range(len(scores)), key=scores.__getitem__)]), abs=0.06)
        for row in comparison.rows
        if row.defined
    ]


def test_a_notebook_shows_the_largest_classes_and_the_label():
    scores = [0.0] * 50
    scores[37] = 5.0
    words = read(ll.compare(scores, label=20, mappings=["softmax"])._repr_html_()).words
    assert {"37", "20 (true)", "43 others", "loss if 20"} <= set(words)


def test_the_colours_are_those_of_the_marks():
    text = ll.compare([1, 0.5], mappings=["ratio"])._repr_html_()
    hue = marks(["ratio"])["ratio"].hue
    assert f"--ll{hue}:{HUES[hue][0]}" in text
    assert f'fill="var(--ll{hue})"' in text


def test_softmax_has_the_colour_of_the_text_whatever_the_background():
    text = ll.compare([1, 0.5], mappings="softmax")._repr_html_()
    assert text.count("--ll0:currentColor") == 2
    assert HUES[0][0] not in text


def test_html_of_a_name_with_angle_brackets():
    hostile = dataclasses.replace(ll.MAPPINGS["softmax"], name="<script>")
    assert "<script>" not in ll.compare([1, 0.5], mappings=[hostile])._repr_html_()


def test_plot_gives_the_figure_and_writes_it(tmp_path):
    figure = ll.compare([1, 0.5]).plot(tmp_path / "out.png")
    assert len(figure.axes) == 3
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("scores", [[float("inf")] * 2, [float("-inf")] * 2, [float("-inf"), 1, float("inf")]])
def test_infinite_scores_are_drawn_without_a_warning(scores):
    """Warnings are errors here."""
    assert ll.compare(scores).plot().axes


def test_plot_names_the_file_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match="No such file") as caught:
        ll.compare([1, 0.5]).plot(tmp_path / "none" / "out.png")
    assert caught.value.filename == str(tmp_path / "none" / "out.png")


def test_plot_without_matplotlib_says_how_to_get_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("lastlayer.comparison.figure")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'plot needs matplotlib: pip install "lastlayer\[study\]"'):
        ll.compare([1, 0.5]).plot()


def test_explore_is_the_page_at_these_scores(tmp_path, monkeypatch):
    page = ll.compare([2, -1, 0.5], label=2, temperature=2.0).explore()
    expected = build(PageState((2.0, -1.0, 0.5), 2, {"temperature": 2.0}))
    assert page.save(tmp_path / "page.html").read_text(encoding="utf-8") == expected
    assert page._repr_html_().startswith("<iframe srcdoc=")
    assert len(repr(page)) < 100
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert page.open().as_uri() == opened[0]
    with pytest.raises(ValueError, match="50"):
        ll.compare(range(51)).explore()


@pytest.mark.parametrize(
    ("mappings", "expected"),
    [
        (["softmax", "sparsemax"], ["softmax", "sparsemax"]),
        (["entmax:alpha=1.3", "ratio"], ["entmax:alpha=1.3", "ratio"]),
        ([dataclasses.replace(ll.MAPPINGS["softmax"], name="my_own"), "ratio"], ["ratio"]),
    ],
)
def test_explore_shows_the_mappings_that_were_chosen(mappings, expected):
    """But for those that are not on the page."""
    text = ll.compare([2, -1, 0.5], mappings=mappings).explore().html
    assert text == build(PageState((2.0, -1.0, 0.5), mappings=tuple(expected)))
    assert text != ll.compare([2, -1, 0.5]).explore().html


def test_a_mapping_shows_its_equation():
    assert repr(ll.MAPPINGS["ratio"]) == "<ProbabilityMapping 'ratio': p_i = x_i / sum_j x_j>"
    assert repr(ll.MAPPINGS["entmax"].replace(alpha=1.3)).startswith("<ProbabilityMapping 'entmax:alpha=1.3': ")


@pytest.mark.parametrize("mapping", ll.MAPPINGS.values(), ids=ll.MAPPINGS)
def test_a_card_shows_what_it_holds(mapping):
    facts = card(mapping)
    shown = " ".join(read(facts._repr_html_()).words)
    for heading, lines in facts.sections:
        for text in (heading, *lines):
            assert text in repr(facts)
            assert text in shown
