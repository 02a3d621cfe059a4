"""The parts that figures are made of: scales, ticks, label places, colours."""

from __future__ import annotations

import itertools
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_results import DEFAULT, synthetic_results

from lastlayer.mappings import MAPPINGS
from lastlayer.marks import HUES
from lastlayer.report.figures.labels import CHARACTER, LINE, place_labels
from lastlayer.report.figures.scale import Scale, focus, padded
from lastlayer.report.page import render_html
from lastlayer.report.palette import GREY, marks
from lastlayer.study.schema import BASELINES

finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(finite, finite, st.integers(2, 6))
def test_ticks_are_inside_in_order_and_true(one: float, other: float, count: int) -> None:
    scale = Scale(*padded(min(one, other), max(one, other)), 100.0, 300.0)
    ticks = scale.ticks(count)
    places = [place for place, _ in ticks]
    assert places == sorted(places)
    assert all(100 <= place <= 300 for place in places)
    assert len(ticks) <= count + 1
    for place, text in ticks:
        value = float(text.replace("−", "-"))
        width = scale.high - scale.low
        assert abs(scale.low + (place - 100) / 200 * width - value) <= 0.02 * width + 0.006 * abs(value)


@pytest.mark.parametrize(("low", "high"), [(0.1, 20.0), (0.9, 9.0), (1e-6, 1e6), (2.0, 17.0)])
def test_logarithmic_ticks(low: float, high: float) -> None:
    ticks = Scale(low, high, 0.0, 300.0, is_log=True).ticks(5)
    assert 2 <= len(ticks) <= 8
    for place, text in ticks:
        value = float(text)
        assert place == pytest.approx(300 * math.log(value / low) / math.log(high / low), abs=0.1)


def test_all_is_shown_unless_something_is_far_off() -> None:
    near = [(0.9, 1.0, 1.1), (1.0, 1.1, 1.2), (0.95, 1.05, 1.15)]
    assert focus(near, 1.0) == (0.9, 1.2)
    assert focus([*near, (99.0, 100.0, 101.0)], 1.0) == (0.9, 1.2)
    assert focus([*near, (1.2, 1.3, 1.4)], 1.0) == (0.9, 1.4)
    assert focus([*near, (math.nan, math.inf, math.nan)], 1.0) == (0.9, 1.2)
    assert focus([(1.0, 1.0, 1.0), (100.0, 100.0, 100.0)], 1.0) == (1.0, 100.0)
    assert focus([], 3.0) == (3.0, 3.0)


@given(st.lists(st.tuples(st.floats(40, 390), st.floats(10, 320)), min_size=1, max_size=50))
def test_labels_overlap_no_label_and_no_other_point(points: list[tuple[float, float]]) -> None:
    frame = (40.0, 10.0, 390.0, 330.0)
    names = [f"mapping {i}" for i in range(len(points))]
    boxes = []
    for i, label in enumerate(place_labels(points, names, frame)):
        if label is None:
            continue
        assert label.text == names[i]
        width = CHARACTER * len(label.text)
        left = label.x - {"start": 0.0, "middle": width / 2, "end": width}[label.anchor]
        box = (left, label.y - LINE / 2, left + width, label.y + LINE / 2)
        assert frame[0] <= box[0]
        assert box[2] <= frame[2]
        for j, (x, y) in enumerate(points):
            assert j == i or not (box[0] < x < box[2] and box[1] < y < box[3])
        boxes.append(box)
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_a_lonely_point_has_its_name_at_its_right() -> None:
    (label,) = place_labels([(200.0, 100.0)], ["softmax"], (40.0, 10.0, 390.0, 330.0))
    assert label is not None
    assert (label.anchor, label.is_far) == ("start", False)


def test_marks_are_distinct_and_softmax_has_the_ink() -> None:
    chosen = marks(["ratio", "softmax", *(f"m{i}" for i in range(34))])
    assert chosen["softmax"].hue == 0
    assert len(set(chosen.values())) == 36
    assert all(mark.hue > 0 for label, mark in chosen.items() if label != "softmax")


def test_the_ratio_has_a_hue_of_its_own() -> None:
    chosen = marks([*MAPPINGS, *BASELINES, *(f"m{i}" for i in range(60))])
    assert [label for label, mark in chosen.items() if mark.hue == chosen["ratio"].hue] == ["ratio"]
    assert {chosen[label].hue for label in BASELINES} == {GREY}


def test_a_mapping_keeps_its_mark_in_every_study() -> None:
    every = marks(list(DEFAULT))
    for label in DEFAULT:
        assert marks(["another", label])[label] == every[label]
    assert len({mark.hue for mark in every.values()}) == len(HUES)
    by_hue = {}
    for mark in every.values():
        by_hue.setdefault(mark.hue, []).append(mark.shape)
    assert all(len(set(shapes)) == len(shapes) <= 2 for shapes in by_hue.values())


def _linear(colour: str) -> list[float]:
    values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""
    light, dark = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(_linear, (one, other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_contrast(scheme: int) -> None:
    """AA: 4.5 for text, 3 for marks, on the light and the dark page."""
    blocks = re.findall(r":root \{(.*?)\}", render_html(synthetic_results(("softmax",))), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))
    for text in ("ink", "soft", "better", "worse", "link"):
        assert _contrast(colours[text], colours["paper"]) >= 4.5, text
    for ground in ("band", "warn", "code"):
        assert _contrast(colours["ink"], colours[ground]) >= 4.5, ground
    for i, hue in enumerate(HUES):
        assert colours[f"hue{i}"] == hue[scheme]
        assert _contrast(hue[scheme], colours["paper"]) >= 3, hue


#: Machado, Oliveira & Fernandes 2009, table 1, severity 1.0, on linear RGB.
_DEFICIENCIES = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


def _times(matrix: tuple[tuple[float, ...], ...], vector: list[float]) -> list[float]:
    return [sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix]


def _lab(linear: list[float]) -> tuple[float, float, float]:
    xyz = _times(_XYZ, [min(max(v, 0.0), 1.0) for v in linear])
    x, y, z = (
        t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116
        for t in (v / white for v, white in zip(xyz, (0.9505, 1.0, 1.089), strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize("deficiency", _DEFICIENCIES)
def test_hues_stay_apart_for_the_colour_blind(scheme: int, deficiency: str) -> None:
    seen = [_lab(_times(_DEFICIENCIES[deficiency], _linear(hue[scheme]))) for hue in HUES]
    assert min(math.dist(one, other) for one, other in itertools.combinations(seen, 2)) >= 17
