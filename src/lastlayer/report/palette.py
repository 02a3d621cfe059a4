"""One mark per mapping: its colour and its shape, the same in every figure and in every study.

The seven hues and the ink keep a colour difference of at least 17 (CIE 1976, light and dark page) under simulated protanopia,
deuteranopia and tritanopia (Machado, Oliveira & Fernandes 2009) and a contrast of 3:1 to the page. Where two mappings share
a hue their shapes differ, so that nothing depends on colour alone. The baselines are grey.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

#: Hue 0 is the ink of the page and belongs to softmax. (light page, dark page)
HUES: tuple[tuple[str, str], ...] = (
    ("#1d2126", "#eceef0"),
    ("#2d45df", "#3f7bec"),
    ("#e86110", "#fd9359"),
    ("#065d3d", "#04a597"),
    ("#ae23ac", "#e8a9d6"),
    ("#7c4801", "#e8e146"),
    ("#3591f6", "#92afff"),
    ("#4d185c", "#eb4a80"),
)
#: The grey of the baselines: a hue of the style sheet after those of `HUES`.
GREY = len(HUES)

#: SVG paths around the origin, about ten units wide.
CIRCLE = "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z"
SQUARE = "M-4 -4H4V4H-4Z"
DIAMOND = "M0 -5.6L5.6 0L0 5.6L-5.6 0Z"
UP = "M0 -5.4L5.2 3.8H-5.2Z"
DOWN = "M0 5.4L5.2 -3.8H-5.2Z"
PLUS = "M-1.7 -5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z"
BAR = "M-5 -1.8H5V1.8H-5Z"
SHAPES = (SQUARE, DIAMOND, UP, DOWN, PLUS, CIRCLE, BAR)


@dataclass(frozen=True)
class Mark:
    """How a mapping is drawn: `hue` is its place in HUES, `shape` an SVG path."""

    hue: int
    shape: str


#: The marks that never change. The ratio, which the question is about, has a hue that nothing else has.
FIXED = {
    "softmax": Mark(0, CIRCLE),
    "ratio": Mark(2, DIAMOND),
    "sparsemax": Mark(1, SQUARE),
    "taylor": Mark(3, UP),
    "stablemax": Mark(4, DIAMOND),
    "hardmax": Mark(5, DOWN),
    "entmax": Mark(6, UP),
    "spherical": Mark(7, SQUARE),
    "softplus_ratio": Mark(3, PLUS),
    "sigmoid_ratio": Mark(7, DOWN),
    "class_frequencies": Mark(GREY, BAR),
    "logistic_regression": Mark(GREY, CIRCLE),
    "boosted_trees": Mark(GREY, SQUARE),
}
#: The hues that other mappings take in turn.
_FREE_HUES = tuple(hue for hue in range(1, len(HUES)) if hue != FIXED["ratio"].hue)


def marks(labels: Sequence[str]) -> dict[str, Mark]:
    """A mark for each label; marks repeat only after all hues and shapes have met."""
    chosen = {label: FIXED[label] for label in labels if label in FIXED}
    free = _free(set(chosen.values()))
    return {label: chosen.get(label) or next(free) for label in labels}


def _free(taken: set[Mark]) -> Iterator[Mark]:
    """The marks that no fixed label of the study has, over and over; six hues and seven shapes have no common factor."""
    n = len(_FREE_HUES) * len(SHAPES)
    every = (Mark(_FREE_HUES[i % len(_FREE_HUES)], SHAPES[i % len(SHAPES)]) for i in range(n))
    return cycle([mark for mark in every if mark not in taken])
