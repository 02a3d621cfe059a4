"""One mark per mapping: its colour and its shape, the same on the page, in every figure, report and document.

The seven hues and the ink keep a colour difference of at least 17 (CIE 1976, light and dark page) under simulated protanopia,
deuteranopia and tritanopia (Machado, Oliveira & Fernandes 2009) and a contrast of 3:1 to the page. Where two mappings share
a hue their shapes differ, so that nothing depends on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from lastlayer.mappings import MAPPINGS

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
#: SVG paths around the origin, about ten units wide.
CIRCLE = "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z"
SQUARE = "M-4 -4H4V4H-4Z"
DIAMOND = "M0 -5.6L5.6 0L0 5.6L-5.6 0Z"
UP = "M0 -5.4L5.2 3.8H-5.2Z"
DOWN = "M0 5.4L5.2 -3.8H-5.2Z"
PLUS = "M-1.7 -5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z"
HOURGLASS = "M-4.4 -5H4.4L-4.4 5H4.4Z"
SHAPES = (SQUARE, UP, DIAMOND, DOWN, PLUS, CIRCLE, HOURGLASS)


@dataclass(frozen=True)
class Mark:
    """How a mapping is drawn: `hue` is its place in HUES, `shape` an SVG path."""

    hue: int
    shape: str


#: The ratio, which the question is about, has a hue that nothing else has.
_RATIO = Mark(2, DIAMOND)


def _every() -> Iterator[Mark]:
    """All other marks: with six hues and seven shapes both change from one to the next, and none comes twice."""
    hues = [hue for hue in range(1, len(HUES)) if hue != _RATIO.hue]
    return (Mark(hues[i % len(hues)], SHAPES[i % len(SHAPES)]) for i in range(len(hues) * len(SHAPES)))


def _fixed() -> dict[str, Mark]:
    """The marks of the built-in mappings, those of a default study first."""
    named = {"softmax": Mark(0, CIRCLE), "ratio": _RATIO}
    others = sorted((name for name in MAPPINGS if name not in named), key=lambda name: bool(MAPPINGS[name].study_note))
    return named | dict(zip(others, _every(), strict=False))


def marks(labels: Sequence[str], named: Mapping[str, Mark] | None = None) -> dict[str, Mark]:
    """A mark for each label: the fixed one of a built-in mapping, the one in `named`, or a free one.

    Free marks repeat only after all hues and shapes have met.
    """
    fixed = _fixed() | dict(named or {})
    chosen = {label: fixed[label] for label in labels if label in fixed}
    free = cycle([mark for mark in _every() if mark not in chosen.values()])
    return {label: chosen.get(label) or next(free) for label in labels}
