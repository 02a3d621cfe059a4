"""The picture: the right numbers in the right panel, and no half-written file."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lastlayer.comparison import compare
from lastlayer.comparison.figure import draw, require_format, save
from lastlayer.comparison.figure.labels import spread
from lastlayer.comparison.figure.styles import FAINT
from lastlayer.marks import HUES, marks

PNG = b"\x89PNG\r\n"


def figure(*scores: float, **options: object):
    return draw(compare(scores, **options))  # type: ignore[arg-type]


def line(axes, label: str):
    return next(line for line in axes.get_lines() if line.get_label() == label)


@pytest.mark.parametrize(("scores", "panels"), [((7.0,), 3), ((1, 0.5), 3), ((2, -1, 0.5), 4), (range(10), 3)])
def test_three_classes_have_the_simplex_too(scores, panels):
    assert len(figure(*scores).axes) == panels


def test_curves_are_the_first_probability():
    scale, shift = figure(1, 0.5).axes[1:]
    multiples, p = line(scale, "softmax").get_data()
    assert p == pytest.approx(1 / (1 + np.exp(-0.5 * np.asarray(multiples))), abs=1e-14)
    amounts, p = line(shift, "ratio").get_data()
    x = np.asarray(amounts, dtype=float)
    inside = x > -0.5
    assert np.asarray(p)[inside] == pytest.approx((1 + x[inside]) / (1.5 + 2 * x[inside]), abs=1e-14)
    assert np.isnan(np.asarray(p)[x < -0.5]).all()


def test_bars_are_the_probabilities():
    bars = figure(1, 0.5, mappings=["softmax", "ratio"]).axes[0].patches
    p = 1 / (1 + math.exp(-0.5))
    assert [bar.get_width() for bar in bars] == pytest.approx([p, 1 - p, 2 / 3, 1 / 3], abs=1e-14)
    assert [bar.get_x() for bar in bars] == pytest.approx([0, p, 0, 2 / 3], abs=1e-14)


def test_simplex_point_is_in_the_corner_of_a_sure_class():
    simplex = figure(9, 1, 0, mappings=["hardmax"]).axes[1]
    point = simplex.get_lines()[-1].get_xydata()
    assert point.tolist() == [[0.0, 0.0]]


def test_undefined_is_written_in_its_row():
    assert "undefined here" in [text.get_text() for text in figure(1, -1).axes[0].texts]


@pytest.mark.parametrize("scores", [(math.inf, 0, 1), (1e308, 1, 2), (0, 0, 0), (1e-300, 0)])
def test_extreme_scores_are_drawn(scores, tmp_path):
    save(compare(scores), tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(PNG)


def test_format_follows_the_name_and_nothing_else_is_left(tmp_path):
    comparison = compare([1, 0.5], mappings=["softmax"])
    for name, start in (("a.png", PNG), ("b.svg", b"<?xml"), ("c", PNG), ("d.PNG", PNG)):
        save(comparison, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.svg", "c", "d.PNG"]


def test_an_earlier_file_survives_a_failure(tmp_path, monkeypatch):

    path = tmp_path / "out.png"
    path.write_bytes(b"earlier")

    def fail(self, name, **options):
        name.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="No space"):
        save(compare([1, 0.5]), path)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_format(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.xyz.*png"):
        require_format(tmp_path / "out.xyz")


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    ("label", "followed"),
    [(None, 2), (0, 0), (1, 1)],
)
def test_curves_follow_the_label_or_else_the_largest_score(label, followed):
    scores = (0.5, 1.0, 3.0, 2.0)
    scale, shift = figure(*scores, label=label).axes[1:]
    for axes in (scale, shift):
        assert axes.get_ylabel() == f"probability of class {followed}"
    multiples, p = line(scale, "softmax").get_data()
    x = np.multiply.outer(np.asarray(multiples), scores)
    assert p == pytest.approx(np.exp(x[:, followed]) / np.exp(x).sum(axis=1), abs=1e-14)


@pytest.mark.parametrize(
    ("scores", "label", "says"),
    [
        # σ(0.05), σ(5), 2/3; and (0.5 + 0.5 + 3) / (0.5 + 2·3.5) at the end
        ((1, 0.5), None, ["softmax goes from 0.51 to 0.99,\nthe ratio stays at 0.67", "softmax stays at 0.62,"]),
        ((1, 0.5), 1, ["softmax goes from 0.49 to 0.0067,\nthe ratio stays at 0.33", "softmax stays at 0.38,"]),
        ((2, -1, 0.5), None, ["the ratio has no answer", "softmax stays at 0.79,\nthe ratio goes from 0.67 to 0.41"]),
        ((1e-9, 2e-9), None, ["softmax stays at 0.5,\nthe ratio stays at 0.67", "softmax stays at 0.5,"]),
    ],
)
def test_titles_say_what_the_curves_do(scores, label, says):
    for axes, words in zip(figure(*scores, label=label).axes[-2:], says, strict=True):
        assert words in axes.get_title(loc="left")


def test_titles_speak_of_what_is_drawn():
    title = figure(1, 0.5, mappings=["spherical"]).axes[1].get_title(loc="left")
    assert title == "Multiply: spherical stays at 0.8"


@pytest.mark.parametrize(
    ("scores", "label", "crossing"),
    [
        ((1, 0.5), None, "equal at 1.386 ×"),  # ln 2 / 0.5
        ((1, 0.5), 1, "equal at 1.386 ×"),  # of two classes both cross there
        ((4, 3, 2), None, "equal at 0.3219 ×"),
        ((4, 3, 2), 2, None),  # the curves of another class cross elsewhere
        ((2, -1), None, None),
        ((1, 0), None, None),
        ((1, 1), None, None),
        ((1e-9, 2e-9), None, None),  # off the axis
    ],
)
def test_the_crossing_of_softmax_and_the_ratio_is_marked(scores, label, crossing):
    found = [text for text in texts(figure(*scores, label=label).axes[-2]) if text.startswith("equal")]
    assert found == ([] if crossing is None else [crossing])


def test_lines_are_named_at_their_ends_and_the_others_are_grey():
    scale = figure(1, 0.5).axes[1]
    assert {"softmax", "ratio", "sparsemax", "hardmax", "grey: 7 others"} <= set(texts(scale))
    assert "taylor" not in texts(scale)
    assert line(scale, "taylor").get_color() == line(scale, "entmax").get_color() == FAINT
    assert scale.get_legend() is None


def test_colours_are_those_of_the_marks():
    scale = figure(1, 0.5, mappings=["softmax", "ratio", "taylor"]).axes[1]
    for name, mark in marks(["softmax", "ratio", "taylor"]).items():
        assert line(scale, name).get_color() == HUES[mark.hue][0]
    assert {"softmax", "ratio", "taylor"} <= set(texts(scale))


@pytest.mark.parametrize("places", [[1.0, 1.0, 1.0], [0.0, 0.0], [0.5, 0.51, 0.9, 0.91], [0.3]])
def test_names_are_kept_apart_and_on_the_axes(places):
    moved = sorted(spread(places, 0.1))
    assert all(b - a > 0.0999 for a, b in itertools.pairwise(moved))
    assert moved[0] > -1e-9
    assert moved[-1] < 1 + 1e-9


def test_of_many_classes_the_largest_and_the_label_have_a_piece_and_the_others_share_one():
    scores = np.ones(50)
    scores[37] = 5.0
    bars = figure(*scores, label=20, mappings=["softmax", "ratio"]).axes[0]
    # 6 largest, the label and the others for each of two mappings
    assert len(bars.patches) == 2 * 8
    assert sum(bar.get_width() for bar in bars.patches) == pytest.approx(2, abs=1e-12)
    assert "class 37" in texts(bars)


def test_nothing_is_outside_the_picture():
    """Names at the ends of lines and titles lie inside the image."""
    drawn = figure(1, 0.5)
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    renderer, width = canvas.get_renderer(), drawn.bbox.width
    for axes in drawn.axes:
        for text in [*axes.texts, axes.title, axes._left_title]:
            if text.get_text():
                box = text.get_window_extent(renderer)
                assert 0 <= box.x0 <= box.x1 <= width, text.get_text()
