"""The picture: the right numbers in the right panel, and no half-written file."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lastlayer.comparison import compare
from lastlayer.comparison.figure import draw, require_format, save

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
    from matplotlib.figure import Figure

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
